package procore

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// R3: a user without a company can make only a few calls, and the generic calls take
// a *CompanyClient.
func TestUserClientHasNoCompanyCalls(t *testing.T) {
	t.Parallel()
	var got []string
	for m := range reflect.TypeFor[*UserClient]().Methods() {
		got = append(got, m.Name)
	}
	if d := cmp.Diff(got, []string{"Companies", "CompaniesNear", "Me"}); d != "" {
		t.Errorf("methods of UserClient (-got +want):\n%s", d)
	}
	if n := reflect.TypeFor[UserClient]().NumField(); n != 1 {
		t.Errorf("UserClient has %d fields; an exported or embedded one could open the way", n)
	}
}

func TestCompanyHeader(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{
		"GET /rest/v1.0/me":        answers(200, `{"id":1,"login":"joe@acme.com","name":"Joe"}`),
		"GET /rest/v1.0/companies": answers(200, `[{"id":2,"name":"A","is_active":true}]`),
		"DELETE /rest/v1.0/x":      answers(200, ``),
		"POST /rest/v1.0/x":        answers(201, `{}`),
		"PATCH /rest/v1.0/x":       answers(200, `{}`),
	})
	user, company := NewUserClient(f.env(), f.Client()), f.company()
	ctx := t.Context()
	calls := []struct {
		do   func() error
		want string
	}{
		{func() error { _, err := user.Me(ctx); return err }, ""},
		{func() error { _, err := Collect(user.Companies(ctx)); return err }, ""},
		{func() error { _, err := company.Me(ctx); return err }, "9007199254740993"},
		{func() error { _, err := Collect(company.Companies(ctx)); return err }, "9007199254740993"},
		{func() error { return Delete(ctx, company, "/rest/v1.0/x", nil) }, "9007199254740993"},
		{func() error { _, err := Post[any](ctx, company, "/rest/v1.0/x", nil, 1); return err }, "9007199254740993"},
		{func() error { _, err := Patch[any](ctx, company, "/rest/v1.0/x", nil, 1); return err }, "9007199254740993"},
	}
	for i, c := range calls {
		if err := c.do(); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		r := f.all()[i]
		if got := r.Header.Get("Procore-Company-Id"); got != c.want {
			t.Errorf("%s %s: got company %q, want %q", r.Method, r.URL, got, c.want)
		}
		if got := r.Header.Get("User-Agent"); got != "procore-connect" {
			t.Errorf("got User-Agent %q", got)
		}
	}
}

