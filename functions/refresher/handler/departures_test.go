package handler

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// members sets the members of the company.
func (r *refresher) members(company int64, users ...int64) {
	r.t.Helper()
	r.PatchCompany(company, procoretest.CompanyPatch{Members: &users})
}

func (r *refresher) wantState(c connections.Connection, want connections.State) {
	r.t.Helper()
	if got := r.Connection(c.Key); got.State != want {
		r.t.Errorf("%s is %s (%s), want %s", c.Key, got.State, got.Reason, want)
	}
}

// during lets time pass, with runs of both tasks.
func (r *refresher) during(all, step time.Duration) {
	r.t.Helper()
	for range int(all / step) {
		r.Clock.Advance(step)
		r.run("refresh")
		r.run("housekeeping")
	}
}

// A user who left the company is noticed within a day and a refresh, with one call a
// day. The company's other connections continue.
func TestUserLeaves(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.members(procoretest.MyConstruction, procoretest.Joe, procoretest.Ann)
	joe := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	ann := r.Connect(procoretest.MyConstruction, procoretest.Ann, connections.WebhooksOff)
	r.during(72*time.Hour, 2*time.Hour)
	if got := r.Requests("GET /rest/v1.0/companies"); got < 4 || got > 6 {
		t.Errorf("Procore was asked for two users %d times in three days, want one call a day for each", got)
	}
	if got, want := r.Requests(""), r.Requests("GET /rest/v1.0/companies")+r.Requests("POST /oauth/token"); got != want {
		t.Errorf("got %d requests, want %d: nothing but refreshes and the list of companies", got, want)
	}
	r.members(procoretest.MyConstruction, procoretest.Ann)
	r.during(26*time.Hour, 2*time.Hour)
	r.wantState(joe, connections.Ended)
	r.wantState(ann, connections.Connected)
	if got := r.live(); got != 1 {
		t.Errorf("%d pairs are alive at Procore, want Ann's alone", got)
	}
	requests := r.Requests("GET /rest/v1.1/projects")
	r.during(72*time.Hour, 2*time.Hour)
	if got := r.Requests("GET /rest/v1.1/projects"); got != requests || requests != 1 {
		t.Errorf("got %d and %d calls into the company, want the one of the departure", requests, got)
	}
	r.presented()
}

// An outage, a rate limit or a wrong list is not a departure. Nor is the company's
// disconnection.
func TestNoDeparture(t *testing.T) {
	t.Parallel()
	const companies, projects = "/rest/v1.0/companies", "/rest/v1.1/projects"
	status := func(endpoint string, status int) procoretest.Fault {
		return procoretest.Fault{Endpoint: endpoint, Kind: procoretest.Status, Status: status, Times: 99}
	}
	for name, tt := range map[string]struct {
		left  bool // the user did leave
		fault procoretest.Fault
	}{
		"503":                        {true, status(companies, 503)},
		"429":                        {true, status(companies, 429)},
		"401":                        {true, status(companies, 401)},
		"404 for the list":           {true, status(companies, 404)},
		"reset":                      {true, procoretest.Fault{Endpoint: companies, Kind: procoretest.Reset, Times: 99}},
		"not a list":                 {true, procoretest.Fault{Endpoint: companies, Kind: procoretest.Status, Status: 200, Body: "null?", Times: 99}},
		"an empty list":              {false, procoretest.Fault{Endpoint: companies, Kind: procoretest.Status, Status: 200, Body: "[]", Times: 99}},
		"503 for the company":        {true, status(projects, 503)},
		"429 for the company":        {true, status(projects, 429)},
		"401 for the company":        {true, status(projects, 401)},
		"reset for the company":      {true, procoretest.Fault{Endpoint: projects, Kind: procoretest.Reset, Times: 99}},
		"a permission for the users": {false, status(projects, 403)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRefresher(t)
			c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
			if tt.left {
				r.members(procoretest.MyConstruction)
			}
			r.ProcoreFails(tt.fault)
			r.Clock.Advance(checkEvery)
			r.during(6*time.Hour, 2*time.Hour)
			r.wantState(c, connections.Connected)
			if got := len(r.Log.Lines(t, "company not listed for the user, but accessible")); name == "an empty list" && got != 1 {
				t.Errorf("the list that was wrong was logged %d times in a day, want once", got)
			}
			r.Procore.ClearFaults()
			r.Clock.Advance(checkEvery)
			r.during(2*time.Hour, 2*time.Hour)
			if tt.left {
				r.wantState(c, connections.Ended)
			} else {
				r.wantState(c, connections.Connected)
			}
		})
	}
}

