package handler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// installed connects n companies by the service account; their ids begin with this one.
func (r *refresher) installed(first int64, n int) (all []connections.Connection) {
	r.t.Helper()
	for id := first; id < first+int64(n); id++ {
		company := procoretest.NewCompany(id, "One of Many", procoretest.Max)
		company.ServiceAccount, company.Installed = true, true
		if err := r.Procore.AddCompany(company); err != nil {
			r.t.Fatal(err)
		}
		if err := r.h.store.AddServiceAccount(r.t.Context(), id, company.Name, connections.WebhooksPending); err != nil {
			r.t.Fatal(err)
		}
		all = append(all, r.Connection(connections.Key{CompanyID: id, Principal: tokens.App}))
	}
	return all
}

// limits makes Procore answer 429 to the next call for each of the companies, for half
// an hour.
func (r *refresher) limits(all ...connections.Connection) {
	r.t.Helper()
	for _, c := range all {
		r.ProcoreFails(procoretest.Fault{
			Endpoint: "api", CompanyID: c.CompanyID, Kind: procoretest.Status, Status: http.StatusTooManyRequests, Headers: map[string]string{"Retry-After": "1800"},
		})
	}
}

// called returns the companies for which Procore was called, in the order of their first
// calls, without the first n calls.
func (r *refresher) called(n int) (companies []int64) {
	for _, c := range r.Procore.State().Calls[n:] {
		if !slices.Contains(companies, c.CompanyID) {
			companies = append(companies, c.CompanyID)
		}
	}
	return companies
}

// When Procore's rate limit is used up, a pass ends before a call is rejected, and a later
// run continues. That is not a failure.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	all := r.companies(procoretest.Max, 6, connections.WebhooksPending)
	spike := 17 // a new hook takes eight calls
	if err := r.Procore.UpdateOptions(procoretest.OptionsPatch{SpikeLimit: &spike}); err != nil {
		t.Fatal(err)
	}
	refused := func() (n int) {
		for _, c := range r.Procore.State().Calls {
			if c.Status == http.StatusTooManyRequests {
				n++
			}
		}
		return n
	}
	for run := 1; run <= 3; run++ {
		r.run("housekeeping")
		if got := refused(); got > 0 {
			t.Errorf("run %d: %d calls were refused", run, got)
		}
		if got := len(r.Procore.State().Hooks); got > 3*run {
			t.Errorf("run %d: there are %d hooks already", run, got)
		}
		r.Clock.Advance(5 * time.Minute)
	}
	r.run("housekeeping")
	for _, c := range all {
		if got := r.Connection(c.Key).Webhooks; got != connections.WebhooksActive {
			t.Errorf("%s: webhooks are %s", c.Key, got)
		}
	}
}

// A user's rate limit is used up: all companies of that user wait for its end after one
// call, and no other company does. They are not overdue in the meantime.
func TestRateLimitSkipsItsOwner(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	limited := r.companies(procoretest.Max, 5, connections.WebhooksPending)
	r.limits(limited...)
	r.Clock.Advance(time.Minute)
	others := []connections.Connection{
		r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending),
		r.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksPending),
	}
	r.run("housekeeping")
	for _, c := range others {
		r.wantWebhooks(c, connections.WebhooksActive, provision.Recheck)
	}
	for _, c := range limited {
		if got := r.Connection(c.Key); got.Webhooks != connections.WebhooksPending || got.CheckAt.Sub(r.Clock.Now()).Round(time.Minute) != 30*time.Minute {
			t.Errorf("%s is %s, checked in %v; want pending, in half an hour", c.Key, got.Webhooks, got.CheckAt.Sub(r.Clock.Now()))
		}
	}
	if got, lines := r.called(0), r.Log.Lines(t, "rate limited, the companies of this owner wait"); len(got) != 3 || len(lines) != 1 {
		t.Errorf("Procore was called for the companies %v, and %d passes were limited; want three, and one", got, len(lines))
	}
	r.wantMetric("OldestCheckSeconds", 0, 1)
	r.Procore.ClearFaults()
	calls := len(r.Procore.State().Calls)
	r.Clock.Advance(29 * time.Minute)
	r.run("housekeeping")
	if got := r.called(calls); len(got) > 0 {
		t.Errorf("Procore was called for %v before the limit's end", got)
	}
	r.wantMetric("OldestCheckSeconds", 0, 2)
	r.Clock.Advance(2 * time.Minute)
	r.run("housekeeping")
	for _, c := range limited {
		r.wantWebhooks(c, connections.WebhooksActive, provision.Recheck)
	}
}

