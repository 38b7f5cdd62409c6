package oidc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

const maxBody = 1 << 16

// front is the server as one process sees it: its network, on which an answer can be lost.
type front struct {
	*httptest.Server

	mu        sync.Mutex
	to        *url.URL
	harm      *harm
	refreshed int        // answers with a pair
	spent     url.Values // the request of the last one
}

// harm is that one answer with a pair is lost, of all on the fronts that have it.
type harm struct {
	done atomic.Bool
	kill func(*front) // called before the loss; nil: the process does not end
}

func newFront(t *testing.T) *front {
	t.Helper()
	f := &front{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			f.mu.Lock()
			defer f.mu.Unlock()
			r.SetURL(f.to)
			r.Out.Host = r.In.Host // of which the server makes its redirects
		},
		ModifyResponse: f.answered,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			r = r.WithContext(withForm(r.Context(), body))
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// lead connects the front with the server.
func (f *front) lead(t *testing.T, to string) {
	t.Helper()
	u := address(t, to)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.to = u
}

func address(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// set has the front do harm; nil: none.
func (f *front) set(h *harm) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.harm = h
}

// answered notes a refresh that the server has answered with a pair, and may lose the answer.
func (f *front) answered(resp *http.Response) error {
	form := formOf(resp.Request.Context())
	if form.Get("grant_type") != "refresh_token" || resp.StatusCode != http.StatusOK {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spent, f.refreshed = form, f.refreshed+1
	if f.harm == nil || f.harm.done.Swap(true) {
		return nil
	}
	if f.harm.kill != nil {
		f.harm.kill(f)
	}
	return errors.New("the answer is lost")
}

// answers returns how many refreshes were answered.
func (f *front) answers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refreshed
}

// lastSpent returns the request of a refresh token that the server has replaced.
func (f *front) lastSpent() url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.spent
}

type formKey struct{}

func withForm(ctx context.Context, body []byte) context.Context {
	form, _ := url.ParseQuery(string(body)) // the server complains about a bad one
	return context.WithValue(ctx, formKey{}, form)
}

func formOf(ctx context.Context) url.Values {
	form, _ := ctx.Value(formKey{}).(url.Values)
	return form
}
