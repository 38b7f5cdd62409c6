package oidc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// callerVariable makes this test binary a process of callers.
const callerVariable = "OIDC_TEST_CALLER"

// spec is what a process of callers needs to know.
type spec struct {
	DynamoDB, Server     string
	Grants, Spends, Keys string
	Users                int
}

func (s spec) store(t *testing.T) *tokens.Store {
	t.Helper()
	environment, err := procore.ParseEnvironment("custom", s.Server, s.Server)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Parse(s.Keys)
	if err != nil {
		t.Fatal(err)
	}
	return &tokens.Store{
		DB: dynamotest.Client(s.DynamoDB), Grants: s.Grants, Spends: s.Spends, Environment: environment,
		Keys:  secrettest.Constant(ring),
		OAuth: secrettest.Constant(&procore.OAuth{Environment: environment, ClientID: clientID, ClientSecret: procore.NewSecret(clientSecret)}),
		Log:   slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	}
}

// callers is a process in which several callers need each user's grant at once.
type callers struct {
	front  *front
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Scanner
	killed atomic.Bool
}

func startCallers(t *testing.T, f *front, s spec) *callers {
	t.Helper()
	s.Server = f.URL
	c := &callers{front: f, cmd: exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCallers$", "-test.timeout=0")}
	c.cmd.Env = append(os.Environ(), callerVariable+"=1")
	c.cmd.Stderr = logtest.Output(t)
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdout = bufio.NewScanner(stdout)
	c.stdout.Buffer(nil, 1<<20)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	if err := json.NewEncoder(c.stdin).Encode(s); err != nil {
		t.Fatal(err)
	}
	return c
}

// need has the process do the work, and returns its callers' errors. A process that was killed meets none.
func (c *callers) need(work string) (failed []string) {
	if _, err := fmt.Fprintln(c.stdin, work); err != nil || !c.stdout.Scan() {
		return nil
	}
	if err := json.Unmarshal(c.stdout.Bytes(), &failed); err != nil {
		failed = []string{c.stdout.Text()}
	}
	return failed
}

// kill ends the process at once. It receives nothing that is sent later.
func (c *callers) kill() {
	c.killed.Store(true)
	_ = c.cmd.Process.Kill() // it runs: it waits for an answer
}

func (c *callers) end() {
	c.stdin.Close()
	_ = c.cmd.Wait() // it may have been killed
}

// TestCallers is a process of callers; without its variable there is nothing for it to do.
func TestCallers(t *testing.T) {
	if os.Getenv(callerVariable) == "" {
		t.Skip("a part of TestRefreshes")
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	var s spec
	if !in.Scan() || json.Unmarshal(in.Bytes(), &s) != nil {
		t.Fatal("no spec on the standard input")
	}
	for in.Scan() {
		if err := json.NewEncoder(os.Stdout).Encode(s.work(t, in.Text())); err != nil {
			t.Fatal(err)
		}
	}
}

// work has three callers ask for each user at once, in a process that remembers nothing.
func (s spec) work(t *testing.T, work string) (failed []string) {
	t.Helper()
	store := s.store(t)
	do := map[string]func(context.Context, *tokens.Store, int64) error{"token": s.token, "call": s.call}[work]
	failed = []string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for id := int64(1); id <= int64(s.Users); id++ {
		for range 3 {
			all.Go(func() {
				if err := do(t.Context(), store, id); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed = append(failed, fmt.Sprintf("%s of user %d: %v", work, id, err))
				}
			})
		}
	}
	all.Wait()
	return failed
}

func (s spec) token(ctx context.Context, store *tokens.Store, id int64) error {
	_, err := store.Token(ctx, tokens.User(id))
	return err
}

// call asks who the user is, with the user's token.
func (s spec) call(ctx context.Context, store *tokens.Store, id int64) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Server+"/rest/v1.0/me", nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: store.Transport(tokens.User(id))}).Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err == nil && (resp.StatusCode != http.StatusOK || !strings.Contains(string(body), fmt.Sprintf(`"id":%d,`, id))) {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}
