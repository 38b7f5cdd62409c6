package handler

import (
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

var (
	joe   = tokens.User(procoretest.Joe)
	modes = []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Kill, procoretest.Return}
)

// secondAuthorization sets what Procore does at a user's second authorization.
func (s *site) secondAuthorization(mode procoretest.SecondAuthorization) {
	s.t.Helper()
	if err := s.Procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
		s.t.Fatal(err)
	}
}

// inEachMode runs a test for each way in which Procore may treat a second authorization.
func inEachMode(t *testing.T, test func(*site, procoretest.SecondAuthorization)) {
	t.Helper()
	t.Parallel()
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.secondAuthorization(mode)
			test(s, mode)
		})
	}
}

// Procore does not describe the user for minutes after the exchange. Nothing is revoked,
// neither by the pages nor by housekeeping, and the choice works later.
func TestProcoreDownForMinutes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	s.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.0/me", Kind: procoretest.Status, Status: 503, Headers: unavailable, Times: 1000})
	for range 3 {
		v.list().Wants(http.StatusBadGateway, "Procore is not responding", "Try again", s.base+"/companies?flow="+v.flow)
		s.Clock.Advance(4 * time.Minute)
		for stale, err := range s.Sessions().Stale(t.Context()) {
			if err == nil {
				_, err = session.Handover{Sessions: s.Sessions(), Tokens: s.Tokens()}.Move(t.Context(), stale)
			}
			if err == nil {
				t.Error("housekeeping moved a pair although Procore is down")
			}
		}
	}
	if got := s.Requests("POST /oauth/revoke"); got > 0 {
		t.Errorf("got %d revocations", got)
	}
	s.Procore.ClearFaults()
	v.connect(procoretest.MyConstruction)
	s.wantWorking(connections.Key{CompanyID: procoretest.MyConstruction, Principal: joe})
	s.wantRefreshTokens(procoretest.Live)
}

// A browser that did not come back: housekeeping moves the pair after five minutes, and
// revokes it half an hour later. Until then the user may come back and choose.
func TestBrowserComesLate(t *testing.T) {
	t.Parallel()
	for _, comes := range []bool{true, false} {
		t.Run(fmt.Sprint(comes), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.visitor(procoretest.Joe)
			s.Clock.Advance(5 * time.Minute)
			s.housekeeping()
			if row := s.row(v.flow); value(row, "status") != "authorized" {
				t.Errorf("after five minutes the session is %s", value(row, "status"))
			}
			s.Clock.Advance(time.Second)
			s.housekeeping()
			if row := s.row(v.flow); value(row, "status") != "pending" || row["sealed"] != nil || row["ttl"] == nil {
				t.Errorf("housekeeping left the session %s, with sealed %v, ttl %v", value(row, "status"), row["sealed"] != nil, row["ttl"])
			}
			if comes {
				s.Clock.Advance(20 * time.Minute)
				v.connect(procoretest.MyConstruction)
			}
			s.Clock.Advance(31 * time.Minute)
			s.housekeeping()
			if comes {
				s.wantRefreshTokens(procoretest.Live)
				s.wantWorking(connections.Key{CompanyID: procoretest.MyConstruction, Principal: joe})
				return
			}
			s.wantRefreshTokens(procoretest.Revoked)
			v.list().Wants(http.StatusGone, "Please connect again")
			s.wantEntered()
		})
	}
}

// Two browsers of one user, which come back in either order. Procore ends the first one's
// pair in one mode; in no other case does anyone have to start again.
func TestTwoBrowsers(t *testing.T) {
	inEachMode(t, func(s *site, mode procoretest.SecondAuthorization) {
		for n, order := range [][2]int{{0, 1}, {1, 0}} {
			first := s.visitor(procoretest.Joe)
			s.Clock.Advance(time.Second)
			visitors := [2]*visitor{first, s.visitor(procoretest.Joe)}
			for _, i := range order {
				if mode == procoretest.Kill && i == 0 {
					visitors[i].list().Wants(http.StatusGone, "Please connect again")
					continue
				}
				visitors[i].connect([2]int64{procoretest.MyConstruction, procoretest.HarborHill}[i])
			}
			if g := s.Grant(joe); g.State != tokens.Active {
				s.t.Errorf("round %d: the grant is %s", n, g.State)
			}
			s.Clock.Advance(2 * time.Hour) // the grant is refreshed
			for i, company := range []int64{procoretest.MyConstruction, procoretest.HarborHill} {
				if mode != procoretest.Kill || i == 1 {
					s.wantWorking(connections.Key{CompanyID: company, Principal: joe})
				}
			}
		}
		if got := s.Requests("POST /oauth/revoke"); got > 0 {
			s.t.Errorf("got %d revocations", got)
		}
	})
}

