package procore

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

const testCompany = 9007199254740993 // a float64 would make it ...992

// A fake is a server that knows only its routes ("GET /rest/v1.0/me") and keeps the
// requests.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	calls []*http.Request
}

func (f *fake) all() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func (f *fake) env() Environment { return Environment{Name: "custom", LoginURL: f.URL, APIURL: f.URL} }

func (f *fake) company() *CompanyClient {
	return NewCompanyClient(f.env(), f.Client(), testCompany, WithAttempts(1))
}

func serve(t *testing.T, routes map[string]http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{}
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.calls = append(f.calls, r.Clone(r.Context()))
		n := len(f.calls)
		f.mu.Unlock()
		if n > 50 {
			http.Error(w, "a client that does not stop", http.StatusGone)
			return
		}
		if _, pattern := mux.Handler(r); pattern == "" {
			t.Errorf("unexpected call: %s %s", r.Method, r.URL)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}
