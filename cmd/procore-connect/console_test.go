package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// visitor is a browser at the console of a world.
type visitor struct {
	t       *testing.T
	w       *world
	address string // of the console, without a path
	enter   string // the address that the command writes
	client  *http.Client
	stop    func() int // presses ^C, and returns the exit code
	early   bool       // get returns the page that is there before the list is read
	again   int        // how often it was not
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

// get reads a page, again while the list of companies is being read.
func (v *visitor) get(path string) answer {
	v.t.Helper()
	v.w.types([]string{"console"})
	defer v.w.types(nil)
	for {
		a := v.do(v.request(http.MethodGet, path, nil))
		if v.early || !strings.Contains(a.body, "The list of companies is being read") {
			return a
		}
		v.again++
	}
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
	maps.Copy(sent, fields)
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
	v.wants(http.StatusOK, v.get("/?state=reauthorize"), "My Construction Co.")
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
// CONSOLE=many is 10,000 companies, events has events of each kind, week a company with a past, and story the week of STORY.
func TestServeConsole(t *testing.T) {
	worlds := map[string]func(*testing.T) *world{"morning": morning, "week": week, "many": worldOfMany, "events": eventful, "measured": measured, "story": storied}
	build, ok := worlds[os.Getenv("CONSOLE")]
	if !ok {
		t.Skip("CONSOLE names no world")
	}
	v := consoleOf(t, build(t), "--port="+cmp.Or(os.Getenv("CONSOLE_PORT"), "8700"))
	if err := os.WriteFile(os.Getenv("CONSOLE_ADDRESS"), []byte(v.enter), 0o600); err != nil {
		t.Log(err)
	}
	t.Logf("%s", v.enter)
	<-t.Context().Done()
}

// Each verb that changes something has a form in the console with each of its flags, or stands among those that are typed
// in a terminal alone. No form has what the verb does not take.
func TestConsoleVerbs(t *testing.T) {
	t.Parallel()
	v := consoleOf(t, morning(t))
	offered := v.get("/changes").body
	input := regexp.MustCompile(`<(?:input|select)[^>]* name="([a-z-]+)"`)
	automatic := []string{"yes", "help", "dry-run", "log-group"}
	root := new(session).root(func(string) string { return "" })
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			visit(sub)
		}
		name := strings.TrimPrefix(c.CommandPath(), root.Name()+" ")
		if c.Flags().Lookup("yes") == nil || strings.Contains(offered, "<code>"+name+"</code>") {
			return
		}
		form := v.get("/changes/" + strings.ReplaceAll(name, " ", "-"))
		if form.status != http.StatusOK {
			t.Errorf("%s changes something, and the console neither has it nor omits it", name)
			return
		}
		var inputs []string
		for _, m := range input.FindAllStringSubmatch(form.body, -1) {
			inputs = append(inputs, m[1])
		}
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if !slices.Contains(automatic, f.Name) && !slices.Contains(inputs, f.Name) {
				t.Errorf("%s --%s is not in the console", name, f.Name)
			}
		})
		inputs = slices.DeleteFunc(inputs, func(one string) bool { return one == "form" || c.Flags().Lookup(one) != nil })
		if got, want := len(inputs), arguments(c.Use); got != want {
			t.Errorf("%s takes %d arguments, and the console has %d: %q", c.Use, want, got, inputs)
		}
	}
	visit(root)
}

// arguments counts the arguments that a verb takes, without the values of its flags.
func arguments(use string) (n int) {
	words := strings.Fields(use)
	for i, w := range words[1:] {
		if w != "|" && !strings.Contains(w, "--") && !strings.Contains(words[i], "--") {
			n++
		}
	}
	return n
}