// A company has two users, and the rate limit of one is used up: the other one's
// connection serves it.
func TestRateLimitOfOneUser(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	limited := r.companies(procoretest.Max, 2, connections.WebhooksPending)
	r.run("housekeeping")
	r.members(limited[1].CompanyID, procoretest.Joe, procoretest.Max)
	r.Clock.Advance(provision.Recheck)
	r.Connect(limited[1].CompanyID, procoretest.Joe, connections.WebhooksPending)
	run := &checkRun{handler: r.h, seen: map[int64]bool{}, busy: map[string]bool{}, limited: map[string]time.Time{
		limited[0].Owner(): r.Clock.Now().Add(time.Minute),
	}}
	for _, c := range limited {
		if err := run.check(t.Context(), c.CompanyID); err != nil {
			t.Error(err)
		}
	}
	r.wantWebhooks(limited[0], connections.WebhooksActive, time.Minute)
	r.wantWebhooks(limited[1], connections.WebhooksActive, provision.Recheck)
}

// The service account has a rate limit in each company.
func TestRateLimitOfTheServiceAccount(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	all := r.installed(700, 8)
	r.limits(all[:4]...)
	r.run("housekeeping")
	if got := len(r.Log.Lines(t, "rate limited, the companies of this owner wait")); got != 4 {
		t.Errorf("%d companies found their limit, want 4", got)
	}
	for i, c := range all {
		want := connections.WebhooksActive
		if i < 4 {
			want = connections.WebhooksPending
		}
		if got := r.Connection(c.Key).Webhooks; got != want {
			t.Errorf("%s: webhooks are %s, want %s", c.Key, got, want)
		}
	}
}

// A new customer does not wait for the routine checks of others, not even one who comes
// while the run is under way.
func TestNewCustomersAreFirst(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.h.passes = 1
	routine := r.installed(700, 30)
	r.run("housekeeping")
	r.Clock.Advance(provision.Recheck + time.Hour)
	early := r.installed(800, 3)
	calls := len(r.Procore.State().Calls)
	checked := 0
	r.Fault(func(operation string, body []byte) dynamotest.Fault {
		if operation != "UpdateItem" || !strings.Contains(string(body), `"webhook"`) { // a lease is taken, or released
			return dynamotest.Fault{}
		}
		if checked++; checked == 20 {
			r.Fault(nil)
			r.installed(900, 2)
			r.Clock.Advance(relistEvery)
		}
		return dynamotest.Fault{}
	})
	r.run("housekeeping")
	got := r.called(calls)
	if len(got) != len(routine)+len(early)+2 {
		t.Fatalf("%d companies were checked: %v", len(got), got)
	}
	for _, c := range early {
		if at := slices.Index(got, c.CompanyID); at >= len(early) {
			t.Errorf("company %d was checked after %d others, want it among the first", c.CompanyID, at)
		}
	}
	for id := int64(900); id < 902; id++ {
		if at := slices.Index(got, id); at > 15 {
			t.Errorf("company %d, which came later, was checked after %d others, want it next", id, at)
		}
	}
}

// gate is a source of webhook keys that passes wait for: all but the first few, until there
// are enough of them.
type gate struct {
	keys.Source[*credential.Ring]
	mu          sync.Mutex
	first, most int
	passes      int
	full        chan struct{}
}

func (g *gate) Get(ctx context.Context) (*credential.Ring, error) {
	g.mu.Lock()
	g.passes++
	mine := g.passes
	if mine == g.first+g.most {
		close(g.full)
	}
	g.mu.Unlock()
	if mine <= g.first {
		return g.Source.Get(ctx)
	}
	select {
	case <-g.full:
	case <-time.After(20 * time.Second):
		return nil, errors.New("no other passes are under way")
	}
	return g.Source.Get(ctx)
}

// Several companies are checked at once, one more for each that Procore answered, but of one
// user one after the other.
func TestPassesAtOnce(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.installed(800, 6)
	r.companies(procoretest.Max, 5, connections.WebhooksPending)
	r.h.hooks.Ring = &gate{Source: r.h.hooks.Ring, first: 3, most: 4, full: make(chan struct{})}
	r.run("housekeeping")
	if got := len(r.Procore.State().Hooks); got != 11 {
		t.Errorf("there are %d hooks, want 11", got)
	}
	var order []int64
	for _, c := range r.Procore.State().Calls {
		if c.UserID == procoretest.Max {
			order = append(order, c.CompanyID)
		}
	}
	if order = slices.Compact(order); len(order) != 5 {
		t.Errorf("the user's calls were for the companies %v, want each once", order)
	}
}

