package procoretest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func steer(t *testing.T, p *Server, method, path, body string) reply {
	t.Helper()
	return mustSend(t, request(t, method, p.URL+"/_fake/"+path, body, "Content-Type", "application/json"))
}

func TestControl(t *testing.T) {
	t.Parallel()
	p := Start(t)
	rec := receive(t, nil)
	pair := p.Token(t, Joe, redirect)
	hook := newHook(t, p, pair.AccessToken, rec.URL, "v2.0")
	addTrigger(t, p, pair.AccessToken, hook, "RFIs", "create")

	var emitted Emitted
	steer(t, p, "POST", "events", `{"company_id":5678,"project_id":2001,"resource_name":"RFIs","resource_id":4242,"event_type":"create","user_id":1234567,"copies":2}`).
		wants(t, 200, `"event_ids":["`).into(t, &emitted)
	for range 2 {
		if d := rec.next(t); emitted.ResourceID != "4242" || !strings.Contains(d.body, emitted.EventIDs[0]) {
			t.Errorf("emitted %+v, delivered %s", emitted, d.body)
		}
	}
	api(t, p, pair.AccessToken, MyConstruction, "GET", "/rest/v1.0/projects/2001/rfis/4242", "").wants(t, 200, "RFIs 4242")

	steer(t, p, "PATCH", "companies/5678", `{"user_installs":false,"connected":false}`).wants(t, 200, `"user_installs":false`)
	steer(t, p, "PATCH", "companies/1", `{}`).wants(t, 400, "does not exist")
	steer(t, p, "PATCH", "options", `{"second_authorization":"kill"}`).wants(t, 200, "ok")
	steer(t, p, "PATCH", "options", `{"second_authorization":"forget"}`).wants(t, 400, "keep, kill or return")
	steer(t, p, "POST", "faults", `{"endpoint":"/rest/v1.0/me","kind":"status","status":503,"headers":{"Retry-After":"7"},"times":2}`).wants(t, 200, "ok")
	for range 2 {
		if got := api(t, p, pair.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 503, "fault"); got.header.Get("Retry-After") != "7" {
			t.Errorf("headers %v", got.header)
		}
	}
	api(t, p, pair.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "Joe")
	steer(t, p, "POST", "faults", `{"endpoint":"api","kind":"status","status":500}`).wants(t, 200, "ok")
	steer(t, p, "DELETE", "faults", "").wants(t, 200, "ok")
	api(t, p, pair.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "Joe")
	before := p.Now()
	steer(t, p, "POST", "clock", `{"advance_seconds":3600}`).wants(t, 200, "now")
	if got := p.Now().Sub(before); got < time.Hour || got > time.Hour+time.Minute {
		t.Errorf("the clock advanced by %v", got)
	}

	var st State
	all := steer(t, p, "GET", "state", "").wants(t, 200, `"presented":0`)
	all.into(t, &st)
	if len(st.Users) != 3 || len(st.Companies) != 5 || st.Company(MyConstruction).Connected || len(st.Hooks) != 1 || len(st.Hooks[0].Triggers) != 1 || len(st.Calls) == 0 {
		t.Errorf("state %+v", st)
	}
	for _, secret := range []string{pair.AccessToken, pair.RefreshToken, "hook-secret", "fake-client-secret"} {
		if strings.Contains(all.body, secret) {
			t.Errorf("the state contains %s", secret)
		}
	}
}