// The departure from an unused connection is noticed when it is refreshed, once in a
// month. The check does not count as a use.
func TestIdleUserLeaves(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	stays := r.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksOff)
	r.during(10*24*time.Hour, 12*time.Hour)
	r.members(procoretest.MyConstruction)
	before := r.Grant(stays.Principal)
	r.during(31*24*time.Hour, 12*time.Hour)
	r.wantState(c, connections.Ended)
	r.wantState(stays, connections.Connected)
	if got := r.Grant(stays.Principal); got.Generation != before.Generation+1 || !got.LastUsed.Equal(before.LastUsed) {
		t.Errorf("got generation %d, last used at %v; want %d, %v", got.Generation, got.LastUsed, before.Generation+1, before.LastUsed)
	}
}

// Procore wrongly hides a company from all of its 240 users. The brake counts over all
// runs, so that ten connections end until an operator acknowledges, and then ten more.
func TestHiddenCompany(t *testing.T) {
	t.Parallel()
	const users = 240
	r := newRefresher(t)
	all, members := r.users(procoretest.MyConstruction, users, connections.WebhooksOff)
	ended := func() (n int) {
		for _, c := range all {
			if r.Connection(c.Key).State == connections.Ended {
				n++
			}
		}
		return n
	}
	r.Clock.Advance(checkEvery)
	for part := range slices.Chunk(all, users/15) { // so that some are due in every run
		for _, c := range part {
			if _, err := r.h.tokens.Upkeep().Refresh(t.Context(), c.Principal, tokens.Ahead); err != nil {
				t.Fatal(err)
			}
		}
		r.Clock.Advance(5 * time.Minute)
	}
	r.members(procoretest.MyConstruction)
	hidden := func() {
		t.Helper()
		r.during(85*time.Minute, 5*time.Minute)
	}
	hidden()
	if got := ended(); got != 10 {
		t.Errorf("%d of %d connections ended, want 10", got, users)
	}
	lines := r.Log.Lines(t, "departures stopped until an operator acknowledges")
	if len(lines) < 15 || lines[0]["level"] != "ERROR" || lines[0]["endings"] != float64(10) {
		t.Errorf("got %d lines of stopped departures, first %v; want an error in each run", len(lines), lines)
	}
	r.wantMetric("DeparturesStopped", float64(len(lines)), len(lines))
	if got := len(r.Log.Lines(t, "departure withheld")); got < users-10 {
		t.Errorf("%d departures were withheld, want %d at least", got, users-10)
	}
	if was, err := r.h.departures.Acknowledge(t.Context()); err != nil || !was.Engaged() || was.Endings() != 10 || was.Withheld < users-10 {
		t.Errorf("acknowledged %+v, %v", was, err)
	}
	hidden()
	if got := ended(); got != 20 {
		t.Errorf("%d of %d connections ended after the acknowledgement, want 20", got, users)
	}
	r.members(procoretest.MyConstruction, members...) // Procore shows it again
	if _, err := r.h.departures.Acknowledge(t.Context()); err != nil {
		t.Error(err)
	}
	hidden()
	if got := ended(); got != 20 {
		t.Errorf("%d of %d connections ended after the company was back, want 20", got, users)
	}
}

// While Procore's API does not answer, refreshing continues after three checks.
func TestNoAnswers(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.users(procoretest.MyConstruction, 30, connections.WebhooksOff)
	r.Clock.Advance(checkEvery + time.Hour)
	r.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 503, Times: 999})
	r.run("refresh")
	if got := r.presented(); got != 30 {
		t.Errorf("got %d refreshes, want 30", got)
	}
	if got, most := r.Requests("GET /rest/v1.0/companies"), maxUnchecked+defaultWindow; got > most {
		t.Errorf("Procore was asked %d times, want at most %d", got, most)
	}
}

// If reconciling the hook finds a company without the user, the user is checked at
// once. Another user reconciles the hook of a creator who left.
func TestMakerLeaves(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.members(procoretest.MyConstruction, procoretest.Joe, procoretest.Ann)
	joe := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.run("housekeeping")
	ann := r.Connect(procoretest.MyConstruction, procoretest.Ann, connections.WebhooksPending)
	r.run("housekeeping")
	made := r.Procore.State().Hooks[0].ID
	r.members(procoretest.MyConstruction, procoretest.Ann)
	r.during(8*time.Hour, 2*time.Hour)
	r.wantState(joe, connections.Ended)
	r.wantState(ann, connections.Connected)
	if all := r.Procore.State().Hooks; len(all) != 1 || all[0].ID == made {
		t.Errorf("got hooks %+v, want one that Ann made", all)
	}
}

// After the last user's departure no connection can delete the hook; the log has its id.
func TestLastUserLeaves(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.run("housekeeping")
	r.members(procoretest.MyConstruction)
	r.during(8*time.Hour, 2*time.Hour)
	r.wantState(c, connections.Ended)
	lines := r.Log.Lines(t, "hook not deleted")
	if len(lines) != 1 || lines[0]["hook_id"] != procore.NewID(r.Procore.State().Hooks[0].ID).String() {
		t.Errorf("logged %v", lines)
	}
	requests := r.Requests("")
	r.during(14*24*time.Hour, 12*time.Hour)
	if got := r.Requests(""); got != requests {
		t.Errorf("got %d requests after the departure, want none", got-requests)
	}
}

