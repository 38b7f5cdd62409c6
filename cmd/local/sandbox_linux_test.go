package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/kit/sandboxtest"
	"procore-connect/internal/testing/stack/portal"
	"procore-connect/pkg/procoretest"
)

// The command itself, with no other addresses than the sandbox's: a person signs in and connects a company. No process
// has the credentials in its environment or on its command line, and neither does the output.
func TestSandbox(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	authority, err := sandboxtest.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	world := sandboxtest.Start(t, authority, procoretest.Options{ClientID: anID, ClientSecret: aSecret})
	path := filepath.Join(t.TempDir(), "local")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute) // with an empty build cache
	defer cancel()
	state := filepath.Join(t.TempDir(), "state")
	cmd := exec.CommandContext(ctx, path, "-procore", "sandbox", "-app", "localhost:0", "-aws", "127.0.0.1:0", "-state", state)
	cmd.Env = append(os.Environ(), portal.ClientID+"="+anID, portal.ClientSecret+"="+aSecret)
	for name, value := range world.Environment() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var said, stdout bytes.Buffer
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shown := logtest.Output(t)
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(io.MultiWriter(&said, shown), lines.Text())
		if address, ready := strings.CutPrefix(lines.Text(), "Ready. Open  "); ready {
			address, _, _ = strings.Cut(address, " ")
			signIn(t, world, address)
			hidden(t, cmd.Process.Pid)
			cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &said)
	}
	for _, want := range []string{"its developer sandbox, https://sandbox.procore.com", "/oauth/callback  (exactly this one", "webhooks       none", state} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the command does not say %q:\n%s", want, &said)
		}
	}
	if all := said.String() + stdout.String(); strings.Contains(all, aSecret) {
		t.Error("the output has the client secret")
	}
	if m := world.Mistakes(); len(m) > 0 {
		t.Errorf("other calls than those of the sandbox: %q", m)
	}
}

// signIn connects a company, as a person does in a browser.
func signIn(t *testing.T, world *sandboxtest.World, address string) {
	t.Helper()
	b := browsertest.New()
	b.Transport = world.Transport()
	b.Open(t.Context(), address)
	b.Click(t.Context(), "Connect to Procore")
	b.Choose("Joe Builder")
	b.Click(t.Context(), "Authorize")
	b.Choose("Harbor & Hill Builders")
	b.Click(t.Context(), "Connect this company")
	if err := b.Err(); err != nil || b.URL.Path != "/connected" {
		t.Errorf("after the choice: %v\n%s", err, b.Text())
	}
}

// hidden checks what any user of the machine, or the user's other programs, can read of the processes.
func hidden(t *testing.T, pid int) {
	t.Helper()
	all := append(descendants(t, pid), pid)
	if len(all) < 5 {
		t.Errorf("%d processes, want at least one per function", len(all))
	}
	for _, p := range all {
		for _, file := range []string{"cmdline", "environ"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p, file))
			if !runs(p) {
				continue // a compiler's, which has ended
			}
			inherited := p == pid && file == "environ" // as it was given; the kernel shows the memory of the start
			if err != nil || !inherited && bytes.Contains(text, []byte(aSecret)) {
				t.Errorf("process %d has the secret in its %s, or it cannot be read: %v", p, file, err)
			}
		}
	}
}