func TestControlRefusals(t *testing.T) {
	t.Parallel()
	p := Start(t)
	for _, tt := range []struct{ method, path, body string }{
		{"POST", "events", `{"company_id":1,"resource_name":"RFIs","event_type":"update"}`},
		{"POST", "events", `{"company_id":5678,"project_id":3001,"resource_name":"RFIs","event_type":"update"}`},
		{"POST", "events", `{"company_id":5678,"resource_name":"","event_type":"update"}`},
		{"POST", "events", `{"company_id":5678,"resource_name":"RFIs","event_type":"UP DATE"}`},
		{"POST", "events", `{"company_id":5678,"resource_name":"RFIs","event_type":"update","copies":1000}`},
		{"POST", "events", `{"company_id":5678,"resource_name":"RFIs","event_type":"update","resource_id":-1}`},
		{"POST", "events", `{"company_id":5678,"resource_name":"RFIs","event_type":"update","misspelt":1}`},
		{"POST", "faults", `{"endpoint":"nowhere","kind":"drop"}`},
		{"POST", "faults", `{"endpoint":"/_fake/state","kind":"drop"}`},
		{"POST", "faults", `{"endpoint":"api","kind":"explode"}`},
		{"POST", "faults", `{"endpoint":"api","kind":"status"}`},
		{"POST", "faults", `{"endpoint":"api","kind":"drop","times":-1}`},
		{"POST", "faults", `{"endpoint":"api","kind":"delay","delay_ms":99999999}`},
		{"POST", "faults", `{"endpoint":"api","kind":"drop","seconds":-1}`},
		{"POST", "faults", `{"endpoint":"api","kind":"hangup"}`},
		{"POST", "faults", `{"kind":"hangup","method":"POST"}`},
		{"POST", "faults", `{"kind":"hangup","company_id":5678}`},
		{"POST", "faults", `{"kind":"hangup","times":-1}`},
		{"POST", "faults", `{"kind":"hangup","seconds":-1}`},
		{"POST", "faults", `{"kind":"drop"}`},
		{"PATCH", "hooks/1", `{"disabled":true}`},
		{"PATCH", "hooks/one", `{}`},
		{"POST", "redeliveries", `{"delivery_id":1}`},
		{"POST", "clock", `{"advance_seconds":-1}`},
		{"PATCH", "options", `{"expires_in_seconds":0}`},
		{"PATCH", "options", `{"spike_limit":0}`},
		{"PATCH", "companies/5678", `{"user_install":false}`},
		{"POST", "users", `{"id":1234567,"name":"Again"}`},
		{"POST", "companies", `{"id":5678,"name":"Again"}`},
		{"POST", "companies", `{"id":5679,"name":"Other","projects":[{"id":2001,"name":"Taken"}]}`},
	} {
		got := steer(t, p, tt.method, tt.path, tt.body)
		if got.status != 400 || !strings.Contains(got.body, `{"error":"`) {
			t.Errorf("%s %s: %d %s", tt.path, tt.body, got.status, got.body)
		}
	}
	steer(t, p, "GET", "nothing", "").wants(t, 404, "error")
}

