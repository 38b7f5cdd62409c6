package system

import (
	"fmt"
	"strings"

	"procore-connect/internal/invariants"
)

// output judges R5: no secret of the fakes appears in what the app puts out.
type output struct{ court }

// secret begins the secrets of the fakes. The client id is not a secret.
const (
	secret  = "fake-"
	noneOne = "fake-client-id"
)

// text checks a text.
func (o *output) text(where, text string) {
	if !strings.Contains(text, secret) {
		return
	}
	text = strings.ReplaceAll(text, noneOne, "")
	if i := strings.Index(text, secret); i >= 0 {
		o.problem("R5: %s has a secret: %.200s", where, strings.ReplaceAll(text[max(0, i-100):], secret, ""))
	}
}

// answer checks an answer with its headers.
func (o *output) answer(path string, w *recorder) {
	o.text("the answer of "+path, w.body.String())
	for name, values := range w.header {
		for _, v := range values {
			o.text(fmt.Sprintf("the header %s of %s", name, path), v)
		}
	}
}

// row checks that what is stored has no secret in plain text.
func (o *output) row(by, table string, i invariants.Item) {
	for name, a := range i {
		if a.S != nil {
			o.text(fmt.Sprintf("%s in %s, by %s,", name, table, by), *a.S)
		}
	}
}