// Only the browser that opened the address, by a host name of loopback, reads a page or makes a change.
func TestConsoleAdmitsOneBrowser(t *testing.T) {
	t.Parallel()
	w := morning(t)
	v := consoleOf(t, w)
	inside := v.client
	stranger := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form := "form=" + formToken.FindStringSubmatch(v.get("/changes/breaker-probe").body)[1]
	for name, one := range map[string]struct {
		client       *http.Client
		method, path string
		body         string
		change       func(*http.Request)
		want         int
	}{
		"no cookie":              {stranger, http.MethodGet, "/", "", nil, http.StatusForbidden},
		"no cookie for a script": {stranger, http.MethodGet, "/console.js", "", nil, http.StatusForbidden},
		"a guessed token":        {stranger, http.MethodGet, "/enter?token=AAAAAAAAAAAAAAAAAAAAAAAAAA", "", nil, http.StatusForbidden},
		"no token":               {stranger, http.MethodGet, "/enter", "", nil, http.StatusForbidden},
		"a guessed cookie": {stranger, http.MethodGet, "/", "", func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: "console-" + r.URL.Port(), Value: "guessed"})
		}, http.StatusForbidden},
		"another host": {inside, http.MethodGet, "/", "", func(r *http.Request) { r.Host = "rebound.example:" + r.URL.Port() }, http.StatusMisdirectedRequest},
		"another port": {inside, http.MethodGet, "/", "", func(r *http.Request) { r.Host = "127.0.0.1:1" }, http.StatusMisdirectedRequest},
		"no port":      {inside, http.MethodGet, "/", "", func(r *http.Request) { r.Host = "localhost" }, http.StatusMisdirectedRequest},
		"localhost": {inside, http.MethodGet, "/changes", "", func(r *http.Request) {
			for _, c := range inside.Jar.Cookies(r.URL) {
				r.AddCookie(c)
			}
			r.Host = "localhost:" + r.URL.Port()
		}, http.StatusOK},
		"another site's form": {inside, http.MethodPost, "/changes/breaker-probe", form, func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}, http.StatusForbidden},
		"another port's form": {inside, http.MethodPost, "/changes/breaker-probe", form, func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "same-site")
		}, http.StatusForbidden},
		"another origin's form": {inside, http.MethodPost, "/changes/breaker-probe", form, func(r *http.Request) {
			r.Header.Set("Origin", "http://127.0.0.1:1")
		}, http.StatusForbidden},
		"a form without its token":   {inside, http.MethodPost, "/changes/breaker-probe", "", nil, http.StatusForbidden},
		"a form with a guessed one":  {inside, http.MethodPost, "/changes/breaker-probe", "form=guessed", nil, http.StatusForbidden},
		"a token in the query":       {inside, http.MethodPost, "/changes/breaker-probe?" + form, "", nil, http.StatusForbidden},
		"a form without a cookie":    {stranger, http.MethodPost, "/changes/breaker-probe", form, nil, http.StatusForbidden},
		"a form that is too large":   {inside, http.MethodPost, "/changes/breaker-probe", form + "&x=" + strings.Repeat("x", 100_000), nil, http.StatusForbidden},
		"a change by GET":            {inside, http.MethodGet, "/changes/breaker-probe?" + form, "", nil, http.StatusOK},
		"a verb that is not offered": {inside, http.MethodPost, "/changes/login", form, nil, http.StatusNotFound},
		"a verb that reads":          {inside, http.MethodPost, "/changes/call", form, nil, http.StatusNotFound},
		"the files of templates":     {inside, http.MethodGet, "/templates/layout.html", "", nil, http.StatusNotFound},
	} {
		r := v.request(one.method, one.path, strings.NewReader(one.body))
		if one.method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if one.change != nil {
			one.change(r)
		}
		v.client = one.client
		a := v.do(r)
		if a.status != one.want {
			t.Errorf("%s: got status %d, want %d: %.300s", name, a.status, one.want, a.body)
		}
		if one.client == stranger && (strings.Contains(a.body, "Joe") || strings.Contains(a.body, "Companies</a>") || a.header.Get("Set-Cookie") != "") {
			t.Errorf("%s: a stranger is shown %s", name, a.body)
		}
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s: got %q, want %q", name, header, got, want)
			}
		}
		if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: Content-Security-Policy: got %q", name, csp)
		}
	}
	v.client = inside
	if b := v.get("/changes").body; strings.Contains(b, "/runs/") {
		t.Errorf("one of them began a change: %s", b)
	}
}

