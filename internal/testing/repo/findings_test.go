package repo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each check of the vocabulary finds what it is for, at its line, and nothing in what is right.
func TestFindings(t *testing.T) {
	t.Parallel()
	const source = `package x

// Ready is true when it is. Nobody
// has "no more than" one.
func Ready() bool { return true }

// Done reports whether it is done; e.g. never. It
// tells the rest.
//
//	somebody
func (X) Done() bool { return false } //nolint:errcheck // whoever calls

func (x) Hidden() bool { return false }

//go:somebody
const patience = "kept  aside" + "meanwhile"
`
	var got []string
	note := func(all ...finding) {
		for _, f := range all {
			got = append(got, fmt.Sprintf("%d %s", f.line, f.check))
		}
	}
	for _, p := range proseOfGo(t, "internal/wire/x.go", source) {
		note(bannedIn(p)...)
		note(verbsIn(p)...)
	}
	note(declarations(t, "internal/wire/x.go", source)...)
	want := []string{"3 word", "7 verb", "11 word", "16 word", "5 boolean", "16 name"}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("in Go (-got +want):\n%s", d)
	}
	got, want = nil, []string{"1 columns", "3 long"}
	text := strings.Repeat("a", 121) + "\n\n" + "[x](" + strings.Repeat("y", 200) + ") " + strings.Repeat("w ", 31) + ".\n" +
		"A " + strings.Repeat("s ", 28) + "one `code words`.\n\n" +
		"```\n" + strings.Repeat("c ", 100) + "\n```\n| cell |" + strings.Repeat(" cell |", 40) + "\n" + "- " + strings.Repeat("i ", 20) + "\n- " + strings.Repeat("i ", 20) + "\n"
	note(documentStyle("x.md", text, plain(text))...)
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("in Markdown (-got +want):\n%s", d)
	}
}