// faulty is a source of webhook keys that panics once.
type faulty struct {
	keys.Source[*credential.Ring]
	done atomic.Bool
}

func (f *faulty) Get(ctx context.Context) (*credential.Ring, error) {
	if !f.done.Swap(true) {
		panic("an odd company")
	}
	return f.Source.Get(ctx)
}

// A company whose check panics fails alone.
func TestPanicOfOneCompany(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.installed(700, 3)
	r.h.hooks.Ring = &faulty{Source: r.h.hooks.Ring}
	r.fails("housekeeping", "the check of company 70")
	if got := len(r.Procore.State().Hooks); got != 2 {
		t.Errorf("there are %d hooks, want those of the other two", got)
	}
	r.run("housekeeping")
	if got := len(r.Procore.State().Hooks); got != 3 {
		t.Errorf("there are %d hooks after the next run, want 3", got)
	}
}

// If Procore does not answer for any company, a run soon ends, and its error has bounds.
func TestPassesInVain(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.installed(1000, maxInVain+50)
	r.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: http.StatusServiceUnavailable, Times: 10_000})
	_, err := r.h.handle(t.Context(), Input{Task: "housekeeping"})
	if err == nil || !strings.Contains(err.Error(), "webhook of company") || strings.Count(err.Error(), "webhook of company") != maxErrors {
		t.Errorf("got error %v, want %d companies", err, maxErrors)
	}
	if got := len(r.Procore.State().Calls); got < maxInVain || got > maxInVain+defaultPasses {
		t.Errorf("Procore got %d calls, want about %d", got, maxInVain)
	}
	r.Procore.ClearFaults()
	for range 2 {
		r.Clock.Advance(6 * time.Minute)
		r.run("housekeeping")
	}
	if got := len(r.Procore.State().Hooks); got != maxInVain+50 {
		t.Errorf("there are %d hooks after the outage", got)
	}
}

// A run makes one pass at a time until one has succeeded.
func TestChecksStartSlowly(t *testing.T) {
	t.Parallel()
	if r := newRefresher(t).h.newCheckRun(whole); len(r.passes) != cap(r.passes)-1 || cap(r.passes) != defaultPasses {
		t.Errorf("%d of %d passes are not allowed yet, want all but one", len(r.passes), cap(r.passes))
	}
}

// R7: an outage of the token endpoint costs three grants of idle companies, and not one for
// each company that is checked at once.
func TestChecksDuringAnOutage(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	var all []connections.Connection
	for id := int64(700); id < 740; id++ {
		err := r.Procore.AddUser(procoretest.User{ID: id, Login: fmt.Sprint("user-", id), Name: "A User"})
		if err == nil {
			err = r.Procore.AddCompany(procoretest.NewCompany(id, "One of Many", id))
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.Connect(id, id, connections.WebhooksPending))
	}
	r.run("housekeeping")
	r.Clock.Advance(8 * 24 * time.Hour)
	r.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Drop, Times: 1_000})
	r.fails("housekeeping", "webhook of company")
	lost := 0
	for _, c := range all {
		if r.Grant(c.Principal).State != tokens.Active {
			lost++
		}
	}
	if lost != 3 {
		t.Errorf("%d grants have no answer, want 3", lost)
	}
	r.presented()
}

// A run with too little time left leaves the rest to the next one.
func TestRunOutOfTime(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.h.passes = 1
	r.installed(700, 5)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	made := 0
	r.Fault(func(operation string, body []byte) dynamotest.Fault {
		if operation == "UpdateItem" && strings.Contains(string(body), `"webhook"`) {
			if made++; made == 3 {
				cancel()
			}
		}
		return dynamotest.Fault{}
	})
	_, _ = r.h.handle(ctx, Input{Task: "housekeeping"})
	r.Fault(nil)
	if got := len(r.Procore.State().Hooks); got == 0 || got > 2 {
		t.Errorf("%d hooks were made before the time was over", got)
	}
	r.Clock.Advance(5 * time.Minute)
	r.run("housekeeping")
	if got := len(r.Procore.State().Hooks); got != 5 {
		t.Errorf("there are %d hooks after the next run, want 5", got)
	}
}