func TestClientWithoutCompanyOrEnvironment(t *testing.T) {
	t.Parallel()
	f := serve(t, nil)
	ctx := t.Context()
	tests := map[string]func() error{
		"company 0":       func() error { _, err := NewCompanyClient(f.env(), nil, 0).Me(ctx); return err },
		"company -1":      func() error { _, err := NewCompanyClient(f.env(), nil, -1).Me(ctx); return err },
		"no environment":  func() error { _, err := NewUserClient(Environment{}, nil).Me(ctx); return err },
		"zero client":     func() error { _, err := new(UserClient).Me(ctx); return err },
		"zero company":    func() error { _, err := new(CompanyClient).Me(ctx); return err },
		"outside of rest": func() error { _, err := Get[any](ctx, f.company(), "/oauth/token/info", nil); return err },
		"dots":            func() error { _, err := Get[any](ctx, f.company(), "/rest/v1.0/../../oauth", nil); return err },
		"relative":        func() error { _, err := Get[any](ctx, f.company(), "rest/v1.0/me", nil); return err },
		"not JSON":        func() error { _, err := Post[any](ctx, f.company(), "/rest/x", nil, func() {}); return err },
	}
	for name, do := range tests {
		if err := do(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if n := len(f.all()); n != 0 {
		t.Errorf("%d calls were sent", n)
	}
}

// Vapid ended in 2022; the error names the same resource in REST v1.0.
func TestVapidIsRefused(t *testing.T) {
	t.Parallel()
	f := serve(t, nil)
	_, err := Get[any](t.Context(), f.company(), "/vapid/projects/7", nil)
	if re, ok := errors.AsType[*RetiredError](err); !ok || re.Replacement != "/rest/v1.0/projects/7" || !strings.Contains(err.Error(), re.Replacement) {
		t.Errorf("got %v, want the replacement's name", err)
	}
	if n := len(f.all()); n != 0 {
		t.Errorf("%d calls were sent", n)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	type thing struct {
		ID int64     `json:"id"`
		At time.Time `json:"at"`
	}
	tests := []struct {
		name, path string
		status     int
		body       string
		want       int64
		wantErr    string
	}{
		{"object", "/rest/v1.0/x", 200, `{"id":9007199254740993}`, 9007199254740993, ""},
		{"v2", "/rest/v2.0/companies/1/x", 200, `{"data":{"id":7}}`, 7, ""},
		{"v2 without data", "/rest/v2.1/x", 200, `{"id":7}`, 0, "no data"},
		{"v2, another letter case", "/rest/v2.1/x", 200, `{"Data":{"ID":7}}`, 7, ""},
		{"empty", "/rest/v1.0/x", 200, ``, 0, "not JSON"},
		{"no content", "/rest/v1.0/x", 204, ``, 0, "not JSON"},
		{"HTML", "/rest/v1.0/x", 200, `<html>please log in, hunter2</html>`, 0, "not JSON"},
		{"byte order mark", "/rest/v1.0/x", 200, "\xef\xbb\xbf" + `{"id":7}`, 7, ""},
		{"another type", "/rest/v1.0/x", 200, `{"id":"seven","at":"2026-04-14T17:55:41Z"}`, 0, ""},
		{"a time", "/rest/v1.0/x", 200, `{"id":7,"at":"hunter2"}`, 7, ""},
		{"a list", "/rest/v1.0/x", 200, `["hunter2"]`, 0, "another type"},
		{"cut", "/rest/v1.0/x", 200, `{"id":7,"x":"hunter2`, 0, "not JSON at byte"},
		{"trailing", "/rest/v1.0/x", 200, `{"id":7}{"id":8}`, 0, "cannot be read"},
		{"too large", "/rest/v1.0/x", 200, `{"id":7,"x":"` + strings.Repeat("a", maxBody) + `"}`, 0, "larger than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := serve(t, map[string]http.HandlerFunc{"GET " + tt.path: answers(tt.status, tt.body)})
			got, err := Get[thing](t.Context(), f.company(), tt.path, nil)
			if (err != nil) != (tt.wantErr != "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Fatalf("got error %v, want %q", err, tt.wantErr)
			}
			if got.ID != tt.want {
				t.Errorf("got %d, want %d", got.ID, tt.want)
			}
			if err != nil && (len(err.Error()) > 300 || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("the error repeats the body: %.300s...", err)
			}
		})
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	bomb := strings.Repeat(" ", maxBody+1)
	for name, tt := range map[string]struct {
		body   string
		wantOK bool
	}{"small": {`{"id":7}`, true}, "bomb": {bomb, false}} {
		f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/me": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("%s: gzip was not asked for", name)
			}
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, tt.body)
			_ = z.Close()
		}})
		_, err := f.company().Me(t.Context())
		if (err == nil) != tt.wantOK {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The endless body of an answer or an error is read up to the bound and no further.
func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	for status, bound := range map[int]int64{200: maxBody, 422: maxErrorBody} {
		body := &blanks{}
		hc := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			resp := response(r, status, nil, "")
			resp.Body = io.NopCloser(io.LimitReader(body, 10*maxBody))
			return resp, nil
		})}
		if _, err := NewUserClient(Sandbox(), hc).Me(t.Context()); err == nil || body.read > bound+64<<10 {
			t.Errorf("%d: got %v after %d bytes, want an error after about %d", status, err, body.read, bound)
		}
	}
}

// blanks counts how many of them were read.
type blanks struct{ read int64 }

func (b *blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	b.read += int64(len(p))
	return len(p), nil
}

