package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// at is a terminal at which a user opens the address that is shown, allows the app as a user of the fake, and types the
// code of the page, and then more lines.
type at struct {
	w     *world
	user  int64
	more  string
	shown bytes.Buffer
	typed io.Reader
	code  string
}

func (a *at) Write(b []byte) (int, error) { return a.shown.Write(b) }

func (a *at) Read(b []byte) (int, error) {
	if a.typed == nil {
		a.typed = strings.NewReader(a.allow() + "\n" + a.more)
	}
	return a.typed.Read(b)
}

// allow returns the code that Procore shows.
func (a *at) allow() string {
	a.w.t.Helper()
	address, err := url.Parse(regexp.MustCompile(`http\S+/oauth/authorize\S+`).FindString(a.shown.String()))
	if err != nil {
		a.w.t.Fatal(err)
	}
	form := address.Query()
	form.Set("user", decimal(a.user))
	form.Set("decision", "authorize")
	target := address.Scheme + "://" + address.Host + address.Path
	r, err := http.NewRequestWithContext(a.w.t.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		a.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body)
	if a.code = regexp.MustCompile(`fake-code-[^<"\s]+`).FindString(string(page)); a.code == "" {
		a.w.t.Fatalf("the page has no code: %s", page)
	}
	return a.code
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// signIn types login as a user, and then more.
func (w *world) signIn(file string, user int64, more string, args ...string) *at {
	w.t.Helper()
	a := &at{w: w, user: user, more: more}
	var out bytes.Buffer
	args = append([]string{"login", "--yes"}, args...)
	env := func(name string) string { return map[string]string{"LOCAL_AWS_ADDR": w.addr}[name] }
	w.types(args)
	code := run(w.t.Context(), append([]string{"--local"}, args...), env, streams{in: a, out: &out, err: a}, w.Clock.Seam())
	w.types(nil)
	if a.code != "" && strings.Contains(a.shown.String()+out.String(), a.code) {
		w.t.Error("the code is shown")
	}
	w.shown.Write(out.Bytes())
	aside := regexp.MustCompile(`(http\S+/oauth/authorize\?)\S+`).ReplaceAllString(a.shown.String(), "https://login.example.com/oauth/authorize?…")
	golden(w.t, file, args, out.String(), aside, code)
	return a
}

// A user signs in at a terminal, and connects a company that then serves calls; also once its token was refreshed, which
// repeats the redirect URI.
func TestLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.signIn("login", procoretest.Joe, "5678\n")
	address, _ := url.Parse(regexp.MustCompile(`http\S+/oauth/authorize\S+`).FindString(a.shown.String()))
	if q := address.Query(); q.Get("redirect_uri") != procore.OutOfBand || q.Get("code_challenge_method") != "S256" {
		t.Errorf("got the address %s", address)
	}
	if c := w.Connection(connections.Key{CompanyID: 5678, Principal: tokens.User(procoretest.Joe)}); c.State != connections.Connected || c.UserName != "Joe Builder" {
		t.Errorf("got %+v", c)
	}
	w.Clock.Advance(2 * time.Hour)
	wants(t, w, "login-call", "call", "GET", "/rest/v1.0/me", "--company", "5678")
	g, err := w.Tokens().Grant(t.Context(), tokens.User(procoretest.Joe))
	if err != nil || g.Generation != 2 || g.RedirectURI != procore.OutOfBand {
		t.Errorf("got generation %d with the redirect URI %q, %v", g.Generation, g.RedirectURI, err)
	}
	w.signIn("login-json", procoretest.Joe, "", "--company", "5678", "--json")
}

// What goes wrong connects nothing.
func TestLoginInVain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signIn("login-not-listed", procoretest.Joe, "", "--company", "99")
	w.signIn("login-none-chosen", procoretest.Joe, "")
	w.signIn("login-not-an-id", procoretest.Joe, "Harbor\n")
	no := false
	w.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{UserInstalls: &no, Installed: &no})
	w.signIn("login-refused", procoretest.Joe, "", "--company", "5678")
	w.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 503, Times: 3})
	w.signIn("login-no-answer", procoretest.Joe, "", "--company", "5678")
	wants(t, w, "login-unasked", "login")
	wants(t, w, "login-wrong-company", "login", "--company", "-1")
	for _, args := range [][]string{{"login", "--yes"}, {"login", "--yes", "--open"}} { // the input ends before a code
		if _, aside, code := w.run(args...); code != exitFailed || !strings.Contains(aside, "nothing was changed") {
			t.Errorf("%v: got exit code %d, %s", args, code, aside)
		}
	}
	w.variable("ALLOWED_COMPANIES", "7")
	w.signIn("login-not-admitted", procoretest.Ann, "")
	w.signIn("login-not-admitted-id", procoretest.Ann, "", "--company", decimal(procoretest.NorthernPlanner))
	w.variable("PROCORE_PRINCIPAL", "service-account")
	wants(t, w, "login-no-users", "login", "--yes")
	for c, err := range w.Store().All(t.Context()) {
		t.Errorf("%v is connected, %v", c.Key, err)
	}
}

// ^C ends the waiting for a code.
func TestLoginInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &session{streams: streams{in: never{}, err: io.Discard}}
	hidden := func() ([]byte, error) { select {} }
	if _, err := s.typedIn(ctx, nil, "Code: ", hidden); err == nil {
		t.Error("it waits on")
	}
}
