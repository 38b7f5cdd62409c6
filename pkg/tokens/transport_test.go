package tokens

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// company returns a client of Joe's company by a transport of his grant.
func (w *world) company(s *Store, rt http.RoundTripper, opts ...procore.Option) *procore.CompanyClient {
	return procore.NewCompanyClient(w.oauth.Environment, &http.Client{Transport: rt}, procoretest.MyConstruction, s.Options(string(User(joe)), opts...)...)
}

// Admit is asked before each request. Memory that is older than the holder it asks for is
// read again, and its refusal is the caller's error.
func TestAdmit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	errNotHeld := errors.New("not held")
	transport := s.Transport(p)
	transport.Admit = func(a Access) error {
		if a.HeldBy("9") {
			return nil
		}
		return errNotHeld
	}
	if _, err := w.get(transport); !errors.Is(err, errNotHeld) || len(w.procore.State().Calls) != 0 {
		t.Errorf("got error %v after %d calls, want that of Admit after none", err, len(w.procore.State().Calls))
	}
	if _, err := s.Token(t.Context(), p); err != nil { // it is in memory
		t.Fatal(err)
	}
	if _, err := w.store().Hold(t.Context(), p, "9"); err != nil { // by another process
		t.Fatal(err)
	}
	reads := w.countReads()
	for range 3 {
		if _, err := w.get(transport); err != nil {
			t.Errorf("the holder was added by another process: %v", err)
		}
	}
	if got := reads.Load(); got != 1 {
		t.Errorf("the grant was read %d times, want once", got)
	}
}

// A plain http.Client follows a redirect, as to the storage of a file. The token stays.
func TestTransportKeepsItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called a foreign host") }))
	t.Cleanup(foreign.Close)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			t.Error("the API got no token")
		}
		http.Redirect(w, r, foreign.URL+"/file", http.StatusFound)
	}))
	t.Cleanup(api.Close)
	w.oauth.Environment.APIURL = api.URL
	s := w.store()
	if resp, err := w.get(s.Transport(w.authorize(s).Principal)); err == nil {
		t.Errorf("no error, and status %d", resp.StatusCode)
	}
}

// The request that is sent again after a 401 has its body from the beginning; one whose
// body cannot be read again is not sent again. The body is closed in each case.
func TestBodyAfterA401(t *testing.T) {
	t.Parallel()
	for _, rewinds := range []bool{true, false} {
		w := newWorld(t)
		var bodies []string
		api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				b, _ := io.ReadAll(r.Body)
				bodies = append(bodies, string(b))
			}
			if len(bodies) < 2 { // /me too: the token is dead
				rw.WriteHeader(http.StatusUnauthorized)
			}
		}))
		t.Cleanup(api.Close)
		w.oauth.Environment.APIURL = api.URL
		s := w.store()
		p := w.authorize(s).Principal
		w.clock.Advance(10 * time.Minute)
		body := &closing{Reader: strings.NewReader("the body")}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api.URL+"/rest/v1.0/x", body)
		if err != nil {
			t.Fatal(err)
		}
		if rewinds {
			req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("the body")), nil }
		}
		resp, err := s.Transport(p).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		want, status := []string{"the body"}, http.StatusUnauthorized
		if rewinds {
			want, status = []string{"the body", "the body"}, http.StatusOK
		}
		if strings.Join(bodies, "|") != strings.Join(want, "|") || resp.StatusCode != status || body.closed == 0 {
			t.Errorf("rewinds %t: got bodies %q, status %d, closed %d times; want %q, %d", rewinds, bodies, resp.StatusCode, body.closed, want, status)
		}
		// A request that is not sent at all is closed, too.
		body.closed = 0
		req.URL.Host = "foreign.example"
		if _, err := s.Transport(p).RoundTrip(req); err == nil || body.closed == 0 {
			t.Errorf("a foreign host: got error %v, closed %d times", err, body.closed)
		}
	}
}

// closing counts how often it is closed.
type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error { c.closed++; return nil }

// Work that no user asked for leaves an idle grant idle.
func TestBackgroundIsNoUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	used := w.row(p).LastUsed
	w.clock.Advance(8 * 24 * time.Hour)
	background := w.store().Transport(p)
	background.Background = true
	if _, err := w.get(background); err != nil {
		t.Fatal(err)
	}
	if got := w.row(p); !got.LastUsed.Equal(used) || !got.idle() {
		t.Errorf("background work moved the last use to %v, idle %t", got.LastUsed, got.idle())
	}
	if _, err := w.get(w.store().Transport(p)); err != nil {
		t.Fatal(err)
	}
	if got := w.row(p); !got.LastUsed.After(used) || got.idle() {
		t.Errorf("a call did not count as use: last used at %v, idle %t", got.LastUsed, got.idle())
	}
	// The use is written once a day.
	rev := w.row(p).Rev
	for range 3 {
		w.clock.Advance(7 * time.Hour)
		if _, err := w.store().Upkeep().Refresh(t.Context(), p, 0); err != nil {
			t.Fatal(err)
		}
		refreshes := w.row(p).Rev
		if _, err := w.get(w.store().Transport(p)); err != nil {
			t.Fatal(err)
		}
		if got := w.row(p).Rev; got != refreshes {
			t.Errorf("a use %v after the first was written", time.Duration(got-rev))
		}
	}
}
