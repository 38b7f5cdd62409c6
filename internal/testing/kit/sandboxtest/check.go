package sandboxtest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/stack/portal"
)

// Check is a run of make sandbox-check, with answers in a person's place.
type Check struct {
	ClientID, ClientSecret string
	Company                string                   // to choose
	Begin                  func(redirectURI string) // called before the person agrees; may be nil
	SignIn                 func(*browsertest.Browser)
	OneBrowser             bool // signs in each time, as a person's does; else another one does each time
}

// Check builds the program and runs it, and returns its report and all its output.
func (w *World) Check(t testing.TB, c Check) (report, output string) {
	t.Helper()
	path, file := filepath.Join(t.TempDir(), "check"), filepath.Join(t.TempDir(), "report.md")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "procore-connect/internal/testing/proof/sandboxcheck").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), path, "-addr", "localhost:0", "-o", file)
	cmd.Env = append(os.Environ(), portal.ClientID+"="+c.ClientID, portal.ClientSecret+"="+c.ClientSecret)
	for name, value := range w.Environment() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var said, stdout bytes.Buffer
	cmd.Stdout = &stdout
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var b *browsertest.Browser
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		fmt.Fprintln(&said, line)
		switch {
		case strings.HasPrefix(line, "http://localhost:"):
			if c.Begin != nil {
				c.Begin(line)
			}
			fmt.Fprintf(stdin, "yes\n%s\n", c.Company) // a program that has ended is noticed below
		case strings.HasPrefix(line, "https://login-sandbox.procore.com/oauth/authorize?"):
			if b == nil || !c.OneBrowser {
				b = browsertest.New()
				b.Transport = w.Transport()
			}
			b.Open(t.Context(), line)
			c.SignIn(b)
			if b.Err() != nil || !strings.Contains(b.Text(), "Back at the terminal") {
				t.Fatalf("the sign-in ended at %s (%d): %v", b.URL.Host+b.URL.Path, b.Status, b.Err())
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(stdout.String(), string(text)) {
		t.Errorf("the report is not on standard output: %v", err)
	}
	return string(text), said.String() + stdout.String()
}