// The user chooses in one tab while another one is abandoned or canceled: the choice
// survives housekeeping, which revokes what had no holder for half an hour.
func TestAbandonedTab(t *testing.T) {
	inEachMode(t, func(s *site, _ procoretest.SecondAuthorization) {
		tab1 := s.visitor(procoretest.Joe)
		tab1.list().Wants(http.StatusOK)
		s.Clock.Advance(20 * time.Minute)
		tab2 := tab1.second(procoretest.Joe)
		tab2.list().Wants(http.StatusOK)
		cancel := tab1.form("")
		cancel.Set(pages.FieldCancel, "1")
		tab1.Post("/companies", cancel)
		s.Clock.Advance(11 * time.Minute) // 31 after the first tab
		s.housekeeping()
		s.Clock.Advance(18 * time.Minute) // 29 after the second
		s.housekeeping()
		tab2.connect(procoretest.MyConstruction)
		s.Clock.Advance(time.Hour)
		s.housekeeping()
		s.wantWorking(connections.Key{CompanyID: procoretest.MyConstruction, Principal: joe})
	})
}

// One user connects three companies, one authorization each. All three work after the third
// one, with one pair and one refresh.
func TestThreeCompanies(t *testing.T) {
	inEachMode(t, func(s *site, _ procoretest.SecondAuthorization) {
		third := procoretest.NewCompany(777, "Third Company", procoretest.Joe)
		if err := s.Procore.AddCompany(third); err != nil {
			s.t.Fatal(err)
		}
		companies := []int64{procoretest.MyConstruction, procoretest.HarborHill, third.ID}
		all := func() {
			s.t.Helper()
			for _, id := range companies {
				s.wantWorking(connections.Key{CompanyID: id, Principal: joe})
			}
		}
		v := s.visitor(procoretest.Joe)
		v.connect(companies[0])
		for _, id := range companies[1:] {
			s.Clock.Advance(5 * time.Minute)
			v.second(procoretest.Joe).connect(id)
		}
		all()
		if got := len(s.Grant(joe).Holders); got != 3 {
			s.t.Errorf("the grant has %d holders, want 3", got)
		}
		exchanges := s.Requests("POST /oauth/token")
		grants := s.Tokens()
		s.Clock.Advance(2 * time.Hour)
		if _, err := grants.Token(s.t.Context(), joe); err != nil {
			s.t.Fatal(err)
		}
		all()
		if got := s.Requests("POST /oauth/token") - exchanges; got != 1 {
			s.t.Errorf("got %d refreshes, want 1 for all three", got)
		}
		if got := s.Requests("POST /oauth/revoke"); got > 0 {
			s.t.Errorf("got %d revocations", got)
		}
	})
}

// Authorizing alone changes no connection, even if Procore lists fewer companies than the
// last time, and so does listing and choosing another company.
func TestFewerCompanies(t *testing.T) {
	inEachMode(t, func(s *site, _ procoretest.SecondAuthorization) {
		third := procoretest.NewCompany(777, "Third Company", procoretest.Joe)
		if err := s.Procore.AddCompany(third); err != nil {
			s.t.Fatal(err)
		}
		connected := []int64{procoretest.MyConstruction, procoretest.HarborHill, third.ID}
		for _, id := range connected {
			s.visitor(procoretest.Joe).connect(id)
		}
		before, holders := s.scanned(s.Tables.Connections), s.Grant(joe).Holders
		for _, id := range connected[:2] {
			s.PatchCompany(id, procoretest.CompanyPatch{Members: &[]int64{procoretest.Ann}})
		}
		s.Clock.Advance(time.Minute)
		v := s.visitor(procoretest.Joe)
		v.list().Wants(http.StatusOK, "Third Company")
		form := v.form(fmt.Sprint(connected[0]))
		v.Post("/companies", form).Wants(http.StatusForbidden, "You cannot connect this company")
		if !reflect.DeepEqual(before, s.scanned(s.Tables.Connections)) {
			s.t.Error("a connection has changed")
		}
		if diff := cmp.Diff(s.Grant(joe).Holders, holders); diff != "" {
			s.t.Errorf("the grant's holders (-got +want):\n%s", diff)
		}
		v.choose(procoretest.LockedGate).Wants(http.StatusForbidden, "only administrators can install")
		if !reflect.DeepEqual(before, s.scanned(s.Tables.Connections)) {
			s.t.Error("a connection has changed after a choice that failed")
		}
	})
}

