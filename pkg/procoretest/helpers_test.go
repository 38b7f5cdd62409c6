package procoretest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

const redirect = "http://127.0.0.1:3000/oauth/callback"

// reply is an answer whose body has been read.
type reply struct {
	status int
	header http.Header
	body   string
}

// into decodes the body into v.
func (r reply) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		t.Fatalf("body %q: %v", r.body, err)
	}
}

// wants fails the test unless the status is as wanted and the body contains part.
func (r reply) wants(t *testing.T, status int, part string) reply {
	t.Helper()
	if r.status != status || !strings.Contains(r.body, part) {
		t.Errorf("answer = %d %s, want %d with %q", r.status, r.body, status, part)
	}
	return r
}

func send(t *testing.T, r *http.Request) (reply, error) {
	t.Helper()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       20 * time.Second,
	}
	resp, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(body)}, err
}

func mustSend(t *testing.T, r *http.Request) reply {
	t.Helper()
	got, err := send(t, r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func request(t *testing.T, method, address, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// api makes an API call for a company. Company 0 omits the header.
func api(t *testing.T, p *Server, token string, company int64, method, path, body string) reply {
	t.Helper()
	r := request(t, method, p.URL+path, body, "Authorization", "Bearer "+token)
	if company != 0 {
		r.Header.Set(companyHeader, strconv.FormatInt(company, 10))
	}
	return mustSend(t, r)
}

func tokenRequest(t *testing.T, p *Server, form url.Values) *http.Request {
	t.Helper()
	return request(t, http.MethodPost, p.URL+"/oauth/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func credentials(more ...string) url.Values {
	v := url.Values{"client_id": {"fake-client-id"}, "client_secret": {"fake-client-secret"}, "redirect_uri": {redirect}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v
}

// refresh spends a refresh token.
func refresh(t *testing.T, p *Server, token string) reply {
	t.Helper()
	return mustSend(t, tokenRequest(t, p, credentials("grant_type", "refresh_token", "refresh_token", token)))
}

// revoke calls the revocation endpoint.
func revoke(t *testing.T, p *Server, more ...string) reply {
	t.Helper()
	return mustSend(t, request(t, "POST", p.URL+"/oauth/revoke", credentials(more...).Encode(), "Content-Type", "application/x-www-form-urlencoded"))
}

func authorizeURL(p *Server, more ...string) string {
	v := url.Values{"response_type": {"code"}, "client_id": {"fake-client-id"}, "redirect_uri": {redirect}, "state": {"s&1"}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return p.URL + "/oauth/authorize?" + v.Encode()
}

// codeFor logs a user in and returns the code.
func codeFor(t *testing.T, p *Server, user int64, more ...string) string {
	t.Helper()
	u, err := url.Parse(p.Authorize(t, user, authorizeURL(p, more...)))
	if err != nil || u.Query().Get("state") != "s&1" {
		t.Fatalf("callback %v, %v", u, err)
	}
	return u.Query().Get("code")
}

// receiver is a webhook destination that passes on the deliveries it gets.
type receiver struct {
	*httptest.Server
	got chan delivered
}

type delivered struct {
	header http.Header
	body   string
}

func receive(t *testing.T, next func(n int, w http.ResponseWriter)) *receiver {
	t.Helper()
	rec := &receiver{got: make(chan delivered, 1000)}
	n := 0 // no lock, because deliveries of a hook never overlap
	rec.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n++
		if next != nil {
			next(n, w)
		}
		rec.got <- delivered{r.Header, string(body)}
	}))
	t.Cleanup(rec.Close)
	return rec
}

func (r *receiver) next(t *testing.T) delivered {
	t.Helper()
	select {
	case d := <-r.got:
		return d
	case <-time.After(10 * time.Second):
		t.Fatal("no delivery came")
		return delivered{}
	}
}

// eventually waits for a condition of the state.
func eventually(t *testing.T, p *Server, what string, ok func(State) bool) State {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	st, err := p.Wait(ctx, ok)
	if err != nil {
		t.Fatalf("never came true: %s", what)
	}
	return st
}
