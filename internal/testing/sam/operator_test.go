package sam_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// looks are the golden files of commands that change nothing.
var looks = [][2]string{
	{"list", "list"}, {"list-needs-person", "list --needs-person"}, {"show", "show 5678"}, {"why", "why 5678"}, {"link", "link 5678"},
	{"breaker", "breaker"}, {"refresh", "refresh 1234567 --dry-run"}, {"departures", "departures"}, {"webhooks-show", "webhooks show 5678"},
	{"events-list", "events list --company 5678 --limit 5"}, {"trace", "trace 00000000-0000-4000-8000-000000000000"}, {"replay", "replay --company 5678 --from 1h --dry-run"},
	{"quarantine-list", "quarantine list"}, {"dead-list", "dead list"}, {"rescue-list", "rescue list"}, {"keys-status", "keys status"},
	{"coverage", "coverage 5678"}, {"doctor", "doctor"}, {"service-account", "service-account"}, {"call", "call GET /rest/v1.0/me --company 5678"},
}

const (
	revoke = "revoke 5678 --yes"
	erase  = "erase 5678 --yes"
)

// operate types the operator's command at the stack whose functions have just run in containers, and compares what it
// writes with testdata. UPDATE=1 writes the files again.
func operate(t *testing.T, w *world, commands [][2]string) {
	t.Helper()
	command := filepath.Join(t.TempDir(), "procore-connect")
	output(t, exec.CommandContext(t.Context(), "go", "build", "-o", command, filepath.Join(root, "cmd/procore-connect")))
	for _, one := range commands {
		file, typed := one[0], one[1]
		t.Run(file, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), command, append([]string{"--local"}, strings.Fields(typed)...)...)
			cmd.Env = append(os.Environ(), "LOCAL_AWS_ADDR="+host(w.AWSURL))
			var text bytes.Buffer
			cmd.Stdout, cmd.Stderr = &text, &text
			if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
				t.Fatal(err)
			}
			logged(t, text.String())
			got := "$ procore-connect " + typed + "\n" + steady(w, text.String())
			path := filepath.Join("testdata", file+".txt")
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(got, string(want)); d != "" {
				t.Errorf("%s (-got +want):\n%s", path, d)
			}
		})
	}
}

// changing is what differs from run to run: times, how long ago they were, and ids.
var changing = regexp.MustCompile(`\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?|(< )?\b\d+ (s|min|h|d)\b( ago)?|just now|\w{3}, \d{2} \w{3} \d{4} [\d:]{8} GMT|\b01[0-9A-HJKMNP-TV-Z]{24}\b|(Remaining|Reset): \d+`)

var outcome = regexp.MustCompile(`handled +… +(handled|not_found) +…`)

// steady replaces what differs from run to run, and the blanks of columns, whose width follows from it.
func steady(w *world, text string) string {
	text = strings.NewReplacer(w.AppURL, "https://app.example.com", host(w.ProcoreURL), "procore.example.com", w.login, "https://procore.example.com").Replace(text)
	text = changing.ReplaceAllString(text, "…")
	text = outcome.ReplaceAllString(text, "handled  …  …  …")                             // by the consumer that was first, in a container or of the stack
	if first, rest, _ := strings.Cut(text, "\n\n"); strings.HasPrefix(text, "Company ") { // a paragraph, broken by its width
		text = strings.Join(strings.Fields(first), " ") + "\n\n" + rest
	}
	text = regexp.MustCompile(` {2,}`).ReplaceAllString(text, "  ")
	text, _, _ = strings.Cut(text, "WHEN  WHAT  STATE") // what happened in one second may be in another order
	return text
}
