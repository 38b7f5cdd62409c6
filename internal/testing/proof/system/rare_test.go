package system

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each message of the table is one that production code logs.
func TestRareMessages(t *testing.T) {
	t.Parallel()
	code := production(t)
	names := map[string]bool{}
	for _, r := range rares {
		if names[r.name] {
			t.Errorf("two states have the name %q", r.name)
		}
		names[r.name] = true
		if (r.message == "") == (r.events == nil) {
			t.Errorf("%s: recognised by a message or by events, not by %q and %q", r.name, r.message, r.events)
		}
		if r.message != "" && !strings.Contains(code, `"`+r.message+`"`) {
			t.Errorf("%s: no code logs %q", r.name, r.message)
		}
	}
}

// production returns the code that is deployed.
func production(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	root := filepath.Join("..", "..", "..", "..")
	for _, dir := range []string{"pkg", "internal", "functions"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "testing" || d.Name() == "testdata" || d.Name() == "procoretest"):
				return filepath.SkipDir
			case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			text, err := os.ReadFile(path)
			all.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// A state is reached by its message with the part, or by one of its events.
func TestReached(t *testing.T) {
	t.Parallel()
	r := newReached()
	r.logged(`{"time":"x","level":"INFO","msg":"grant changed","from":"active","to":"uncertain"}`)
	r.logged(`{"time":"x","level":"INFO","msg":"hook reactivated"}`)
	all := r.count(map[string]int{"fault 207": 2})
	for name, want := range map[string]int{
		"an uncertain grant": 1, "an uncertain grant is active again": 0, "a hook is reactivated": 1, "a bulk call is done in part": 2, "a rollback": 0,
	} {
		if all[name] != want {
			t.Errorf("%s was reached %d times, not %d", name, all[name], want)
		}
	}
	if got := len(missed(all)); got != len(rares)-3 {
		t.Errorf("%d of %d states were missed", got, len(rares))
	}
}
