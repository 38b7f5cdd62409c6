package procore

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// R5: an access token goes to the environment's API alone. A plain http.Client
// follows a redirect to another host, and its transport refuses that request.
func TestTokenStaysInTheEnvironment(t *testing.T) {
	t.Parallel()
	var foreign, home atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { foreign.Add(1) }))
	t.Cleanup(other.Close)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer fake-access-1" {
			home.Add(1)
		}
		switch {
		case strings.HasPrefix(r.URL.Path, "/away"):
			http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/here", http.StatusFound)
		}
	}))
	t.Cleanup(api.Close)
	env := Environment{Name: "custom", LoginURL: api.URL, APIURL: api.URL}
	token := NewSecret("fake-access-1")
	for name, client := range map[string]*http.Client{
		"a bearer client":  env.Bearer(token, nil),
		"with a transport": env.Bearer(token, api.Client().Transport),
	} {
		foreign.Store(0)
		home.Store(0)
		call := func(method, url string) error {
			r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(r)
			if err == nil {
				resp.Body.Close()
			}
			if r.Header.Get("Authorization") != "" {
				t.Errorf("%s: the caller's request has the token", name)
			}
			return err
		}
		for _, path := range []string{"/here", "/moved"} {
			if err := call(http.MethodGet, api.URL+path); err != nil {
				t.Errorf("%s: %s: %v", name, path, err)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if err := call(method, api.URL+"/away"); !errors.Is(err, errForeign) {
				t.Errorf("%s: a redirected %s: %v, want a refusal", name, method, err)
			}
		}
		for _, url := range []string{other.URL, strings.Replace(api.URL, "http:", "https:", 1), api.URL + "0"} {
			if err := call(http.MethodGet, url); !errors.Is(err, errForeign) {
				t.Errorf("%s: %s: %v, want a refusal", name, url, err)
			}
		}
		if foreign.Load() != 0 || home.Load() != 5 {
			t.Errorf("%s: %d requests to the other host and %d with the token to the API, want 0 and 5", name, foreign.Load(), home.Load())
		}
	}
	if _, err := (Environment{}).Bearer(token, nil).Get(api.URL); !errors.Is(err, errForeign) { //nolint:noctx // nothing is sent
		t.Errorf("without an environment: %v, want a refusal", err)
	}
}
