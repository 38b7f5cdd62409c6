package sam_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/stack"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/reconcile"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// sample is a sample event, and a check of its outcome.
type sample struct {
	event string
	check func(t *testing.T, w *world, answer []byte)
}

// samples returns all sample events, in an order in which each finds the state that it needs.
func samples() []sample {
	return []sample{
		{"oauth-callback/landing", page(200, "Connect to Procore")},
		{"oauth-callback/start", started},
		{"oauth-callback/callback", calledBack},
		{"oauth-callback/callback-denied", denied},
		{"company-select/return", returned},
		{"company-select/redeem", redeemed},
		{"company-select/companies", companies},
		{"company-select/choice", chosen},
		{"company-select/connected", page(200, "My Construction Company")},
		{"webhook-receiver/v2", delivery(200, 1)},
		{"webhook-receiver/duplicate", delivery(200, 0)},
		{"webhook-receiver/v3", delivery(200, 1)},
		{"webhook-receiver/v4", delivery(200, 1)},
		{"webhook-receiver/bad-credential", delivery(401, 0)},
		{"dispatcher/event", dispatched},
		{"event-consumer/event", consumed},
		{"access-token/company", served},
		{"announcer/disconnected", announced(`{"company":"sandbox#5678","principal":"user#1234567","state":"disconnected","was":"connected","webhooks":"active"}`)},
		{"announcer/connected", announced(`{"reference":"tenant-42","state":"connected","company_id":5678,"principal":"user#1234567","at":"2026-02-06T23:34:12Z","rev":2}`)},
		{"refresher/housekeeping", housekept},
		{"refresher/refresh", refreshed},
		{"reconciler/reconcile", reconciled},
		{"company-select/disconnect", disconnected}, // see [world.disconnect]
	}
}

func answered(t *testing.T, answer []byte, status int) events.APIGatewayV2HTTPResponse {
	t.Helper()
	var r events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(answer, &r); err != nil {
		t.Fatalf("the answer is not one for API Gateway: %.200s: %v", answer, err)
	}
	if r.StatusCode != status {
		t.Errorf("status %d, want %d", r.StatusCode, status)
	}
	return r
}

// page checks an answer for a person: its status, its headers, and words in it.
func page(status int, words string) func(*testing.T, *world, []byte) {
	return func(t *testing.T, _ *world, answer []byte) {
		t.Helper()
		r := answered(t, answer, status)
		if !strings.Contains(r.Body, words) {
			t.Errorf("the page lacks %q", words)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store",
			"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		} {
			if r.Headers[name] != want {
				t.Errorf("%s: %q, want %q", name, r.Headers[name], want)
			}
		}
		if csp := r.Headers["Content-Security-Policy"]; !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("Content-Security-Policy: %q", csp)
		}
	}
}

// redirect returns the query of the address that the answer leads to.
func redirect(t *testing.T, r events.APIGatewayV2HTTPResponse, to string) url.Values {
	t.Helper()
	address, query, _ := strings.Cut(r.Headers["Location"], "?")
	if address != to {
		t.Errorf("the answer leads to %s, want %s", address, to)
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Error(err)
	}
	return q
}

// cookie checks the only cookie of an answer.
func cookie(t *testing.T, r events.APIGatewayV2HTTPResponse, flow string) {
	t.Helper()
	if len(r.Cookies) != 1 || !strings.HasPrefix(r.Cookies[0], "flow-"+flow+"=") || !strings.Contains(r.Cookies[0], "HttpOnly") {
		t.Errorf("%d cookies, want one of the flow %s, HttpOnly", len(r.Cookies), flow)
	}
}

func (w *world) wantSession(t *testing.T, flow string, status session.Status, sealed bool) {
	t.Helper()
	if got, held := w.session(t, flow); got != status || held != sealed {
		t.Errorf("the session is %s, with sealed data: %v; want %s, %v", got, held, status, sealed)
	}
}

func started(t *testing.T, w *world, answer []byte) {
	t.Helper()
	r := answered(t, answer, 303)
	q := redirect(t, r, w.login+"/oauth/authorize")
	flow := session.FlowOf(procore.NewSecret(q.Get("state")))
	cookie(t, r, flow)
	w.wantSession(t, flow, session.Started, true)
	if got, want := w.snapshot(t).sessions, w.before.sessions+1; got != want {
		t.Errorf("%d sessions, want %d", got, want)
	}
	if got, want := q.Get("redirect_uri"), w.AppURL+"/oauth/callback"; got != want || q.Get("code_challenge_method") != "S256" {
		t.Errorf("redirect_uri %s, want %s; code_challenge_method %q, want S256", got, want, q.Get("code_challenge_method"))
	}
}

