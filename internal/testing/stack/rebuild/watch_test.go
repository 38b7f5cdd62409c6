package rebuild_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/stack/rebuild"
)

// module is a module whose commands are watched. Each command prints one line.
type module struct {
	t        *testing.T
	dir      string
	replaced chan string                // "command: what the new binary prints"
	reports  chan string                // what a person is shown
	starting func(command string) error // called before a command is replaced; set before watch
}

func newModule(t *testing.T) *module {
	t.Helper()
	m := &module{t: t, dir: t.TempDir(), replaced: make(chan string, 100), reports: make(chan string, 100), starting: func(string) error { return nil }}
	m.write("go.mod", "module example.com/watched\n\ngo 1.26\n")
	m.write("shared/shared.go", "package shared\n\nconst Text = \"plain\"\n")
	m.write("cmd/first/text.txt", "embedded")
	m.write("cmd/first/main.go", program(`shared.Text, text`, `_ "embed"`, `"example.com/watched/shared"`)+"\n//go:embed text.txt\nvar text string\n")
	m.write("cmd/second/main.go", program(`shared.Text`, `"example.com/watched/shared"`))
	m.write("cmd/around/main.go", program(`"around"`))
	past := time.Now().Add(-time.Hour)
	err := filepath.WalkDir(m.dir, func(path string, _ os.DirEntry, _ error) error { return os.Chtimes(path, past, past) })
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// program returns the source of a command that prints text.
func program(text string, imports ...string) string {
	return "package main\n\nimport (\n\t\"fmt\"\n\t" + strings.Join(imports, "\n\t") + "\n)\n\nfunc main() { fmt.Println(" + text + ") }\n"
}

func (m *module) write(path, text string) {
	m.t.Helper()
	path = filepath.Join(m.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// watch watches until the test ends.
func (m *module) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	m.t.Cleanup(func() { cancel(); <-done })
	w := &rebuild.Watcher{
		Root: m.dir, Dir: filepath.Join(m.t.TempDir(), "next"), Packages: []string{"./cmd/first", "./cmd/second"}, Around: "./cmd/around",
		Since: time.Now().Add(-time.Minute), Report: func(text string) { m.reports <- text },
		Replace: func(ctx context.Context, command, binary string) error {
			if err := m.starting(command); err != nil {
				return err
			}
			out, err := exec.CommandContext(ctx, binary).Output()
			m.replaced <- command + ": " + strings.TrimSpace(string(out))
			return err
		},
	}
	go func() {
		w.Run(ctx)
		close(done)
	}()
}

// wants waits for the replacements in this order, and for reports that contain these texts.
func (m *module) wants(replaced []string, reports ...string) {
	m.t.Helper()
	for _, want := range replaced {
		if got := m.next(m.replaced); got != want {
			m.t.Fatalf("replaced %q, want %q", got, want)
		}
	}
	for _, want := range reports {
		if got := m.next(m.reports); !strings.Contains(got, want) {
			m.t.Fatalf("report %q, want %q in it", got, want)
		}
	}
}

func (m *module) next(from chan string) string {
	m.t.Helper()
	select {
	case text := <-from:
		return text
	case <-time.After(time.Minute):
		m.t.Fatalf("nothing happened for a minute; reports %q", drain(m.reports))
		return ""
	}
}

func drain(from chan string) []string {
	var all []string
	for len(from) > 0 {
		all = append(all, <-from)
	}
	return all
}

const (
	first  = "first rebuilt and replaced in "
	second = "second rebuilt and replaced in "
)

func TestWatch(t *testing.T) {
	t.Parallel()
	m := newModule(t)
	m.write("cmd/first/text.txt", "before the start") // but after the running binaries were compiled
	m.watch()
	m.wants([]string{"first: plain before the start"}, first)

	m.write("cmd/first/text.txt", "embedded file")
	m.wants([]string{"first: plain embedded file"}, first)
	m.write("shared/shared.go", "package shared\n\nconst Text = \"shared\"\n")
	m.wants([]string{"first: shared embedded file", "second: shared"}, first, second)
}

// A new file, and the package that it imports, belong to the command at once.
func TestWatchFollowsImports(t *testing.T) {
	t.Parallel()
	m := newModule(t)
	m.watch()
	m.write("added/added.go", "package added\n\nconst Text = \"added\"\n")
	m.write("cmd/second/more.go", "package main\n\nimport \"example.com/watched/added\"\n\nconst text = added.Text\n")
	m.wants([]string{"second: plain"}, second)
	m.write("cmd/second/main.go", program(`text`))
	m.wants([]string{"second: added"}, second)
	m.write("added/added.go", "package added\n\nconst Text = \"edited\"\n")
	m.wants([]string{"second: edited"}, second)
}

// What does not compile is shown as the compiler says it. It is compiled again after the next change, wherever that is.
func TestWatchCompileError(t *testing.T) {
	t.Parallel()
	m := newModule(t)
	m.watch()
	m.write("shared/shared.go", "package shared\n\nconst Text = missing\n")
	want := ": not compiled; the old one runs on\nshared/shared.go:3:14: undefined: missing"
	m.wants(nil, "first"+want, "second"+want)
	m.write("shared/shared.go", "package shared\n\nvar Text = 7\n")
	m.wants([]string{"first: 7 embedded", "second: 7"}, first, second)

	m.write("shared/shared.go", "package shared\n\nvar Text = \"text\"\n\nfunc Number() int { return Text }\n")
	m.wants(nil, "first: not compiled", "second: not compiled")
	m.write("cmd/second/main.go", program(`shared.Text + 1`, `"example.com/watched/shared"`))
	m.wants(nil, "first: not compiled", "second: not compiled")
	m.write("shared/shared.go", "package shared\n\nvar Text = true\n")
	m.wants([]string{"first: true embedded"}, first, "second: not compiled; the old one runs on\ncmd/second/main.go:8:27: ")
	m.write("cmd/first/text.txt", "unrelated") // second, which failed, is compiled again with it
	m.wants([]string{"first: true unrelated"}, first, "second: not compiled")
	m.write("cmd/second/main.go", program(`!shared.Text`, `"example.com/watched/shared"`))
	m.wants([]string{"second: false"}, second)
}

// A command that does not start is reported. It is compiled again after the next change, wherever that is.
func TestWatchStartError(t *testing.T) {
	t.Parallel()
	m := newModule(t)
	failing := true
	m.starting = func(command string) error {
		if command == "first" && failing {
			failing = false
			return errors.New("panic at start")
		}
		return nil
	}
	m.watch()
	m.write("cmd/first/text.txt", "new")
	m.wants(nil, "first compiles and does not start; the old one runs on: panic at start")
	m.write("cmd/second/main.go", program(`"other"`))
	m.wants([]string{"first: plain new", "second: other"}, first, second)
}

// A change while a command is compiled or replaced leads to another compilation.
func TestWatchDuringCompilation(t *testing.T) {
	t.Parallel()
	m := newModule(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	times := 0
	m.starting = func(string) error {
		if times++; times == 1 {
			close(begun)
			<-goOn
		}
		return nil
	}
	m.watch()
	m.write("cmd/first/text.txt", "early")
	<-begun
	m.write("cmd/first/text.txt", "late edit")
	close(goOn)
	m.wants([]string{"first: plain early", "first: plain late edit"}, first, first)
}

// The running program's own source is mentioned once. Tests and editors' files are no source.
func TestWatchOthers(t *testing.T) {
	t.Parallel()
	m := newModule(t)
	m.watch()
	m.write("cmd/around/main.go", program(`"changed"`))
	m.wants(nil, "cmd/around/main.go is part of make run itself")
	m.write("cmd/around/main.go", program(`"changed again"`))
	m.write("cmd/first/main_test.go", "package main\n")
	m.write("cmd/first/.#text.txt", "lock")
	m.write("cmd/second/main.go", program(`"last"`))
	m.wants([]string{"second: last"}, second)
	if extra := drain(m.replaced); len(extra) > 0 {
		t.Errorf("also replaced %q", extra)
	}
}
