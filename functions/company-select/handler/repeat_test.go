package handler

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// both sends two forms at once.
func (v *visitor) both(a, b url.Values) [2]functiontest.Page {
	var answers [2]functiontest.Page
	var all sync.WaitGroup
	for i, form := range []url.Values{a, b} {
		all.Go(func() { answers[i] = v.Post("/companies", form) })
	}
	all.Wait()
	return answers
}

func TestDoubleClick(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for n := range int64(10) {
		v := s.visitor(procoretest.Joe)
		form := v.form("5678")
		for _, page := range v.both(form, form) {
			page.RedirectsTo(s.base + "/connected?flow=" + v.flow)
		}
		c := s.connection(procoretest.MyConstruction)
		if g := s.Grant(c.Principal); g.Generation != n+1 || c.Rev != n+1 {
			t.Fatalf("got generation %d, revision %d, want one for each authorization, %d", g.Generation, c.Rev, n+1)
		}
	}
	s.wantEntered(procoretest.MyConstruction)
}

// Two clicks on two companies: one is connected, the other not even called.
func TestTwoCompaniesAtOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		s := newSite(t)
		v := s.visitor(procoretest.Joe)
		a := v.form("5678")
		b := url.Values{pages.FieldFlow: a[pages.FieldFlow], pages.FieldCSRF: a[pages.FieldCSRF], pages.FieldCompany: {"4294967311"}}
		answers := v.both(a, b)
		if got := s.entered(); len(got) != 1 {
			t.Errorf("companies %v were called or installed, want one", got)
		}
		connected := len(s.connections(procoretest.MyConstruction)) + len(s.connections(procoretest.HarborHill))
		if connected != 1 {
			t.Errorf("got %d connections, want 1", connected)
		}
		statuses := answers[0].Status + answers[1].Status
		if statuses != http.StatusSeeOther+http.StatusConflict && statuses != 2*http.StatusSeeOther {
			t.Errorf("got statuses %d and %d", answers[0].Status, answers[1].Status)
		}
	}
}

// DynamoDB refuses one of two transactions on the same rows at the same time.
func TestTransactionConflict(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	var met atomic.Bool
	s.Fault(func(operation string, _ []byte) (f dynamotest.Fault) {
		if operation == "TransactWriteItems" && !met.Swap(true) {
			v.Post("/companies", form).RedirectsTo(s.base + "/connected") // the other click is faster
			f = dynamotest.Fault{Reasons: []string{"TransactionConflict", "TransactionConflict", "TransactionConflict"}}
		}
		return f
	})
	v.Post("/companies", form).RedirectsTo(s.base + "/connected")
	c := s.connection(procoretest.MyConstruction)
	if g := s.Grant(c.Principal); g.Generation != 1 || c.Rev != 1 {
		t.Errorf("got generation %d, revision %d, want 1 and 1", g.Generation, c.Rev)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	v.Post("/companies", form).RedirectsTo(s.base + "/connected")
	calls := len(s.Procore.State().Calls)
	form.Set(pages.FieldCompany, "4294967311") // the back button, and another company
	v.Post("/companies", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	v.list().RedirectsTo(s.base + "/connected?flow=" + v.flow)
	if got := len(s.Procore.State().Calls); got != calls {
		t.Errorf("got %d more calls to Procore, want none", got-calls)
	}
	c := s.connection(procoretest.MyConstruction)
	if g := s.Grant(c.Principal); g.Generation != 1 || c.Rev != 1 {
		t.Errorf("got generation %d, revision %d, want 1 and 1", g.Generation, c.Rev)
	}
	s.wantEntered(procoretest.MyConstruction)
}

// Two tabs are two flows: each connects its own company.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tab1 := s.visitor(procoretest.Joe)
	tab2 := tab1.second(procoretest.Joe)
	form := tab1.form("5678")
	tab2.connect(procoretest.HarborHill)
	tab1.Post("/companies", form).RedirectsTo(s.base + "/connected?flow=" + tab1.flow)
	tab1.Get("/connected?flow="+tab1.flow).Wants(http.StatusOK, "My Construction Company")
	tab2.Get("/connected?flow="+tab2.flow).Wants(http.StatusOK, "Harbor &amp; Hill Builders")
	s.connection(procoretest.MyConstruction)
	s.connection(procoretest.HarborHill)
}

func TestExpired(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	s.Clock.Advance(session.ChoiceLifetime + 2*time.Second)
	v.Post("/companies", form).Wants(http.StatusGone, "Please connect again")
	v.list().Wants(http.StatusGone, "Please connect again")
	s.wantEntered()
	if len(s.connections(procoretest.MyConstruction)) > 0 {
		t.Error("an expired choice was connected")
	}
}

// Procore may revoke the pair before the choice, as when the user signs in again.
func TestPairRevoked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	kill := procoretest.Kill
	if err := s.Procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &kill}); err != nil {
		t.Fatal(err)
	}
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	s.visitor(procoretest.Joe)
	v.Post("/companies", form).Wants(http.StatusGone, "Please connect again")
	v.list().Wants(http.StatusGone)
	s.wantEntered()
}

func TestConnectedPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(h *handler) { h.next = "https://next.example/start" })
	v := s.visitor(procoretest.Joe)
	v.Get("/connected?flow=" + v.flow).RedirectsTo(s.base + "/companies?flow=" + v.flow)
	s.Clock.Advance(session.ChoiceLifetime - time.Minute) // the latest time for the choice
	v.connect(procoretest.MyConstruction)
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "My Construction Company", "https://next.example/start")

	other := s.Browser(s.base)
	for _, address := range []string{"/connected", "/connected?flow=", "/connected?flow=" + v.flow, "/connected?flow=nonsense"} {
		page := other.Get(address).Wants(http.StatusOK, "is ready to connect", "Connect to Procore")
		if strings.Contains(page.Body, "My Construction") {
			t.Errorf("%s shows another browser the connection", address)
		}
	}
	s.Clock.Advance(session.ReturnLifetime - 2*time.Second)
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "My Construction Company")
	s.Clock.Advance(4 * time.Second)
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "is ready to connect")
}

// The choice's tab is loaded again long afterwards: the user is not asked to connect
// a company again that is connected.
func TestReloadMuchLater(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	v.Post("/companies", form).RedirectsTo(s.base + "/connected")
	s.Clock.Advance(session.ReturnLifetime + 2*time.Second)
	v.list().RedirectsTo(s.base + "/connected?flow=" + v.flow)
	v.Post("/companies", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "If your company is already connected")
}

// For a connection that has ended, the page explains why and how to connect again.
func TestEndedConnection(t *testing.T) {
	t.Parallel()
	end := func(s *site, c connections.Connection) { _ = s.Store().End(s.t.Context(), c.Key, "test") }
	tests := []struct {
		name  string
		state connections.State
		grant tokens.State
		page  string
		end   func(*site, connections.Connection)
	}{
		{"reauthorize", connections.Connected, tokens.Reauthorize, "Procore no longer accepts the access", func(s *site, _ connections.Connection) {
			s.refuseRefresh(procoretest.Joe)
		}},
		{"disconnected", connections.Disconnected, tokens.Active, "(Procore company ID 5678). It is disconnected there", func(s *site, c connections.Connection) {
			_ = s.Store().Disconnect(s.t.Context(), c)
		}},
		{"not revoked yet", connections.Ended, "", "has ended the access", func(s *site, c connections.Connection) {
			s.ProcoreFails(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Drop, Times: 9})
			end(s, c)
		}},
		{"revoked", connections.Ended, tokens.Revoked, "has ended the access", end},
		{"no longer held", connections.Connected, tokens.Active, "Procore no longer accepts the access", func(s *site, c connections.Connection) {
			_, _ = s.Tokens().Release(s.t.Context(), c.Principal, "5678")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.visitor(procoretest.Joe)
			v.connect(procoretest.MyConstruction)
			c := s.connection(procoretest.MyConstruction)
			tt.end(s, c)
			if got, g := s.Connection(c.Key).State, s.Grant(c.Principal).State; got != tt.state || g != tt.grant && tt.grant != "" {
				t.Fatalf("the connection is %s, its grant %s, want %s and %s", got, g, tt.state, tt.grant)
			}
			v.Get("/connected?flow="+v.flow).Wants(http.StatusGone, tt.page, "My Construction Company", s.base+"/oauth/start")
		})
	}
}

// A refresh makes a new generation, but it is not a reconnection.
func TestRefreshIsNotAReconnection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	s.Clock.Advance(10 * time.Minute)
	p := s.connection(procoretest.MyConstruction).Principal
	if _, err := s.Tokens().Upkeep().Refresh(t.Context(), p, 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if g := s.Grant(p); g.Generation != 2 {
		t.Fatalf("got generation %d, want 2", g.Generation)
	}
	if page := v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "Connected"); strings.Contains(page.Body, "Reconnected") {
		t.Error("the page claims a reconnection")
	}
}

func TestReconnection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.visitor(procoretest.Joe).connect(procoretest.MyConstruction)
	first := s.connection(procoretest.MyConstruction)
	s.Clock.Advance(time.Hour)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	c := s.connection(procoretest.MyConstruction)
	if g := s.Grant(c.Principal); g.Generation != 2 || g.State != tokens.Active || c.State != connections.Connected || !c.ConnectedAt.After(first.ConnectedAt) {
		t.Errorf("got %s, connected at %v, and a grant that is %s, generation %d", c.State, c.ConnectedAt, g.State, g.Generation)
	}
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "Reconnected")
}

// A reconnection that fails, for whatever reason, leaves the working connection as it
// was.
func TestFailedReconnection(t *testing.T) {
	t.Parallel()
	on, off := true, false
	tests := []struct {
		name  string
		spoil func(*site)
		want  int
	}{
		{"disconnected", func(s *site) {
			s.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Connected: &off})
		}, http.StatusForbidden},
		{"Procore down", func(s *site) {
			s.ProcoreFails(procoretest.Fault{Endpoint: "/rest/v1.1/projects", Kind: procoretest.Drop, Times: 9})
		}, http.StatusBadGateway},
		{"not stored", func(s *site) {
			s.Fault(func(operation string, _ []byte) (f dynamotest.Fault) {
				if operation == "TransactWriteItems" {
					f.Code = "InternalServerError"
				}
				return f
			})
		}, http.StatusServiceUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.visitor(procoretest.Joe).connect(procoretest.MyConstruction)
			before := s.connection(procoretest.MyConstruction)
			v := s.visitor(procoretest.Joe)
			form := v.form("5678")
			tt.spoil(s)
			v.Post("/companies", form).Wants(tt.want)
			s.Fault(nil)
			after := s.connection(procoretest.MyConstruction)
			if after.Rev != before.Rev || after.State != connections.Connected {
				t.Errorf("got %s, revision %d; want it untouched: connected, %d", after.State, after.Rev, before.Rev)
			}
			s.Procore.ClearFaults()
			s.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Connected: &on})
			s.wantWorking(after.Key)
		})
	}
}
