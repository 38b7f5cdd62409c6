package repo

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/logtest"
)

// The quick start of README.md, typed and clicked word for word in a fresh clone, ends with one's own function reading a
// changed RFI. Only the address of the fork leads to a copy of this repository, and the ports are free ones.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	typed := blocks(t, "README.md", "Quick start", "sh")
	own := blocks(t, "README.md", "Your function", "go")
	if len(typed) != 1 || len(own) != 1 {
		t.Fatalf("README.md has %d blocks of commands and %d functions, want one of each", len(typed), len(own))
	}
	dir := t.TempDir()
	out := terminal(t, dir, published(t, copied(t), "v0.1.0"), typed[0])
	addresses := map[string]string{
		"http://127.0.0.1:3000": out.until(t, `^ +the app +(http://\S+)`)[1],
		"http://127.0.0.1:4000": out.until(t, `^ +fake Procore +(http://\S+)`)[1],
		"http://127.0.0.1:8000": out.until(t, `^ +AWS services +(http://\S+)`)[1],
	}
	out.until(t, `^Press Ctrl-C`)

	b := browsertest.New()
	var last string // the name of the last button
	for i, step := range steps(t, "README.md", "Quick start") {
		for _, m := range action.FindAllStringSubmatch(step, -1) {
			switch {
			case m[1] != "":
				b.Open(t.Context(), addresses[m[1]])
			case m[2] != "":
				b.Choose(m[2])
			case m[4] != "":
				last = fmt.Sprintf("%s %s in %s", m[3], m[4], m[5])
				b.Click(t.Context(), last)
			default:
				b.Click(t.Context(), m[3])
			}
			if err := b.Err(); err != nil {
				t.Fatalf("step %d, %q: %v", i+1, step, err)
			}
		}
		if strings.Contains(step, "turns to *On*") {
			out.until(t, `refresher +hook reconciled .*status=active`)
		}
	}
	out.until(t, `event-consumer +handled .*resource=RFIs .*type=update`)

	file := filepath.Join(dir, "procore-connect", "examples", "event-consumer", "main.go")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	written := regexp.MustCompile(`(?s)func handle\(.*?\n}\n`)
	if !written.Match(text) {
		t.Fatalf("there is no function handle in\n%s", text)
	}
	write(t, file, string(written.ReplaceAllLiteral(text, []byte(own[0]))))
	out.until(t, `event-consumer rebuilt and replaced`)
	if b.Click(t.Context(), last); b.Err() != nil {
		t.Fatal(b.Err())
	}
	out.until(t, `event-consumer +my function .*subject="RFI 1: Which door schedule applies\?"`)
	out.until(t, `event-consumer +handled `)

	// docs/CLIENT.md has two commands for what runs now.
	commands := blocks(t, "docs/CLIENT.md", "Quick start", "sh")[0]
	for address, free := range addresses {
		commands = strings.ReplaceAll(commands, strings.TrimPrefix(address, "http://"), free)
	}
	if got := typeIn(t, dir, os.Environ(), commands); !strings.Contains(got, `\"client_secret\":`) {
		t.Errorf("the commands of docs/CLIENT.md print %q, want the client secret", got)
	}
}

// action is what a step of the quick start does: an address to open, something to choose, or something to click.
var action = regexp.MustCompile(`(http://127\.0\.0\.1:\d+)|Choose \*([^*]+)\*|[Cc]lick \*\*([^*]+)\*\*(?: beside \*([^*]+)\* of \*([^*]+)\*)?`)

// steps returns the items of a section's numbered list, a line each.
func steps(t *testing.T, doc, heading string) (all []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^\d+\. .*(?:\n   .*)*`).FindAllString(sectionOf(t, doc, heading), -1) {
		all = append(all, oneLine(m))
	}
	if len(all) < 3 {
		t.Fatalf("%s has %d steps below %q", doc, len(all), heading)
	}
	return all
}

// output is what a terminal shows.
type output struct{ lines <-chan string }

// terminal types commands in a shell, with free ports for make run. When the test ends, it presses Ctrl-C.
func terminal(t *testing.T, dir string, env []string, commands string) output {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", commands)
	cmd.Dir = dir
	cmd.Env = slices.Concat(env, []string{"LOCAL_APP_ADDR=127.0.0.1:0", "LOCAL_PROCORE_ADDR=127.0.0.1:0", "LOCAL_AWS_ADDR=127.0.0.1:0"})
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	interrupt := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.Cancel = interrupt
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10_000) // more than a run of this test has
	shown := logtest.Output(t)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(io.TeeReader(r, shown)); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		if err := interrupt(); err != nil && err != syscall.ESRCH { //nolint:errorlint // an errno
			t.Error(err)
		}
		for range lines { // until the last process has closed it
		}
		_ = cmd.Wait() // make fails when it is interrupted
	})
	return output{lines}
}

// until waits for a line, and returns what the expression's groups match.
func (o output) until(t *testing.T, line string) []string {
	t.Helper()
	want := regexp.MustCompile(line)
	var seen []string
	late := make(<-chan time.Time)
	if deadline, ok := t.Deadline(); ok {
		late = time.After(time.Until(deadline) - time.Minute) // so that everything is stopped
	}
	for {
		select {
		case text, open := <-o.lines:
			if m := want.FindStringSubmatch(text); m != nil {
				return m
			}
			seen = append(seen, text)
			if !open || strings.Contains(text, "not compile") {
				t.Fatalf("there is no line %s:\n%s", line, strings.Join(seen, "\n"))
			}
		case <-late:
			t.Fatalf("too late for a line %s:\n%s", line, strings.Join(seen, "\n"))
		}
	}
}
