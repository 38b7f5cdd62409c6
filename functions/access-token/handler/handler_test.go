package handler

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const (
	ours  = procoretest.MyConstruction
	other = procoretest.HarborHill // Joe belongs to it too
)

var joes = connections.Key{CompanyID: ours, Principal: tokens.User(procoretest.Joe)}

// served is an answer as a caller in another language reads it.
type served struct {
	AccessToken string            `json:"access_token"`
	ExpiresAt   time.Time         `json:"expires_at"`
	KeepUntil   time.Time         `json:"keep_until"`
	APIURL      string            `json:"api_url"`
	Headers     map[string]string `json:"headers"`
	Error       *struct {
		Reason, Message, Do string
		RetryAt             time.Time `json:"retry_at"`
	} `json:"error"`
}

// caller invokes a process of the function with JSON, and checks each answer.
type caller struct {
	*functiontest.World
	t *testing.T
	h *handler
}

// newCaller returns a caller of a new process in a world.
func newCaller(t *testing.T, w *functiontest.World) *caller {
	t.Helper()
	return &caller{w, t, &handler{store: w.Store(), log: w.Log.Logger}}
}

// connected returns a caller in a world in which Joe has connected our company.
func connected(t *testing.T) *caller {
	t.Helper()
	w := functiontest.New(t)
	w.Connect(ours, procoretest.Joe, connections.WebhooksOff)
	return newCaller(t, w)
}

// ask invokes the function as Lambda does.
func (c *caller) ask(format string, args ...any) served {
	c.t.Helper()
	a, err := tokens.Wrap(c.h.store.Tokens, c.h.handle)(c.t.Context(), fmt.Appendf(nil, format, args...))
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := json.Marshal(a)
	if err != nil {
		c.t.Fatal(err)
	}
	if strings.Contains(string(text), "fake-refresh-") {
		c.t.Error("an answer has a refresh token")
	}
	var s served
	if err := json.Unmarshal(text, &s); err != nil {
		c.t.Fatal(err)
	}
	if (s.Error == nil) == (s.AccessToken == "") {
		c.t.Errorf("an answer has a token and an error, or neither; %v", s.Error)
	}
	c.Log.Search(c.t, "a print of the answer", fmt.Sprintf("%v %+v %#v %+v", a, a, a, &a))
	return s
}

// want asks, and checks the reason why there is no token; "" wants one.
func (c *caller) want(reason, format string, args ...any) served {
	c.t.Helper()
	s := c.ask(format, args...)
	got := ""
	if s.Error != nil {
		got = s.Error.Reason
		c.Log.Search(c.t, "a reason", fmt.Sprint(*s.Error))
		if s.Error.Message == "" || s.Error.Do == "" {
			c.t.Errorf("%s: message %q, do %q", got, s.Error.Message, s.Error.Do)
		}
	}
	if got != reason {
		c.t.Fatalf("%.80s: got reason %q, want %q; %v", fmt.Sprintf(format, args...), got, reason, s.Error)
	}
	return s
}

func (c *caller) refreshes() int { return c.Requests("POST /oauth/token") }