// The cookie is for this console alone, and no script reads it. The address stays good; that of the launch admits once.
func TestConsoleEntrance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := consoleOf(t, w), consoleOf(t, w)
	if first.address == second.address || first.enter == second.enter {
		t.Error("two consoles have one address")
	}
	u, _ := url.Parse(first.enter)
	resp := first.do(first.request(http.MethodGet, u.RequestURI(), nil))
	if c := resp.header.Get("Set-Cookie"); !strings.HasPrefix(c, "console-"+u.Port()+"=") || !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Strict") || strings.Contains(c, u.Query().Get("token")) {
		t.Errorf("got the cookie %q", c)
	}
	jar := second.client.Jar
	second.client.Jar = nil
	r := second.request(http.MethodGet, "/", nil)
	for _, c := range first.client.Jar.Cookies(u) {
		r.AddCookie(c)
	}
	if a := second.do(r); a.status != http.StatusForbidden {
		t.Errorf("the cookie of another console: got status %d", a.status)
	}
	second.client.Jar = jar
}

// The address with which a browser is started admits one browser: it may be read among the arguments of processes.
func TestConsoleLaunch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	opened := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var aside lockedText
	ended := make(chan int)
	env := func(name string) string { return map[string]string{"LOCAL_AWS_ADDR": w.addr}[name] }
	go func() {
		ended <- run(ctx, []string{"--local", "console"}, env, streams{in: strings.NewReader(""), out: io.Discard, err: &aside,
			open: func(_ context.Context, url string) error { opened <- url; return nil }}, w.clock())
	}()
	address := <-opened
	for i, want := range []int{http.StatusOK, http.StatusForbidden} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want || (len(resp.Cookies()) > 0) != (i == 0) {
			t.Errorf("opened %d times: got status %d, %d cookies", i+1, resp.StatusCode, len(resp.Cookies()))
		}
	}
	if text := aside.String(); !strings.Contains(text, "was opened again") || strings.Contains(text, "token") {
		t.Errorf("the terminal shows %q", text)
	}
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("got exit code %d", code)
	}
}

// lockedText is what several goroutines write.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A change shows the plan of the command and its command line. A no changes nothing; a yes does what the command does, once,
// with its audit.
func TestConsoleChange(t *testing.T) {
	t.Parallel()
	w := morning(t)
	v := consoleOf(t, w)
	company := url.Values{"company": {"5679"}}
	asks := v.post("revoke", "/changes/revoke", company)
	v.wants(http.StatusOK, asks, "loses 2 connections", "procore-connect --local revoke 5679", "Confirm", ">asks<")
	refused := v.post("revoke", asks.path, url.Values{"question": {"1"}, "answer": {"no"}})
	v.wants(http.StatusOK, refused, "nothing was changed", "exit code 1")
	v.wants(http.StatusConflict, v.post("revoke", asks.path, url.Values{"question": {"1"}, "answer": {"yes"}}), "came too late")
	v.wants(http.StatusOK, v.get("/companies/5679"), "works: Max Manager")

	asks = v.post("revoke", "/changes/revoke", company)
	v.wants(http.StatusConflict, v.post("revoke", asks.path, url.Values{"question": {"2"}, "answer": {"yes"}})) // the question of another form
	v.post("revoke", asks.path, url.Values{"question": {"1"}, "answer": {"yes"}})
	v.ended(asks.path, "has ended.", ">done<", "&#34;verb&#34;:&#34;revoke&#34;", "exit code 0")
	v.wants(http.StatusOK, v.get("/companies/5679"), "is no longer connected", "by an operator (arn:aws:iam")
	v.shows("/", "1–4 of 4 companies")
	v.wants(http.StatusOK, v.get("/changes"), "procore-connect --local revoke 5679", "nothing was changed", "done")
}

// shows waits until a page shows a text: the list of companies is read beside the requests for it.
func (v *visitor) shows(path, text string) {
	v.t.Helper()
	late := time.After(time.Minute)
	for {
		a := v.get(path)
		if strings.Contains(a.body, text) {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-late:
			v.wants(http.StatusOK, a, text)
			return
		}
	}
}