// stale brings the user's grant to where Procore returns a pair whose refresh token was
// sent before, and its request had never arrived.
func (s *site) stale() {
	s.t.Helper()
	s.secondAuthorization(procoretest.Return)
	s.visitor(procoretest.Joe).connect(procoretest.MyConstruction)
	s.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Reset})
	if _, err := s.Tokens().Upkeep().Refresh(s.t.Context(), joe, 2*time.Hour); err != nil {
		s.t.Fatal(err) // the access token is still valid
	}
	if g := s.Grant(joe); g.State != tokens.Uncertain {
		s.t.Fatalf("the grant is %s, want uncertain", g.State)
	}
}

// A stale pair sends the browser through the authorization once more, where Procore then
// issues another one. If that is stale too, there is a page.
func TestStalePair(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.stale()
	v := s.visitor(procoretest.Joe)
	for range 2 { // or a reload
		v.list().RedirectsTo(s.base + "/oauth/start?flow=" + v.flow)
	}
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "is ready to connect")
	s.wantRefreshTokens(procoretest.Revoked)

	again := &visitor{Browser: v.Browser, s: s}
	again.flow = again.authorizeAgain(procoretest.Joe, true)
	again.connect(procoretest.MyConstruction)
	s.wantWorking(connections.Key{CompanyID: procoretest.MyConstruction, Principal: joe})

	s.Clock.Advance(2 * time.Minute)
	s.stale()
	last := &visitor{Browser: v.Browser, s: s}
	last.flow = last.authorizeAgain(procoretest.Joe, true)
	for range 2 {
		last.list().Wants(http.StatusBadGateway, "Procore did not complete the sign-in", s.base+"/oauth/start")
	}
	s.Clock.Advance(session.ChoiceLifetime)
	v.list().Wants(http.StatusBadGateway, "Procore did not complete the sign-in")
	s.visitor(procoretest.Joe).connect(procoretest.MyConstruction)
	s.wantWorking(connections.Key{CompanyID: procoretest.MyConstruction, Principal: joe})
}

// A refresh, or another authorization, replaces the grant's token between the reading and
// the call. The grant is read once more; it is never refreshed for a choice.
func TestTokenReplaced(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(*site){
		"refresh": func(s *site) { _, _ = s.Tokens().Upkeep().Refresh(s.t.Context(), joe, 2*time.Hour) },
		"another authorization": func(s *site) {
			s.secondAuthorization(procoretest.Kill)
			s.visitor(procoretest.Joe).list()
		},
		"nothing": func(*site) {},
	} {
		for company, endpoint := range map[string]string{"5678": "/rest/v1.0/companies", "5678.1": "/rest/v1.0/companies", "5678.2": "/rest/v1.1/projects"} {
			t.Run(name+endpoint+company, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				v := s.visitor(procoretest.Joe)
				form := v.form(company)
				s.ProcoreFails(procoretest.Fault{Endpoint: endpoint, Kind: procoretest.Status, Status: 401})
				var met atomic.Bool
				s.Fault(func(operation string, _ []byte) (f dynamotest.Fault) {
					if called := s.failed(endpoint); operation == "GetItem" && called && !met.Swap(true) {
						replace(s)
					}
					return f
				})
				page := v.Post("/companies", form)
				s.Fault(nil)
				switch {
				case !met.Load():
					t.Error("the grant was not read again")
				case name != "nothing":
					page.RedirectsTo(s.base + "/connected?flow=" + v.flow)
				case endpoint == "/rest/v1.0/companies":
					page.Wants(http.StatusGone, "Please connect again")
				default:
					page.Wants(http.StatusForbidden, "was disconnected from") // a company without the app may answer 401
				}
				if got := s.Requests("POST /oauth/token"); name != "refresh" && got > 0 {
					t.Errorf("got %d refreshes, want none", got)
				}
			})
		}
	}
}