func calledBack(t *testing.T, w *world, answer []byte) {
	t.Helper()
	r := answered(t, answer, 303)
	flow := session.FlowOf(procore.NewSecret(w.event(t, "oauth-callback/callback").QueryStringParameters["state"]))
	if got := redirect(t, r, w.AppURL+"/companies").Get("flow"); got != flow {
		t.Errorf("flow %s, want %s", got, flow)
	}
	cookie(t, r, flow)
	w.wantSession(t, flow, session.Authorized, true)
	if _, g := w.stored(t); g.Rev != w.before.grant.Rev {
		t.Error("the callback changed the grant, which it must not be able to")
	}
}

func denied(t *testing.T, w *world, answer []byte) {
	t.Helper()
	page(403, "Access was not allowed")(t, w, answer)
	flow := session.FlowOf(procore.NewSecret(w.event(t, "oauth-callback/callback-denied").QueryStringParameters["state"]))
	w.wantSession(t, flow, session.Abandoned, false)
}

func returned(t *testing.T, _ *world, answer []byte) {
	t.Helper()
	q := redirect(t, answered(t, answer, 303), stack.DefaultReturn)
	if got := q.Get(link.ParameterOutcome); got != string(link.Connected) || q.Get(link.ParameterName) == "" || q.Get(link.ParameterCode) == "" {
		t.Errorf("result %q, want %s, with the link's name and a code", got, link.Connected)
	}
}