// ended waits until a run has ended.
func (v *visitor) ended(path string, shows ...string) {
	v.t.Helper()
	late := time.After(time.Minute)
	for {
		a := v.do(v.request(http.MethodGet, path, nil)) // what the run calls in the meantime is not the console's
		if !strings.Contains(a.body, "data-live") && !strings.Contains(a.body, ">asks<") {
			v.wants(http.StatusOK, a, shows...)
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-late:
			v.t.Fatalf("the run has not ended: %s", a.body)
		}
	}
}

// A replay shows a dry run, and what is left undone says so.
func TestConsoleDryRun(t *testing.T) {
	t.Parallel()
	v := consoleOf(t, morning(t))
	asks := v.post("replay", "/changes/replay", url.Values{"company": {"5678"}, "from": {"2h"}, "resource": {"RFIs#1"}})
	v.wants(http.StatusOK, asks, "Dry run", "WOULD BE", "1 event of 1 resource", "procore-connect --local replay --company=5678 --from=2h --resource=RFIs#1")
	v.post("replay", asks.path, url.Values{"question": {"1"}, "answer": {"yes"}})
	v.ended(asks.path, "1 handed on", ">done<")
	v.wants(http.StatusOK, v.post("replay", "/changes/replay", url.Values{"company": {"7001"}, "from": {"2h"}}), "Nothing is to be done", "nothing to do")
}

// What is typed into a form is one value of one field, whatever it is.
func TestConsoleFields(t *testing.T) {
	t.Parallel()
	v := consoleOf(t, morning(t))
	for path, fields := range map[string]url.Values{
		"/changes/revoke":            {"company": {"--yes"}},
		"/changes/erase":             {"company": {"5678 5679"}},
		"/changes/refresh":           {"principal": {"-h"}},
		"/changes/dead-purge":        {"id": {"--help"}},
		"/changes/keys-rotate":       {"ring": {"--json"}},
		"/changes/keys-retire":       {"ring": {"seal"}, "key": {"$(id)"}},
		"/changes/replay":            {"company": {"5678"}, "from": {"2h\n--yes"}},
		"/changes/quarantine-replay": {"id": {"-"}},
		"/changes/restore":           {"at": {"2026-01-31T12:00:00Z"}, "except": {"1 --keep"}},
		"/changes/reconcile":         {},
	} {
		a := v.post("", path, fields)
		v.wants(http.StatusUnprocessableEntity, a, `role="alert"`)
	}
	a := v.post("", "/changes/revoke", url.Values{"company": {"5678"}, "yes": {"1"}, "json": {"1"}, "stack": {"other"}})
	v.wants(http.StatusOK, a, "revoke 5678</code>", ">asks<")
}

// ^C ends the console, and a change that waits for an answer changes nothing.
func TestConsoleInterrupted(t *testing.T) {
	t.Parallel()
	w := morning(t)
	v := consoleOf(t, w)
	v.wants(http.StatusOK, v.post("revoke", "/changes/revoke", url.Values{"company": {"5679"}}), ">asks<")
	if code := v.stop(); code != exitOK {
		t.Errorf("got exit code %d", code)
	}
	if out, _, _ := w.run("why", "5679"); !strings.Contains(out, "works: Max Manager") {
		t.Errorf("got %s", out)
	}
}

// Names of Procore's are text, whatever is in them.
func TestConsoleHostileNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Authorize(procoretest.Joe)
	names := []string{"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "\u202egnp.exe\u2066", strings.Repeat("W", 10_000), "\x00\x1b[31m\n", "' OR 1=1", "{{.}}"}
	for i, name := range names {
		w.connect(int64(9000+i), procoretest.Joe, name, name, connections.WebhooksPending)
	}
	v := consoleOf(t, w)
	bodies := v.get("/").body
	for i := range names {
		bodies += v.get(fmt.Sprintf("/companies/%d", 9000+i)).body
	}
	for _, text := range []string{"<script>alert", "<img", "\u202e", "\u2066", strings.Repeat("W", 2100), "\x1b", "\x00"} {
		if strings.Contains(bodies, text) {
			t.Errorf("a page has %.30q", text)
		}
	}
	if !strings.Contains(bodies, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Errorf("a page lacks a name: %s", bodies)
	}
}