// A company that disconnected the app is not called for weeks, whichever of its users
// were connected, until a user connects again.
func TestDisconnectedCompanyIsQuiet(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	off, on := false, true
	r.members(procoretest.MyConstruction, procoretest.Joe, procoretest.Ann)
	joe := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	ann := r.Connect(procoretest.MyConstruction, procoretest.Ann, connections.WebhooksPending)
	r.during(24*time.Hour, 2*time.Hour)
	r.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Connected: &off})
	r.during(8*time.Hour, 2*time.Hour)
	r.wantState(joe, connections.Disconnected)
	r.wantState(ann, connections.Disconnected)
	if got := refusals(r); got != 1 {
		t.Errorf("Procore said %d times that the app is not connected, want once", got)
	}
	calls := len(r.Procore.State().Calls)
	r.during(29*24*time.Hour, 12*time.Hour) // its grants are kept, because an admin may have erred
	r.wantGrant(joe, tokens.Active)
	r.wantGrant(ann, tokens.Active)
	r.during(2*24*time.Hour, 12*time.Hour)
	for _, c := range []connections.Connection{joe, ann} {
		r.wantState(c, connections.Ended)
		r.wantGrant(c, tokens.Revoked)
	}
	if got := len(r.Procore.State().Calls); got != calls {
		t.Errorf("got %d calls in a month, want none", got-calls)
	}
	requests := r.Requests("")
	r.during(11*24*time.Hour, 12*time.Hour)
	if got := r.Requests(""); got != requests {
		t.Errorf("got %d requests after the end, want none", got-requests)
	}
	r.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Connected: &on})
	r.Connect(procoretest.MyConstruction, procoretest.Ann, connections.WebhooksPending)
	r.run("housekeeping")
	r.wantState(ann, connections.Connected)
	if got := r.Connection(ann.Key).Webhooks; got != connections.WebhooksActive {
		t.Errorf("webhooks are %s after the company is back, want active", got)
	}
}

func refusals(r *refresher) (n int) {
	for _, c := range r.Procore.State().Calls {
		if c.Status == 403 {
			n++
		}
	}
	return n
}

// When the monthly sandbox is overwritten, all grants end in one run. That is not
// a failure of the run.
func TestMonthlyOverwrite(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.Environment.Name = "monthly"
	r.h.tokens.Environment, r.h.tokens.OAuth = r.Environment, r.OAuth()
	now := r.Clock.Now().UTC()
	r.Clock.Advance(time.Date(now.Year(), now.Month()+1, 1, 9, 0, 0, 0, time.UTC).Sub(now))
	all, ids := r.users(procoretest.MyConstruction, 8, connections.WebhooksOff)
	kill := procoretest.Kill
	if err := r.Procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &kill}); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		r.Pair(id, "http://127.0.0.1:3000/")
	}
	r.Clock.Advance(2 * time.Hour)
	r.run("refresh")
	for _, c := range all {
		r.wantGrant(c, tokens.Reauthorize)
	}
	r.wantMetric("GrantsOverwritten", 8, 8)
	line := r.Log.Lines(t, "refresh run finished")[0]
	if line["overwritten"] != float64(8) || line["failed"] != float64(0) {
		t.Errorf("logged %v, want 8 overwritten and none failed", line)
	}
	if loud := slices.DeleteFunc(strings.Split(r.Log.String(), "\n"), func(l string) bool {
		return !strings.Contains(l, `"level":"WARN"`) && !strings.Contains(l, `"level":"ERROR"`)
	}); len(loud) > 0 {
		t.Errorf("the log warns: %q", loud)
	}
}

// The breaker closes also while nothing is due, because other processes wait for it.
func TestProbeWithNothingDue(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	r.run("refresh")
	if got := r.Requests(""); got != 0 {
		t.Errorf("got %d requests while nothing was due and all was well, want none", got)
	}
	r.Clock.Advance(2 * time.Hour)
	r.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 503})
	r.fails("refresh", "nothing refreshed") // and the breaker is open
	if _, err := r.Tokens().Token(t.Context(), c.Principal); err == nil {
		t.Error("the breaker is closed")
	}
	r.Fault(functiontest.Down)
	r.fails("refresh", "tokens:")
	r.Fault(nil)
	if err := r.h.store.End(t.Context(), c.Key, "so that nothing is due"); !errors.Is(err, tokens.ErrTryAgain) {
		t.Fatalf("got %v, want that the revocation waits for the breaker", err)
	}
	r.run("refresh")
	if b, err := r.h.tokens.Upkeep().Breaker(t.Context()); err != nil || b.Open {
		t.Errorf("got %+v, %v; want the breaker closed", b, err)
	}
}
