package handler

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/upkeep/installations"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// serviceAccountRefresher is the function of an app that works with its service account.
func serviceAccountRefresher(t *testing.T) *refresher {
	t.Helper()
	r := newRefresher(t)
	r.h.installations = &installations.Watch{
		Store: r.h.store, Departures: r.h.departures, Allowed: config.Companies{All: true}, Webhooks: connections.WebhooksPending, Log: r.Log.Logger,
	}
	return r
}

func app(company int64) connections.Key {
	return connections.Key{CompanyID: company, Principal: tokens.App}
}

// install makes an administrator install the app, or remove it.
func (r *refresher) install(installed bool, companies ...int64) {
	r.t.Helper()
	for _, id := range companies {
		r.PatchCompany(id, procoretest.CompanyPatch{Installed: &installed})
	}
}

// installations adds companies that installed the app, whose ids begin with this one.
func (r *refresher) installations(first int64, n int) (ids []int64) {
	r.t.Helper()
	for id := first; id < first+int64(n); id++ {
		c := procoretest.NewCompany(id, "One of Many")
		c.Installed, c.ServiceAccount = true, true
		if err := r.Procore.AddCompany(c); err != nil {
			r.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// housekeeping lets time pass and runs the task.
func (r *refresher) housekeeping(after time.Duration) {
	r.t.Helper()
	r.Clock.Advance(after)
	r.run("housekeeping")
}

// wantInstalled fails the test unless the service account has connected exactly these
// companies.
func (r *refresher) wantInstalled(want ...int64) {
	r.t.Helper()
	var got []int64
	for key, err := range r.Store().Installed(r.t.Context(), connections.Connected) {
		if err != nil {
			r.t.Fatal(err)
		}
		got = append(got, key.CompanyID)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		r.t.Errorf("the service account has connected %v, want %v", got, want)
	}
}

// A company that installs the app is connected and has its hook within one run, and one
// that removes the app ends. Nothing is written in the meantime.
func TestInstallations(t *testing.T) {
	t.Parallel()
	r := serviceAccountRefresher(t)
	r.housekeeping(0)
	r.wantInstalled()
	r.install(true, procoretest.MyConstruction, procoretest.HarborHill)
	r.housekeeping(5 * time.Minute)
	r.wantInstalled(procoretest.MyConstruction, procoretest.HarborHill)
	c := r.Connection(app(procoretest.MyConstruction))
	if c.CompanyName != "My Construction Company" || c.Webhooks != connections.WebhooksActive {
		t.Errorf("got %q with webhooks %s, want the company's name and an active hook", c.CompanyName, c.Webhooks)
	}
	if got := len(r.Procore.State().Hooks); got != 2 {
		t.Errorf("got %d hooks, want one for each company", got)
	}
	r.Storage()
	r.housekeeping(5 * time.Minute)
	writes := slices.DeleteFunc(r.Storage(), func(op string) bool { return op == "Query" || op == "GetItem" })
	slices.Sort(writes)
	if heartbeats := []string{"PutItem", "UpdateItem", "UpdateItem"}; !slices.Equal(writes, heartbeats) {
		t.Errorf("got %v although nothing changed, want the heartbeats", writes)
	}
	r.install(false, procoretest.HarborHill)
	r.housekeeping(5 * time.Minute)
	r.wantInstalled(procoretest.MyConstruction)
	if got := r.Connection(app(procoretest.HarborHill)); got.State != connections.Ended || got.Reason != "the app was uninstalled" {
		t.Errorf("got %s (%s), want the connection ended", got.State, got.Reason)
	}
	r.install(true, procoretest.HarborHill) // again
	r.housekeeping(5 * time.Minute)
	r.wantInstalled(procoretest.MyConstruction, procoretest.HarborHill)
	if got := r.Requests("POST /oauth/token"); got != 1 {
		t.Errorf("got %d token requests, want 1", got)
	}
	r.wantMetric("CompaniesInstalled", 3, 3)
	r.wantMetric("CompaniesUninstalled", 1, 1)
}

// Without the service account, nothing is listed; before the setup, nothing fails.
func TestNoServiceAccount(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.install(true, procoretest.MyConstruction)
	r.housekeeping(0)
	r.wantInstalled()
	r = serviceAccountRefresher(t)
	r.Secrets.Put(functiontest.AppSecret, `{"client_id":"FILL-IN","client_secret":"FILL-IN"}`)
	r.housekeeping(0)
	if got := r.Requests(""); got != 0 {
		t.Errorf("got %d requests before the setup, want none", got)
	}
}

// Only admitted and active companies are connected. One that was connected before remains.
func TestAdmittedInstallations(t *testing.T) {
	t.Parallel()
	r := serviceAccountRefresher(t)
	r.install(true, procoretest.MyConstruction, procoretest.HarborHill, procoretest.LockedGate)
	inactive := false
	r.PatchCompany(procoretest.LockedGate, procoretest.CompanyPatch{IsActive: &inactive})
	r.h.installations.Allowed = config.Companies{IDs: []int64{procoretest.MyConstruction, procoretest.LockedGate}}
	r.housekeeping(0)
	r.wantInstalled(procoretest.MyConstruction)
	r.h.installations.Allowed = config.Companies{IDs: []int64{procoretest.HarborHill}}
	r.housekeeping(5 * time.Minute)
	r.wantInstalled(procoretest.MyConstruction, procoretest.HarborHill)
}

// Where Procore lists companies only to a call that names one, a company that is connected
// is named, or else an allowed one, whatever the refusal's status is. A process asks
// without a name once.
func TestListNeedsAHeader(t *testing.T) {
	t.Parallel()
	for _, crooked := range []string{"", "no-header-401", "no-header-403"} {
		t.Run(crooked, func(t *testing.T) {
			t.Parallel()
			r := serviceAccountRefresher(t)
			need := true
			if err := r.Procore.UpdateOptions(procoretest.OptionsPatch{CompaniesNeedHeader: &need, Crooked: &crooked}); err != nil {
				t.Fatal(err)
			}
			r.install(true, procoretest.MyConstruction, procoretest.HarborHill)
			r.fails("housekeeping", "set ALLOWED_COMPANIES")
			r.h.installations.Allowed = config.Companies{IDs: []int64{procoretest.LockedGate, procoretest.MyConstruction, procoretest.HarborHill}}
			r.housekeeping(5 * time.Minute) // the first of them has not installed it
			r.wantInstalled(procoretest.MyConstruction, procoretest.HarborHill)
			r.h.installations.Allowed = config.Companies{All: true}
			r.install(false, procoretest.MyConstruction)
			r.install(true, procoretest.LockedGate)
			r.housekeeping(5 * time.Minute)
			r.wantInstalled(procoretest.LockedGate, procoretest.HarborHill)
			if got := r.Requests("POST /oauth/token"); got != 1 {
				t.Errorf("got %d token requests, want 1", got)
			}
			unnamed := 0
			for _, call := range r.Procore.State().Calls {
				if call.CompanyID == 0 && call.Path == "/rest/v1.0/companies" {
					unnamed++
				}
			}
			if unnamed > 2 { // after a 401, it is asked whether the token is good
				t.Errorf("got %d calls without a company, want those of the first run", unnamed)
			}
		})
	}
}

// A list that ends early connects the companies that it has, and ends no connection.
func TestPartialList(t *testing.T) {
	t.Parallel()
	r := serviceAccountRefresher(t)
	ids := r.installations(700, 3)
	r.housekeeping(0)
	r.install(false, ids[0])
	r.install(true, procoretest.MyConstruction)
	r.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.0/companies", Kind: procoretest.Status, Status: http.StatusOK,
		Body: fmt.Sprintf(`[{"id":%d,"name":"A Company"}]`, procoretest.MyConstruction), Headers: map[string]string{"Total": "3"}, Times: 1})
	r.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.0/companies", Kind: procoretest.Status, Status: http.StatusBadGateway, Times: 9})
	r.Clock.Advance(5 * time.Minute)
	r.fails("housekeeping", "could not be listed")
	r.wantInstalled(append(ids, procoretest.MyConstruction)...)
	r.Procore.ClearFaults()
	r.housekeeping(5 * time.Minute)
	r.wantInstalled(append(ids[1:], procoretest.MyConstruction)...)
}

// An empty list beside companies that answer ends none, although one of them did remove
// the app. Nor are those that answer asked in each run.
func TestEmptyList(t *testing.T) {
	t.Parallel()
	r := serviceAccountRefresher(t)
	ids := r.installations(700, 5)
	r.housekeeping(0)
	r.install(false, ids[2])
	r.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.0/companies", Kind: procoretest.Status, Status: http.StatusOK, Body: "[]", Times: 1})
	asked := r.Requests("GET /rest/v1.1/projects")
	r.housekeeping(5 * time.Minute)
	r.wantInstalled(ids...)
	if got := r.Requests("GET /rest/v1.1/projects") - asked; got != 5 {
		t.Errorf("%d companies were asked, want 5", got)
	}
	if lines := r.Log.Lines(t, "list of installations lacks companies that answer"); len(lines) != 1 || lines[0]["answered"] != 4.0 {
		t.Errorf("got %v, want one line with the companies that answered", lines)
	}
	r.Procore.ClearFaults()
	r.housekeeping(5 * time.Minute)
	r.wantInstalled(700, 701, 703, 704)
}

// The brake of departures bounds the endings of a day: no more than ten of thirty companies
// end although the list lacks them and they refuse a call, until an operator acknowledges.
func TestManyUninstall(t *testing.T) {
	t.Parallel()
	r := serviceAccountRefresher(t)
	ids := r.installations(700, 30)
	r.housekeeping(0)
	r.install(false, ids...)
	for range 5 {
		r.housekeeping(5 * time.Minute)
	}
	left := func() (n int) {
		for _, err := range r.Store().Installed(t.Context(), connections.Connected) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	if got := left(); got != 20 {
		t.Errorf("%d companies are connected, want 20", got)
	}
	asked := r.Requests("GET /rest/v1.1/projects")
	r.housekeeping(24 * time.Hour)
	if got := r.Requests("GET /rest/v1.1/projects"); got != asked {
		t.Errorf("%d companies were asked while the brake is engaged", got-asked)
	}
	r.run("refresh")
	if lines := r.Log.Lines(t, "departures stopped until an operator acknowledges"); len(lines) != 1 {
		t.Errorf("got %d lines of a stopped brake, want one for the run", len(lines))
	}
	if _, err := r.h.departures.Acknowledge(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.housekeeping(5 * time.Minute)
	if got := left(); got != 10 {
		t.Errorf("%d companies are connected after the acknowledgement, want 10", got)
	}
}

// Of companies that vanish from the list, those whose answers prove nothing stay.
func TestVanishedWithoutProof(t *testing.T) {
	t.Parallel()
	r := serviceAccountRefresher(t)
	r.installations(700, 2)
	r.housekeeping(0)
	r.install(false, 700, 701)
	r.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.1/projects", CompanyID: 700, Kind: procoretest.Status, Status: http.StatusServiceUnavailable, Times: 1})
	r.Clock.Advance(5 * time.Minute)
	r.fails("housekeeping", "503")
	r.wantInstalled(700)
	r.housekeeping(5 * time.Minute)
	r.wantInstalled()
}

// However Procore refuses a company that vanished from the list, its connection ends.
func TestVanishedHowever(t *testing.T) {
	t.Parallel()
	r := serviceAccountRefresher(t)
	r.installations(700, 4)
	r.housekeeping(0)
	yes, no := true, false
	r.PatchCompany(700, procoretest.CompanyPatch{Installed: &no})                                   // 403
	r.PatchCompany(701, procoretest.CompanyPatch{Installed: &no, UnauthorizedUntilInstalled: &yes}) // 401
	r.PatchCompany(702, procoretest.CompanyPatch{Connected: &no})                                   // 403, not connected
	r.PatchCompany(703, procoretest.CompanyPatch{ServiceAccount: &no})                              // 404
	r.housekeeping(5 * time.Minute)
	r.wantInstalled()
	if got := r.Requests("POST /oauth/token"); got != 1 {
		t.Errorf("got %d token requests, want 1", got)
	}
}

// Procore may list a company that an administrator disconnected. It is asked again, ever
// more rarely, and is connected again when it answers.
func TestDisconnectedInstallation(t *testing.T) {
	t.Parallel()
	r := serviceAccountRefresher(t)
	r.install(true, procoretest.MyConstruction)
	r.housekeeping(0)
	key := app(procoretest.MyConstruction)
	c := r.Connection(key)
	if err := r.Store().Disconnect(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	refusal := procoretest.Fault{Endpoint: "/rest/v1.1/projects", Kind: procoretest.Status, Status: http.StatusForbidden,
		Body: `{"errors":["App is not connected to this company."]}`, Times: 100}
	r.ProcoreFails(refusal)
	before := r.Requests("GET /rest/v1.1/projects")
	for range 48 {
		r.housekeeping(30 * time.Minute)
	}
	if got := r.Requests("GET /rest/v1.1/projects") - before; got < 4 || got > 6 {
		t.Errorf("the company was asked %d times in a day, want 4 to 6", got)
	}
	if got := r.Connection(key).State; got != connections.Disconnected {
		t.Errorf("the connection is %s, want disconnected", got)
	}
	r.Procore.ClearFaults()
	r.housekeeping(24 * time.Hour)
	if got := r.Connection(key); got.State != connections.Connected || got.Webhooks != connections.WebhooksActive {
		t.Errorf("the connection is %s with webhooks %s, want it connected again", got.State, got.Webhooks)
	}
}

// In mixed mode the service account serves where it is installed, and a user elsewhere.
func TestMixedMode(t *testing.T) {
	t.Parallel()
	r := serviceAccountRefresher(t)
	r.Connect(procoretest.HarborHill, procoretest.Joe, connections.WebhooksPending)
	joe := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.install(true, procoretest.MyConstruction)
	r.housekeeping(0)
	serves := func(company int64, want tokens.Principal) {
		t.Helper()
		if c, err := r.Store().ForCompany(t.Context(), company); err != nil || c.Principal != want {
			t.Errorf("company %d is served by %s, %v; want %s", company, c.Principal, err, want)
		}
	}
	serves(procoretest.MyConstruction, tokens.App)
	serves(procoretest.HarborHill, joe.Principal)
	if got := len(r.Procore.State().Hooks); got != 2 {
		t.Errorf("got %d hooks, want one for each company", got)
	}
}

// A failure of storage ends none, and the next run does what this one did not.
func TestInstallationsWithoutStorage(t *testing.T) {
	t.Parallel()
	r := serviceAccountRefresher(t)
	r.installations(700, 2)
	r.Fault(func(operation string, body []byte) dynamotest.Fault {
		if operation == "UpdateItem" && strings.Contains(string(body), `#701"`) {
			return dynamotest.Fault{Code: "InternalServerError"}
		}
		return dynamotest.Fault{}
	})
	r.fails("housekeeping", "company 701")
	r.wantInstalled(700)
	r.Fault(nil)
	r.housekeeping(5 * time.Minute)
	r.wantInstalled(700, 701)
}