// A token that was revoked a moment ago is not the company's refusal: the user signs in again, and bothers no administrator.
func TestSignedOutDuringAChoice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	for _, endpoint := range []string{"/rest/v1.1/projects", "/rest/v1.0/me"} {
		s.ProcoreFails(procoretest.Fault{Endpoint: endpoint, Kind: procoretest.Status, Status: 401})
	}
	v.Post("/companies", form).Wants(http.StatusGone, "Please connect again")
	if len(s.connections(5678)) > 0 {
		t.Error("the company is connected")
	}
}

// failed reports whether an endpoint has answered 401.
func (s *site) failed(endpoint string) bool {
	for _, c := range s.Procore.State().Calls {
		if c.Path == endpoint && c.Status == http.StatusUnauthorized {
			return true
		}
	}
	return false
}

// A grant that was revoked, that Procore refused, or whose token has expired: the user
// starts again, whatever step comes next.
func TestGrantEnds(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*site){
		"revoked": func(s *site) { _ = s.Tokens().Revoke(s.t.Context(), joe, "test") },
		"refused": func(s *site) { s.refuseRefresh(procoretest.Joe) },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.visitor(procoretest.Joe)
			form := v.form("5678")
			end(s)
			v.list().Wants(http.StatusGone, "Please connect again")
			v.Post("/companies", form).Wants(http.StatusGone, "Please connect again")
			s.wantEntered()

			v = s.visitor(procoretest.Joe)
			form = v.form("5678")
			s.before("TransactWriteItems", func() { end(s) }) // after the verifying call
			v.Post("/companies", form).Wants(http.StatusGone, "Please connect again")
			if got := len(s.connections(procoretest.MyConstruction)); got > 0 {
				t.Errorf("got %d connections, want none", got)
			}
			s.visitor(procoretest.Joe).connect(procoretest.MyConstruction)
			s.wantWorking(connections.Key{CompanyID: procoretest.MyConstruction, Principal: joe})
		})
	}
	t.Run("expired", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.secondAuthorization(procoretest.Return)
		s.visitor(procoretest.Joe).list().Wants(http.StatusOK)
		s.Clock.Advance(80 * time.Minute)
		v := s.visitor(procoretest.Joe) // the same pair
		form := v.form("5678")
		s.Clock.Advance(11 * time.Minute)
		v.list().Wants(http.StatusGone, "Please connect again")
		v.Post("/companies", form).Wants(http.StatusGone, "Please connect again")
		s.visitor(procoretest.Joe).connect(procoretest.MyConstruction)
		if got := s.Requests("POST /oauth/token"); got > 0 {
			t.Errorf("got %d refreshes, want none", got)
		}
	})
}

// The user chooses at the very moment at which housekeeping revokes the grant: the choice
// waits for the end of the revocation, and connects nothing.
func TestChosenWhileRevoked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	s.ProcoreFails(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Delay, DelayMS: 300})
	revoked := make(chan error, 1)
	go func() { revoked <- s.Tokens().Revoke(t.Context(), joe, "test") }()
	for s.Requests("POST /oauth/revoke") == 0 {
		runtime.Gosched()
	}
	v.Post("/companies", form).Wants(http.StatusGone, "Please connect again")
	if err := <-revoked; err != nil {
		t.Fatal(err)
	}
	if got := len(s.connections(procoretest.MyConstruction)); got > 0 {
		t.Errorf("got %d connections, want none", got)
	}
}

// A browser that opens the list before it has come back from Procore sees what it saw
// before.
func TestTooEarly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	st, err := s.Sessions().Begin(t.Context(), session.Opening{RedirectURI: s.base + "/oauth/callback"})
	if err != nil {
		t.Fatal(err)
	}
	s.Log.Secret(st.State.Reveal(), st.Verifier.Reveal(), st.Cookie.Reveal())
	v.flow = st.Flow
	v.keep(st.Flow, st.Cookie)
	v.list().Wants(http.StatusConflict, "You already chose a company")
	if got := len(s.Procore.State().Calls); got > 0 {
		t.Errorf("got %d calls to Procore, want none", got)
	}
}
