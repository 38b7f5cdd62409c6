package session

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/procore"
)

func TestCookieSet(t *testing.T) {
	t.Parallel()
	flow := FlowOf(procore.NewSecret("a state"))
	for _, tt := range []struct {
		secure bool
		want   string
	}{
		{true, "__Host-flow-" + flow + "=a-value; Path=/; Max-Age=5400; HttpOnly; Secure; SameSite=Lax"},
		{false, "flow-" + flow + "=a-value; Path=/; Max-Age=5400; HttpOnly; SameSite=Lax"},
	} {
		w := httptest.NewRecorder()
		Cookies{Secure: tt.secure}.Set(w, flow, procore.NewSecret("a-value"))
		if diff := cmp.Diff([]string{tt.want}, w.Header().Values("Set-Cookie")); diff != "" {
			t.Errorf("Secure %v (-want +got):\n%s", tt.secure, diff)
		}
	}
}

// The cookie of a connection lasts as long as its row.
func TestCookieKept(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Cookies{Secure: true}.Keep(w, "flow-1", procore.NewSecret("a-value"), ReturnLifetime)
	want := "__Host-flow-flow-1=a-value; Path=/; Max-Age=1296000; HttpOnly; Secure; SameSite=Lax"
	if diff := cmp.Diff([]string{want}, w.Header().Values("Set-Cookie")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A browser's flows are at most eight, the newest ones, whatever it sends.
func TestCookieFlows(t *testing.T) {
	t.Parallel()
	c := Cookies{Secure: true}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	var all []string
	for i := range maxCookies + 5 {
		flow := FlowOf(procore.NewSecret(strings.Repeat("x", i)))
		all = append(all, flow)
		r.AddCookie(&http.Cookie{Name: "flow-" + flow, Value: "of plain http"})
		for range 2 {
			r.AddCookie(&http.Cookie{Name: c.name(flow), Value: "x"})
		}
	}
	if diff := cmp.Diff(all[5:], c.Flows(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := (Cookies{Secure: true}).Flows(httptest.NewRequest(http.MethodGet, "/", nil)); len(got) > 0 {
		t.Errorf("without a cookie: %v", got)
	}
}

func TestCookieValue(t *testing.T) {
	t.Parallel()
	flow := FlowOf(procore.NewSecret("a state"))
	secure, plain := Cookies{Secure: true}, Cookies{}
	other := FlowOf(procore.NewSecret("another state"))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range []struct{ name, value string }{
		{secure.name(flow), "mine"}, {secure.name(other), "other"}, {plain.name(flow), "from anywhere"},
	} {
		r.AddCookie(&http.Cookie{Name: c.name, Value: c.value})
	}
	for _, tt := range []struct {
		cookies    Cookies
		flow, want string
	}{
		{secure, flow, "mine"},
		{secure, other, "other"},
		{secure, FlowOf(procore.NewSecret("a third state")), ""},
		{secure, "", ""},
		{secure, "x", ""},
		{secure, "a;b=c\r\n", ""},
		{secure, strings.Repeat("x", 1<<20), ""},
		{plain, flow, "from anywhere"}, // its name has no __Host- prefix
		{plain, other, ""},
	} {
		if got := tt.cookies.Value(r, tt.flow); got.Reveal() != tt.want {
			t.Errorf("Value of %.20q, Secure %v = %q, want %q", tt.flow, tt.cookies.Secure, got, tt.want)
		}
	}
}

// A sibling host, or a proxy that joins headers, may add a second cookie with the
// same name. Then neither counts, whichever comes first.
func TestDuplicateCookie(t *testing.T) {
	t.Parallel()
	flow := FlowOf(procore.NewSecret("a state"))
	for _, secure := range []bool{true, false} {
		c := Cookies{Secure: secure}
		for _, values := range [][2]string{{"mine", "planted"}, {"planted", "mine"}, {"mine", "mine"}} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			for _, v := range values {
				r.AddCookie(&http.Cookie{Name: c.name(flow), Value: v})
			}
			if got := c.Value(r, flow); !got.IsZero() {
				t.Errorf("Secure %v: Value of %v = %q, want none", secure, values, got)
			}
		}
	}
}

// Some servers mistake these names for a __Host- cookie, and a sibling host or
// plain http may set them.
func TestSimilarCookieNames(t *testing.T) {
	t.Parallel()
	flow, c := FlowOf(procore.NewSecret("a state")), Cookies{Secure: true}
	name := c.name(flow)
	for _, header := range []string{
		"flow-" + flow + "=planted",
		"__host-" + strings.TrimPrefix(name, "__Host-") + "=planted",
		"__Secure-" + strings.TrimPrefix(name, "__Host-") + "=planted",
		"\u2000" + name + "=planted",
		"\x85" + name + "=planted",
		"\u00a0" + name + "=planted",
		"$Version=1, " + name + "=planted",
		"x=\"; " + name + "\"=planted",
		"x=1," + name + "=planted",
		name + "[]=planted",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", header)
		if got := c.Value(r, flow); !got.IsZero() {
			t.Errorf("Cookie: %q has the value %q, want none", header, got)
		}
	}
}

func TestCookieTrim(t *testing.T) {
	t.Parallel()
	c := Cookies{Secure: true}
	for n := range maxCookies + 3 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: "session", Value: "of another application"})
		r.AddCookie(&http.Cookie{Name: "flow-of-plain-http", Value: "x"})
		want := map[string]bool{} // the oldest ones, so that room for one more remains
		for i := range n {
			name := c.name(FlowOf(procore.NewSecret(strings.Repeat("x", i))))
			r.AddCookie(&http.Cookie{Name: name, Value: "x"})
			r.AddCookie(&http.Cookie{Name: name, Value: "planted beside it"})
			if i <= n-maxCookies {
				want[name] = true
			}
		}
		w := httptest.NewRecorder()
		c.Trim(w, r)
		got := map[string]bool{}
		for _, line := range w.Header().Values("Set-Cookie") {
			cookie, err := http.ParseSetCookie(line)
			if err != nil {
				t.Fatal(err)
			}
			got[cookie.Name] = true
			if cookie.MaxAge >= 0 || cookie.Value != "" || cookie.Path != "/" || !cookie.Secure || !cookie.HttpOnly {
				t.Errorf("%s does not delete the cookie", line)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d cookies: deleted (-want +got):\n%s", n, diff)
		}
	}
}

// A browser's flow cookies stay far below the gateway's limit.
func TestCookiesFit(t *testing.T) {
	t.Parallel()
	flow := FlowOf(procore.NewSecret("a state"))
	w := httptest.NewRecorder()
	Cookies{Secure: true}.Set(w, flow, new(Store).newSecret())
	cookie, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := maxCookies*len(cookie.Name+"="+cookie.Value+"; "), 2<<10; got > want {
		t.Errorf("%d bytes of cookies, want at most %d", got, want)
	}
}
