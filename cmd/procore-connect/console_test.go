package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"procore-connect/internal/operator/console"
)

// visitor is a browser at the console of a world.
type visitor struct {
	t       *testing.T
	w       *world
	address string // of the console, without a path
	enter   string // the address that the command writes
	client  *http.Client
	stop    func() int // presses ^C, and returns the exit code
}

// consoleOf types the command, and opens the address that it writes.
func consoleOf(t *testing.T, w *world, args ...string) *visitor {
	t.Helper()
	read, write := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	env := func(name string) string { return map[string]string{"LOCAL_AWS_ADDR": w.addr}[name] }
	go func() {
		code := run(ctx, append([]string{"--local", "console", "--no-open"}, args...), env, streams{in: strings.NewReader(""), out: write, err: io.Discard}, w.clock())
		_ = write.Close()
		ended <- code
	}()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatalf("the console wrote no address: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	v := &visitor{t: t, w: w, enter: strings.TrimSpace(line), client: new(http.Client), stop: func() int {
		cancel()
		return <-ended
	}}
	t.Cleanup(func() { cancel() })
	u, err := url.Parse(v.enter)
	if err != nil {
		t.Fatal(err)
	}
	v.address = u.Scheme + "://" + u.Host
	v.client.Jar, _ = cookiejar.New(nil) // it returns no error
	v.wants(http.StatusOK, v.get(u.RequestURI()))
	return v
}

// answer is what the console answered.
type answer struct {
	status int
	path   string
	header http.Header
	body   string
}

func (v *visitor) do(r *http.Request) answer {
	v.t.Helper()
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	_, _ = v.w.shownTo(body)
	return answer{resp.StatusCode, resp.Request.URL.RequestURI(), resp.Header, string(body)}
}

// shownTo notes what was shown, so that it is searched for secrets.
func (w *world) shownTo(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shown.Write(b)
}

func (v *visitor) request(method, path string, body io.Reader) *http.Request {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.address+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	return r
}

// get reads a page.
func (v *visitor) get(path string) answer {
	v.t.Helper()
	v.w.types([]string{"console"})
	defer v.w.types(nil)
	return v.do(v.request(http.MethodGet, path, nil))
}

var formToken = regexp.MustCompile(`name="form" value="([A-Z0-9]+)"`)

// post sends a form as the console's own page does. verb is what the console then types.
func (v *visitor) post(verb, path string, fields url.Values) answer {
	v.t.Helper()
	token := formToken.FindStringSubmatch(v.get("/changes/breaker-probe").body)
	if token == nil {
		v.t.Fatal("no form has a token")
	}
	v.w.types(strings.Fields(verb))
	defer v.w.types(nil)
	sent := url.Values{"form": {token[1]}}
	for name, values := range fields {
		sent[name] = values
	}
	r := v.request(http.MethodPost, path, strings.NewReader(sent.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return v.do(r)
}

func (v *visitor) wants(status int, a answer, shows ...string) {
	v.t.Helper()
	if a.status != status {
		v.t.Errorf("%s: got status %d, want %d: %.600s", a.path, a.status, status, a.body)
	}
	for _, text := range shows {
		if !strings.Contains(a.body, text) {
			v.t.Errorf("%s does not show %q: %s", a.path, text, a.body)
		}
	}
}

// The console shows what list and show do, finds companies, and divides them by state.
func TestConsoleCompanies(t *testing.T) {
	t.Parallel()
	v := consoleOf(t, morning(t))
	all := v.get("/")
	v.wants(http.StatusOK, all, "My Construction Co.", "Harbor &amp; Hill", "Paused Ltd.", "Joe Builder", "reauthorize", "needs a person", `aria-label="1 event in 7 days"`)
	v.wants(http.StatusOK, v.get("/?q=QUAY"), "Quay", "1–1 of 1 company")
	if b := v.get("/?q=QUAY").body; strings.Contains(b, "Harbor") {
		t.Errorf("a search finds what it does not name: %s", b)
	}
	v.wants(http.StatusOK, v.get("/?state=disconnected"), "Quay")
	v.wants(http.StatusOK, v.get("/?q=7002"), "No company matches", "/companies/7002")
	v.wants(http.StatusNotFound, v.get("/?state=broken"))
	v.wants(http.StatusOK, v.get("/companies/5678"), "has not worked since", "Refresh user#", "keys-raise-epoch", "Transitions")
	v.wants(http.StatusNotFound, v.get("/companies/99"), "is not connected, and never was")
	v.wants(http.StatusNotFound, v.get("/companies/abc"))
	if v.stop() != exitOK {
		t.Error("^C is a failure")
	}
}

// TestServeConsole serves the console of a world until it is interrupted:
// CONSOLE=morning go test -run TestServeConsole -v -timeout 0 ./cmd/procore-connect
// CONSOLE=many is 10,000 companies.
func TestServeConsole(t *testing.T) {
	worlds := map[string]func(*testing.T) *world{"morning": morning, "many": worldOfMany}
	build, ok := worlds[os.Getenv("CONSOLE")]
	if !ok {
		t.Skip("CONSOLE names no world")
	}
	v := consoleOf(t, build(t), "--port=8700")
	if err := os.WriteFile(os.Getenv("CONSOLE_ADDRESS"), []byte(v.enter), 0o600); err != nil {
		t.Log(err)
	}
	t.Logf("%s", v.enter)
	<-t.Context().Done()
}

// Each verb that changes something is one of the console, or omitted with a reason, and the console has each flag of it.
func TestConsoleVerbs(t *testing.T) {
	t.Parallel()
	known := console.Flags()
	root := new(session).root(func(string) string { return "" })
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		name := strings.TrimPrefix(c.CommandPath(), root.Name()+" ")
		if c.Flags().Lookup("yes") != nil {
			flags, ok := known[name]
			delete(known, name)
			if !ok {
				t.Errorf("%s changes something, and the console neither has it nor omits it", name)
			}
			c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
				if !slices.Contains([]string{"yes", "help"}, f.Name) && flags != nil && !slices.Contains(flags, f.Name) {
					t.Errorf("%s --%s is not in the console", name, f.Name)
				}
			})
			for _, f := range flags {
				if c.Flags().Lookup(f) == nil {
					t.Errorf("the console has %s --%s, which the command lacks", name, f)
				}
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	for name := range known {
		t.Errorf("the console has %s, which the command lacks", name)
	}
}