func redeemed(t *testing.T, w *world, answer []byte) {
	t.Helper()
	var got link.Result
	if err := json.Unmarshal([]byte(answered(t, answer, 200).Body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Outcome != link.Connected || got.Reference != "tenant-42" || got.CompanyID != procoretest.MyConstruction || got.UserID != procoretest.Joe {
		t.Errorf("redeemed %+v, want the company and the user that are connected for tenant-42", got)
	}
	if c, _ := w.stored(t); c.Reference != got.Reference || w.before.connection.Reference != "" {
		t.Errorf("the connection has the reference %q, and had %q before", c.Reference, w.before.connection.Reference)
	}
}

func companies(t *testing.T, w *world, answer []byte) {
	t.Helper()
	page(200, "My Construction Company")(t, w, answer)
	w.wantSession(t, w.event(t, "company-select/companies").QueryStringParameters["flow"], session.Pending, false)
	for _, c := range w.Procore.State().Calls[w.before.calls:] {
		if c.CompanyID != 0 || c.Path != "/rest/v1.0/me" && c.Path != "/rest/v1.0/companies" {
			t.Errorf("before the choice %s was called", c.Path)
		}
	}
}

func chosen(t *testing.T, w *world, answer []byte) {
	t.Helper()
	flow := w.event(t, "company-select/companies").QueryStringParameters["flow"]
	if got := redirect(t, answered(t, answer, 303), w.AppURL+"/connected").Get("flow"); got != flow {
		t.Errorf("flow %s, want %s", got, flow)
	}
	w.wantSession(t, flow, session.Connected, false)
	if c, _ := w.stored(t); c.Rev != w.before.connection.Rev+1 || !c.ConnectedAt.After(w.before.connection.ConnectedAt) {
		t.Errorf("the connection has revision %d and is of %v, want the next of %d, of a time after %v",
			c.Rev, c.ConnectedAt, w.before.connection.Rev, w.before.connection.ConnectedAt)
	}
	w.wantHeld(t, w.before.grant.Generation)
}

func disconnected(t *testing.T, w *world, answer []byte) {
	t.Helper()
	redirect(t, answered(t, answer, 303), w.AppURL+"/connected")
	if c, g := w.stored(t); c.State != connections.Ended || g.State != tokens.Revoked {
		t.Errorf("the connection is %s, and its grant %s; want ended, revoked", c.State, g.State)
	}
}

// wantHeld checks that the company is connected by a grant of this generation.
func (w *world) wantHeld(t *testing.T, generation int64) {
	t.Helper()
	c, g := w.stored(t)
	if c.State != connections.Connected || g.State != tokens.Active || !g.HeldBy(fmt.Sprint(c.CompanyID)) || g.Generation != generation {
		t.Errorf("the connection is %s, its grant %s at generation %d with holders %v; want connected, and active at %d with the company",
			c.State, g.State, g.Generation, g.Holders, generation)
	}
}

// delivery checks an answer to Procore, and how many events were stored.
func delivery(status, stored int) func(*testing.T, *world, []byte) {
	return func(t *testing.T, w *world, answer []byte) {
		t.Helper()
		if r := answered(t, answer, status); r.Body != "" {
			t.Errorf("the answer has a body: %.100s", r.Body)
		}
		if got, want := w.snapshot(t).events, w.before.events+stored; got != want {
			t.Errorf("%d events are stored, want %d", got, want)
		}
	}
}

// dispatched checks that nothing is to be repeated. It is the event of webhook-receiver/v2, so the queue knows it.
func dispatched(t *testing.T, _ *world, answer []byte) {
	t.Helper()
	var r events.DynamoDBEventResponse
	if err := json.Unmarshal(answer, &r); err != nil || len(r.BatchItemFailures) > 0 {
		t.Errorf("answer %s, %v, want no failures", answer, err)
	}
}

// announced returns a check that the topic has the announcement.
func announced(want string) func(*testing.T, *world, []byte) {
	return func(t *testing.T, w *world, answer []byte) {
		t.Helper()
		dispatched(t, w, answer)
		if messages := w.Topics.Messages("connections-topic"); !slices.Contains(messages, want) {
			t.Errorf("the topic has %v, want %s", messages, want)
		}
	}
}

// consumed checks that the consumer has read the RFI.
func consumed(t *testing.T, w *world, answer []byte) {
	t.Helper()
	var r events.SQSEventResponse
	if err := json.Unmarshal(answer, &r); err != nil || len(r.BatchItemFailures) > 0 {
		t.Errorf("answer %s, %v, want no failures", answer, err)
	}
	read := 0
	for _, c := range w.Procore.State().Calls[w.before.calls:] {
		if strings.Contains(c.Path, "/rfis/") && c.Status == 200 && c.CompanyID == procoretest.MyConstruction {
			read++
		}
	}
	if read != 1 {
		t.Errorf("the RFI was read %d times, want once", read)
	}
}

// served checks that Procore accepts the headers of the answer.
func served(t *testing.T, w *world, answer []byte) {
	t.Helper()
	var got struct {
		Headers map[string]string `json:"headers"`
	}
	if err := json.Unmarshal(answer, &got); err != nil || len(got.Headers) != 2 {
		t.Fatalf("the answer has %d headers, want 2; %v", len(got.Headers), err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.ProcoreURL+"/rest/v1.1/projects?company_id=5678", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range got.Headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("Procore answers %s to the headers", resp.Status)
	}
}

// housekept checks that the company's hook has the configured triggers and leads to the app.
func housekept(t *testing.T, w *world, answer []byte) {
	t.Helper()
	triggers, err := procore.ParseTriggers(w.env["WEBHOOK_TRIGGERS"])
	if err != nil || len(triggers) == 0 {
		t.Fatal(triggers, err)
	}
	hooks, want := w.Procore.State().Hooks, w.AppURL+provision.Path
	if string(answer) != "null" || len(hooks) != 1 || len(hooks[0].Triggers) != len(triggers) || hooks[0].DestinationURL != want {
		t.Errorf("answer %s, hooks %+v; want null, and one hook with %d triggers that leads to %s", answer, hooks, len(triggers), want)
	}
}

// reconciled checks the answer of a run.
func reconciled(t *testing.T, _ *world, answer []byte) {
	t.Helper()
	var got reconcile.Report
	if err := json.Unmarshal(answer, &got); err != nil || got.Lag != 0 {
		t.Errorf("answer %s, %v, want a run that is not behind", answer, err)
	}
}

// refreshed checks that the grant has a new pair, and that each refresh token was presented at most once.
func refreshed(t *testing.T, w *world, answer []byte) {
	t.Helper()
	if string(answer) != "null" {
		t.Errorf("answer %s, want null", answer)
	}
	w.wantHeld(t, w.before.grant.Generation+1)
	for _, r := range w.Procore.State().RefreshTokens {
		if r.Presented > 1 {
			t.Errorf("a refresh token was presented %d times", r.Presented)
		}
	}
}