func TestFaultKinds(t *testing.T) {
	t.Parallel()
	p := Start(t)
	pair := p.Token(t, Joe, redirect)
	const path = "/rest/v1.0/companies/5678/users"
	call := func() (reply, error) {
		return send(t, request(t, http.MethodGet, p.URL+path, "", "Authorization", "Bearer "+pair.AccessToken, companyHeader, "5678"))
	}
	for _, tt := range []struct {
		kind      string
		lost      bool
		installed bool
	}{{Reset, true, false}, {Status, false, false}, {Drop, true, true}, {Delay, false, true}} {
		no := false
		p.UpdateCompany(MyConstruction, CompanyPatch{Installed: &no})
		if err := p.Fault(Fault{Endpoint: path, Method: "GET", Kind: tt.kind, Status: 502, DelayMS: 20}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		got, err := call()
		if (err != nil) != tt.lost || p.Company(MyConstruction).Installed != tt.installed {
			t.Errorf("%s: %d, error %v, installed %t", tt.kind, got.status, err, !tt.installed)
		}
		if tt.kind == Reset && !strings.Contains(fmt.Sprint(err), "reset") {
			t.Errorf("reset: %v", err)
		}
		if tt.kind == Delay && time.Since(start) < 20*time.Millisecond {
			t.Errorf("delay: answered after %v", time.Since(start))
		}
	}
	if n := len(p.State().Calls); n != 4 {
		t.Errorf("%d calls were recorded", n)
	}
}

// A fault of one company answers no call of another, nor /me.
func TestFaultOfOneCompany(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	projects := func(company int64, status int) {
		t.Helper()
		api(t, p, token, company, "GET", fmt.Sprintf("/rest/v1.0/companies/%d/projects", company), "").wants(t, status, "")
	}
	if err := p.Fault(Fault{Endpoint: "api", CompanyID: MyConstruction, Kind: Status, Status: 401, Times: 2}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{401, 401, 200} {
		api(t, p, token, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "Joe")
		projects(HarborHill, 200)
		projects(MyConstruction, want)
	}
	// A company where the app is not installed may answer 401 as long as it is not.
	if err := p.UpdateCompany(HarborHill, CompanyPatch{Installed: new(false), UnauthorizedUntilInstalled: new(true)}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		projects(HarborHill, 401)
		api(t, p, token, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "Joe")
	}
}

// A fault with Seconds lasts until then, however often it is met, or until Times are over.
func TestFaultForAWhile(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	me := func(status int) { t.Helper(); api(t, p, token, 0, "GET", "/rest/v1.0/me", "").wants(t, status, "") }
	for _, times := range []int{0, 2} {
		if err := p.Fault(Fault{Endpoint: "/rest/v1.0/me", Kind: Status, Status: 503, Seconds: 300, Times: times}); err != nil {
			t.Fatal(err)
		}
		me(503)
		p.Advance(4 * time.Minute)
		me(503)
		if times == 0 {
			me(503)
			p.Advance(2 * time.Minute)
		}
		me(200)
	}
	if err := p.Fault(Fault{Endpoint: "/rest/v1.0/me", Kind: Status, Status: 503}); err != nil {
		t.Fatal(err)
	}
	api(t, p, token, 0, "GET", "/rest/v1.0/meetings", "").wants(t, 404, "") // another path
	me(503)
	me(200)
}

// Kind Hangup closes the connection before the request is read, so the fake knows
// nothing of it.
func TestHangup(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	if err := p.Fault(Fault{Kind: Hangup, Times: 2}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		// net/http repeats a GET whose connection was closed, but no POST.
		if got, err := send(t, request(t, "POST", p.URL+"/rest/v1.0/me", "{}", "Authorization", "Bearer "+token)); err == nil {
			t.Errorf("answered %d", got.status)
		}
	}
	api(t, p, token, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "Joe")
	if n := len(p.State().Calls); n != 1 {
		t.Errorf("%d calls were recorded, want 1", n)
	}
}

func TestCallsAreBounded(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{HourlyLimit: 1_000_000, SpikeLimit: 1_000_000})
	r := request(t, "GET", "/rest/v1.0/me", "")
	for range maxCalls + 10 {
		p.route(&answer{header: http.Header{}}, r)
	}
	if n := len(p.State().Calls); n > maxCalls || n < maxCalls/2 {
		t.Errorf("%d calls are kept", n)
	}
}

// Wait returns as soon as the state is the wanted one, and with its context at the latest.
func TestWait(t *testing.T) {
	t.Parallel()
	p := Start(t)
	waits := make(chan struct{})
	go func() {
		<-waits
		if _, err := p.Emit(Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create", Title: "Waited for"}); err != nil {
			t.Error(err)
		}
	}()
	has := func(st State) bool {
		return slices.ContainsFunc(st.Resources, func(r Resource) bool { return r.Title == "Waited for" })
	}
	var once sync.Once
	st, err := p.Wait(t.Context(), func(st State) bool {
		defer once.Do(func() { close(waits) }) // the first state has been read
		return has(st)
	})
	if err != nil || !has(st) {
		t.Errorf("Wait = %v, want the state with the RFI", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Wait(ctx, func(State) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v, want the context's error", err)
	}
}