// works calls Procore as the answer says, and returns the status.
func (c *caller) works(s served) int {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, s.APIURL+"/rest/v1.0/companies/5678/users", http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	for name, value := range s.Headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// The answer has all that a call needs, and Procore accepts it. The id is a number or a text.
func TestServed(t *testing.T) {
	t.Parallel()
	c := connected(t)
	s := c.want("", `{"company_id": 5678}`)
	if got := c.works(s); got != http.StatusOK {
		t.Errorf("Procore answers %d to the headers", got)
	}
	if s.Headers["Authorization"] != "Bearer "+s.AccessToken || s.Headers["Procore-Company-Id"] != "5678" || len(s.Headers) != 2 {
		t.Error("the headers are not those of the token and the company")
	}
	if got := s.ExpiresAt.Sub(c.Clock.Now()); got < 89*time.Minute || got > 90*time.Minute {
		t.Errorf("the token expires in %v", got)
	}
	if got := s.KeepUntil.Sub(c.Clock.Now()); got > keep || got <= keep-time.Second {
		t.Errorf("the token is to be kept for %v, want %v", got, keep)
	}
	if again := c.want("", `{"company_id": "5678", "rejected": false}`); again.AccessToken != s.AccessToken || c.refreshes() != 0 {
		t.Errorf("another token, or a refresh of a fresh one: %d", c.refreshes())
	}
	if got := c.Log.Lines(t, "access token served"); len(got) != 2 || got[0]["company_id"] != float64(ours) {
		t.Errorf("log lines: %v", got)
	}
}

// The token is valid for two minutes at least, and is never to be kept beyond its end.
func TestIsValidForTwoMinutes(t *testing.T) {
	t.Parallel()
	c := connected(t)
	first := c.want("", `{"company_id": 5678}`)
	c.Clock.Advance(first.ExpiresAt.Sub(c.Clock.Now()) - 3*time.Minute)
	if s := c.want("", `{"company_id": 5678}`); s.AccessToken != first.AccessToken || !s.KeepUntil.Equal(s.ExpiresAt) {
		t.Errorf("with three minutes left: another token, or it may be kept until %v", s.KeepUntil)
	}
	c.Clock.Advance(time.Minute + time.Second)
	if s := c.want("", `{"company_id": 5678}`); s.AccessToken == first.AccessToken || s.ExpiresAt.Sub(c.Clock.Now()) < time.Hour {
		t.Error("with less than two minutes left the token was not refreshed")
	}
}

// Fifty callers of five processes meet an expired token: it is refreshed once, and all have the same one.
func TestCallersAtOnce(t *testing.T) {
	t.Parallel()
	c := connected(t)
	before := c.refreshes()
	c.Clock.Advance(2 * time.Hour)
	var processes []*caller
	for range 5 {
		processes = append(processes, newCaller(t, c.World))
	}
	var got sync.Map
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() { got.Store(processes[i%5].ask(`{"company_id": 5678}`).AccessToken, true) })
	}
	all.Wait()
	n := 0
	got.Range(func(any, any) bool { n++; return true })
	if n != 1 || c.refreshes() != before+1 {
		t.Errorf("%d tokens, %d refreshes; want one each", n, c.refreshes()-before)
	}
}

// A service account's token serves each company that installed the app.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	w := functiontest.New(t)
	w.PatchCompany(ours, procoretest.CompanyPatch{Installed: new(true), ServiceAccount: new(true)})
	if err := w.Store().AddServiceAccount(t.Context(), ours, "A Company", connections.WebhooksOff); err != nil {
		t.Fatal(err)
	}
	c := newCaller(t, w)
	s := c.want("", `{"company_id": 5678}`)
	if got := c.works(s); got != http.StatusOK {
		t.Errorf("Procore answers %d", got)
	}
	if got := c.want("", `{"company_id": 5678, "rejected": true}`); got.AccessToken != s.AccessToken {
		t.Error("a good token was replaced")
	}
	c.want("not_connected", `{"company_id": %d}`, other)
}

// What a caller gets that does not write what the contract has.
func TestRequests(t *testing.T) {
	t.Parallel()
	c := connected(t)
	for _, text := range []string{
		`null`, `[]`, `5678`, `"5678"`, `{}`, `{"company_id": null}`, `{"company_id": 0}`, `{"company_id": -5678}`, `{"company_id": "-5678"}`,
		`{"company_id": "+5678"}`, `{"company_id": 5678.0}`, `{"company_id": 5.678e3}`, `{"company_id": ""}`, `{"company_id": "5678#user"}`,
		`{"company_id": "5678 "}`, `{"company_id": "../5678"}`, `{"company_id": [5678]}`, `{"company_id": {"N": "5678"}}`, `{"company_id": true}`,
		`{"company_id": 9223372036854775808}`, `{"company_id": "custom#5678"}`, `{"company_id": "56\u000078"}`, `{"companyId": 5678}`,
		`{"company_id": 5678, "principal": "user#1"}`, `{"company_id": 5678, "rejected": "yes"}`, `{"company_id": 5678, "rejected": 1}`,
		`{"company_id": "` + strings.Repeat("9", 2000) + `"}`, `{"company_id": 5678, "` + strings.Repeat("x", 900) + `": 1}`,
		`{"company_id": 5678` + strings.Repeat(" ", 6<<20) + `}`, strings.Repeat(`[`, 1000),
	} {
		s := c.want("invalid_request", "%s", text)
		if len(s.Error.Message) > 200 || !s.Error.RetryAt.IsZero() {
			t.Errorf("%.60s: %+v", text, *s.Error)
		}
	}
	if got := c.Storage(); len(got) > 10 {
		t.Errorf("storage was read for wrong requests: %d operations", len(got))
	}
}

// Anything else than a reason is an error: Lambda counts it, and an alarm sees it.
func TestStorageIsDown(t *testing.T) {
	t.Parallel()
	c := connected(t)
	c.Fault(functiontest.Down)
	if _, err := c.h.handle(t.Context(), json.RawMessage(`{"company_id": 5678}`)); err == nil || !strings.Contains(err.Error(), "connections:") {
		t.Errorf("got error %v, want storage's", err)
	}
}
