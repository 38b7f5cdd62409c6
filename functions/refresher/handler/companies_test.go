package handler

import (
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// three connects three companies by one user, who authorizes for each.
func (r *refresher) three() (all []connections.Connection) {
	r.t.Helper()
	for id := int64(700); id < 703; id++ {
		if err := r.Procore.AddCompany(procoretest.NewCompany(id, "One of Three", procoretest.Max)); err != nil {
			r.t.Fatal(err)
		}
		all = append(all, r.Connect(id, procoretest.Max, connections.WebhooksOff))
		r.Clock.Advance(7 * time.Minute)
	}
	return all
}

// A user with three companies has one grant, whatever Procore does with the earlier pairs:
// it is refreshed once in a lifetime of its token, and serves all three companies.
func TestThreeCompanies(t *testing.T) {
	t.Parallel()
	for _, mode := range []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Kill, procoretest.Return} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			const hours = 21
			r := newRefresher(t)
			r.authorizeIn(mode)
			all := r.three()
			consumer := r.Store()
			for step := range hours * 12 {
				r.Clock.Advance(5 * time.Minute)
				if c := all[step%3]; step%5 == 0 {
					if _, err := consumer.Client(c.Key).Me(t.Context()); err != nil {
						t.Fatalf("after %d minutes: %v", 5*step, err)
					}
				}
				r.run("refresh")
				if step%6 == 0 {
					r.run("housekeeping")
				}
			}
			if got, least, most := r.presented(), hours*60/90, hours*60/75+1; got < least || got > most {
				t.Errorf("got %d refreshes in %d hours, want %d to %d", got, hours, least, most)
			}
			for _, c := range all {
				r.wantState(c, connections.Connected)
			}
			g := r.Grant(tokens.User(procoretest.Max))
			if g.State != tokens.Active || len(g.Holders) != 3 || int(g.Generation) > r.presented()+3 {
				t.Errorf("got a grant that is %s, with %v and generation %d", g.State, g.Holders, g.Generation)
			}
		})
	}
}

// A user who left one of three companies loses that connection alone, and with the last
// one the grant. Procore is asked for one list a day, for all companies together.
func TestCompaniesAreLeftOneByOne(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.authorizeIn(procoretest.Kill)
	all := r.three()
	lists := r.Requests("GET /rest/v1.0/companies")
	r.during(48*time.Hour, 2*time.Hour)
	if got := r.Requests("GET /rest/v1.0/companies") - lists; got < 1 || got > 2 {
		t.Errorf("Procore was asked for %d lists in two days, want one a day", got)
	}
	left := map[connections.Key]bool{}
	for i, c := range []connections.Connection{all[1], all[2], all[0]} {
		r.members(c.CompanyID)
		left[c.Key] = true
		r.during(26*time.Hour, 2*time.Hour)
		for _, other := range all {
			want := connections.Connected
			if left[other.Key] {
				want = connections.Ended
			}
			r.wantState(other, want)
		}
		if got, last := r.Grant(c.Principal).State, i == len(all)-1; (got == tokens.Revoked) != last || !last && got != tokens.Active {
			t.Errorf("the grant is %s after %d departures", got, i+1)
		}
	}
	if got := r.live(); got != 0 {
		t.Errorf("%d pairs are alive at Procore, want none", got)
	}
	r.wantMetric("UsersDeparted", 3, 3)
	r.presented()
}

// Procore answers 401 in one of five companies for ever. That costs no refreshes, and the
// other companies are served.
func TestOneCompanyOfFiveAnswers401(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	all := r.companies(procoretest.Max, 5, connections.WebhooksPending)
	yes := true
	r.PatchCompany(702, procoretest.CompanyPatch{UnauthorizedUntilInstalled: &yes})
	const hours = 24
	r.during(hours*time.Hour, 15*time.Minute)
	if got, most := r.presented(), hours*60/75+1; got > most {
		t.Errorf("got %d refreshes in %d hours, want %d at most", got, hours, most)
	}
	for _, c := range all {
		want := connections.WebhooksActive
		if c.CompanyID == 702 {
			want = connections.WebhooksNeedsAdmin
		}
		r.wantState(c, connections.Connected)
		if got := r.Connection(c.Key).Webhooks; got != want {
			t.Errorf("webhooks of %s are %s, want %s", c.Key, got, want)
		}
	}
	rejected := 0
	for _, call := range r.Procore.State().Calls {
		if call.Status == 401 {
			rejected++
		}
	}
	if rejected > 12 {
		t.Errorf("got %d answers 401 in a day, want few", rejected)
	}
}
