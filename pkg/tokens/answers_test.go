package tokens

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// rewritten puts a server before the fake that changes the answers of the token
// endpoint.
func (w *world) rewritten(edit func(r *http.Response, b []byte) []byte) {
	w.t.Helper()
	target, err := url.Parse(w.procore.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			b, err := io.ReadAll(r.Body)
			if strings.HasSuffix(r.Request.URL.Path, "/oauth/token") {
				b = edit(r, b)
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			r.Header.Set("Content-Length", strconv.Itoa(len(b)))
			return err
		},
	})
	w.t.Cleanup(front.Close)
	if w.oauth.Environment, err = procore.ParseEnvironment("custom", front.URL, front.URL); err != nil {
		w.t.Fatal(err)
	}
}

// An endpoint that answers an unknown grant with 401 and invalid_grant, as
// Doorkeeper did before 5.1, is as healthy as one that answers 400.
func TestInvalidGrantWith401(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rewritten(func(r *http.Response, b []byte) []byte {
		if r.StatusCode == http.StatusBadRequest && bytes.Contains(b, []byte("invalid_grant")) {
			r.StatusCode, r.Status = http.StatusUnauthorized, "401 Unauthorized"
		}
		return b
	})
	all := w.many(5)
	if err := w.store().Upkeep().Probe(t.Context()); err != nil {
		t.Errorf("the probe: %v, want a healthy endpoint", err)
	}
	for _, p := range all {
		if _, err := w.store().Upkeep().Refresh(t.Context(), p, 0); err != nil {
			t.Errorf("%s is not refreshed: %v", p, err)
		}
	}
}

// R2: Procore carried the refresh out, and its answer has another form than usual.
func TestPairInAnotherForm(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(r *http.Response, b []byte) []byte{
		"gzip": func(r *http.Response, b []byte) []byte {
			var z bytes.Buffer
			g := gzip.NewWriter(&z)
			_, _ = g.Write(b)
			g.Close()
			r.Header.Set("Content-Encoding", "gzip")
			return z.Bytes()
		},
		"byte order mark": func(_ *http.Response, b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) },
		"201":             func(r *http.Response, b []byte) []byte { r.StatusCode, r.Status = 201, "201 Created"; return b },
		"token_type": func(_ *http.Response, b []byte) []byte {
			return bytes.Replace(b, []byte(`"bearer"`), []byte(`"Bearer "`), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.rewritten(func(r *http.Response, b []byte) []byte {
				if r.StatusCode != http.StatusOK {
					return b
				}
				return edit(r, b)
			})
			p := w.authorize(w.store()).Principal
			for range 2 { // the new pair works, its refresh token too
				w.clock.Advance(2 * time.Hour)
				if _, err := w.store().Token(t.Context(), p); err != nil {
					t.Errorf("the new pair is lost: %v", err)
				}
			}
		})
	}
}

// calls takes a token every ten seconds for half an hour, and returns the number of
// refresh tokens that were spent on it.
func (w *world) calls(p Principal) int {
	w.t.Helper()
	s, begin, before := w.store(), w.clock.Now(), w.presented()
	for w.clock.Now().Sub(begin) < 30*time.Minute {
		if _, err := s.Token(w.t.Context(), p); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Advance(10 * time.Second)
	}
	return w.presented() - before
}

// An access token that is valid for less than the two minutes by which it would be
// refreshed early is not refreshed at each call.
func TestShortLifetimes(t *testing.T) {
	t.Parallel()
	for _, seconds := range []int64{60, 110, 130, 600} {
		w := newWorld(t)
		w.options(procoretest.OptionsPatch{ExpiresInSeconds: &seconds})
		if spent, most := w.calls(w.authorize(w.store()).Principal), int(1800/(seconds-seconds/10-10))+1; spent > most {
			t.Errorf("expires_in %d: 180 calls spend %d refresh tokens, want at most %d", seconds, spent, most)
		}
	}
}

// Whatever the fields say, two refreshes of a grant are a minute apart.
func TestRefreshesAreApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, one := w.authorize(w.store()).Principal, int64(1)
	w.options(procoretest.OptionsPatch{ExpiresInSeconds: &one})
	w.clock.Advance(2 * time.Hour)
	for range 60 {
		_, _ = w.store().Token(t.Context(), p)
		_, _ = w.store().Upkeep().Refresh(t.Context(), p, time.Hour)
		w.clock.Advance(5 * time.Second)
	}
	if got := w.presented(); got != 5 {
		t.Errorf("five minutes of calls spend %d refresh tokens, want 5", got)
	}
}

// The lifetime counts from the answer on, however old the token is by created_at
// (RFC 6749 section 5.1).
func TestCreatedLongAgo(t *testing.T) {
	t.Parallel()
	created := regexp.MustCompile(`"created_at":(\d+)`)
	for _, age := range []time.Duration{50 * time.Minute, 2 * time.Hour} {
		w := newWorld(t)
		w.rewritten(func(r *http.Response, b []byte) []byte {
			r.Header.Set("Date", w.clock.Now().UTC().Format(http.TimeFormat))
			return created.ReplaceAllFunc(b, func(m []byte) []byte {
				n, _ := strconv.ParseInt(string(created.FindSubmatch(m)[1]), 10, 64)
				return fmt.Appendf(nil, `"created_at":%d`, n-int64(age.Seconds()))
			})
		})
		p := w.authorize(w.store()).Principal
		w.clock.Advance(2 * time.Hour) // the first call refreshes
		if spent := w.calls(p); spent != 1 {
			t.Errorf("created %v ago: 180 calls in half an hour spend %d refresh tokens, want 1", age, spent)
		}
	}
}
