package operator

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

// Each page that an entry names is in the runbook, with its words and its commands, and some code writes each line.
func TestToldLines(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	for _, tree := range []string{"pkg", "functions", "internal"} {
		err := fs.WalkDir(os.DirFS("../.."), tree, func(name string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "internal/operator/told") {
				return err
			}
			b, err := os.ReadFile("../../" + name)
			code.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	written := code.String()
	for name, one := range tells {
		msg, value, _ := strings.Cut(name, "/")
		for _, text := range []string{msg, value} {
			if text != "" && !strings.Contains(written, `"`+text+`"`) {
				t.Errorf("no code has %q", text)
			}
		}
		if p, ok := Runbook(one.page); one.page != "" && (!ok || !strings.HasPrefix(p.Means, "It means that ") || len(p.Typed) == 0 || strings.ContainsAny(p.Means, "*`[]")) {
			t.Errorf("%s: the runbook's page %q is %+v", name, one.page, p)
		}
	}
}