// The Transport adds the token to a request for any host, so no redirect may leave
// the API.
func TestRedirects(t *testing.T) {
	t.Parallel()
	foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed to a foreign host: %s %s", r.Method, r.URL)
	}))
	t.Cleanup(foreign.Close)
	to := func(url string, status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, status) }
	}
	f := serve(t, map[string]http.HandlerFunc{
		"GET /rest/v1.0/away":  to(foreign.URL+"/x?token=secret", 302),
		"GET /rest/v1.0/moved": to("/rest/v1.0/here", 301),
		"GET /rest/v1.0/here":  answers(200, `1`),
		"GET /rest/v1.0/loop":  to("/rest/v1.0/loop", 302),
		"POST /rest/v1.0/post": to("/rest/v1.0/here", 302),
	})
	ctx, c := t.Context(), f.company()
	get := func(path string) func() error {
		return func() error { _, err := Get[int](ctx, c, path, nil); return err }
	}
	tests := []struct {
		name string
		do   func() error
		want int // status of the error, 0 for none
	}{
		{"to another host", get("/rest/v1.0/away"), 302},
		{"on the same host", get("/rest/v1.0/moved"), 0},
		{"endless", get("/rest/v1.0/loop"), 302},
		{"POST", func() error { _, err := Post[int](ctx, c, "/rest/v1.0/post", nil, 1); return err }, 302},
	}
	for _, tt := range tests {
		err := tt.do()
		e, _ := errors.AsType[*Error](err)
		if (err == nil) != (tt.want == 0) || e != nil && e.Status != tt.want {
			t.Errorf("%s: got %v, want status %d", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the address: %v", tt.name, err)
		}
	}
}

// R3: before the choice no redirect leads to another call.
func TestUserRedirects(t *testing.T) {
	t.Parallel()
	for to, followed := range map[string]bool{
		"/rest/v1.0/me?x=1":     true,
		"/rest/v1.0/projects":   false,
		"/rest/v1.0/companies":  false,
		"/rest/v1.0%2Fme":       false,
		"/rest/v1.0/me/":        false,
		"/rest/v1.0/companies?": false,
	} {
		f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/me": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "" {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
				return
			}
			answers(200, `{"id":1}`)(w, r)
		}})
		_, err := NewUserClient(f.env(), f.Client()).Me(t.Context())
		if calls := len(f.all()); (err == nil) != followed || (calls == 2) != followed {
			t.Errorf("%s: got %v after %d calls, want it followed %t", to, err, calls, followed)
		}
	}
}

func TestErrorsHideTheQuery(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/x": answers(404, `{}`)})
	query := url.Values{"search": {"hunter2"}}
	_, answered := Get[int](t.Context(), f.company(), "/rest/v1.0/x", query)
	f.Close()
	_, unreachable := Get[int](t.Context(), f.company(), "/rest/v1.0/x", query)
	for _, err := range []error{answered, unreachable} {
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "GET /rest/v1.0/x") {
			t.Errorf("got %v", err)
		}
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	f := serve(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.company().Me(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestNewClientLeavesTheHTTPClientAlone(t *testing.T) {
	t.Parallel()
	hc := &http.Client{}
	NewCompanyClient(Sandbox(), hc, 1)
	if hc.Timeout != 0 || hc.CheckRedirect != nil {
		t.Errorf("the caller's client was changed: %+v", hc)
	}
}

// Answers that are compressed although the client did not ask for it are read, up to the bound.
func TestUnaskedCoding(t *testing.T) {
	t.Parallel()
	zipped := func(text string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte(text))
		z.Close()
		return b.Bytes()
	}
	tests := map[string]struct {
		status int
		body   []byte
		want   string // of the error
	}{
		"gzip":      {200, zipped(`{"id":7}`), ""},
		"too large": {200, zipped(`{"id":7,"x":"` + strings.Repeat("a", maxBody) + `"}`), "larger than"},
		"an error":  {422, zipped(`{"message":"no such field"}`), "no such field"},
		"not gzip":  {200, []byte(`{"id":7}`), ""},
	}
	for name, tt := range tests {
		f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/me": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(tt.status)
			w.Write(tt.body)
		}})
		hc := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
		me, err := NewCompanyClient(f.env(), hc, 1).Me(t.Context())
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || err == nil && me.ID != 7 {
			t.Errorf("%s: got %+v, %v, want %q", name, me, err, tt.want)
		}
	}
}
