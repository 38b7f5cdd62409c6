package handler

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// ending opens the page that asks whether to disconnect, and returns what its form would send.
func (v *visitor) ending() url.Values {
	v.s.t.Helper()
	page := v.Get("/connected?disconnect=1&flow="+v.flow).Wants(http.StatusOK, "Disconnect this company?")
	return url.Values{pages.FieldFlow: {page.Field(pages.FieldFlow)}, pages.FieldCSRF: {page.Field(pages.FieldCSRF)}}
}

// reconciler is what housekeeping reconciles hooks with.
func (s *site) reconciler() *provision.Reconciler {
	return &provision.Reconciler{
		Store: s.Store(), Ring: s.Ring(), Log: s.Log.Logger,
		Recovery: &recovery.Recoverer{Inbox: &inbox.Store{DB: s.DB, Table: s.Tables.Inbox, Clock: s.Clock.Seam()}, Log: s.Log.Logger},
		Want:     provision.Config{Namespace: "our-app", URL: s.base + provision.Path, Triggers: []procore.Trigger{{Resource: "RFIs", EventType: "update"}}},
	}
}

// withHook has housekeeping set up the company's webhook.
func (s *site) withHook(company int64) {
	s.t.Helper()
	if _, err := s.reconciler().Reconcile(s.t.Context(), company); err != nil || len(s.hooks(company)) != 1 {
		s.t.Fatalf("%d hooks, %v", len(s.hooks(company)), err)
	}
}

func (s *site) hooks(company int64) []procoretest.Hook {
	return slices.DeleteFunc(s.Procore.State().Hooks, func(h procoretest.Hook) bool { return h.CompanyID != company })
}

// shared is a company of two users.
const shared int64 = 700_001

// addShared adds it to Procore.
func (s *site) addShared() {
	s.t.Helper()
	c := procoretest.NewCompany(shared, "Shared Towers", procoretest.Joe, procoretest.Ann)
	c.ServiceAccount, c.Installed = true, true
	if err := s.Procore.AddCompany(c); err != nil {
		s.t.Fatal(err)
	}
}

// tables returns what the tables of grants and connections have.
func (s *site) tables() (all []string) {
	for _, table := range []string{s.Tables.Grants, s.Tables.Connections, s.Tables.Spends} {
		all = append(all, s.scan(table)...)
	}
	slices.Sort(all)
	return all
}

// The page asks, and changes nothing. The form ends the connection, its hook and its grant, and the page says so.
func TestDisconnect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	s.withHook(procoretest.MyConstruction)
	before, calls := s.tables(), s.Requests("")
	v.returns().Wants(http.StatusOK, `href="`+s.base+"/connected?flow="+v.flow+`&amp;disconnect=1"`)
	v.Get("/connected?disconnect=1").Wants(http.StatusOK, "Disconnect this company?", acme, "Joe", "Updates from Procore about this company stop",
		"stops using your Procore account", "stays installed in Procore", `href="`+s.base+"/connected?flow="+v.flow+`"`)
	form := v.ending()
	if d := cmp.Diff(s.tables(), before); d != "" || s.Requests("") != calls {
		t.Errorf("the question called Procore %d times, or changed tables (-got +want):\n%s", s.Requests("")-calls, d)
	}
	v.Post("/connected", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	c := s.connection(procoretest.MyConstruction)
	if g := s.Grant(c.Principal); c.State != connections.Ended || c.Reason != "its user disconnected it" || g.State != tokens.Revoked || g.Reason != c.Reason {
		t.Errorf("the connection is %s, %q, and its grant %s, %q", c.State, c.Reason, g.State, g.Reason)
	}
	if last := c.Transitions[len(c.Transitions)-1]; last.Reason != c.Reason {
		t.Errorf("the last transition is %v", last)
	}
	if got := s.hooks(procoretest.MyConstruction); len(got) > 0 {
		t.Errorf("%d hooks are left at Procore", len(got))
	}
	s.wantRefreshTokens(procoretest.Revoked)
	if lines := s.Log.Lines(t, "connection changed"); len(lines) != 2 || lines[1]["to"] != "ended" || lines[1]["reason"] != c.Reason {
		t.Errorf("logged %v", lines)
	}
	if s.Log.Last(t)["outcome"] != "disconnected" {
		t.Errorf("the request's line is %v", s.Log.Last(t))
	}
	ended := s.tables()
	for range 2 { // the back button
		v.Post("/connected", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	}
	if d := cmp.Diff(s.tables(), ended); d != "" {
		t.Errorf("the second time changed tables (-got +want):\n%s", d)
	}
	for _, address := range []string{"/connected", "/connected?flow=" + v.flow, "/connected?disconnect=1&flow=" + v.flow} {
		page := v.Get(address).Wants(http.StatusGone, "You have disconnected this company", acme, s.base+"/oauth/start")
		if strings.Contains(page.Body, "csrf") || strings.Contains(page.Body, "disconnect=1") {
			t.Errorf("%s: what has ended can be ended", address)
		}
	}
	again := v.second(procoretest.Joe)
	again.connect(procoretest.MyConstruction)
	again.returns().Wants(http.StatusOK, "Reconnected")
}

// The user's other companies, other users and the service account keep what they have.
func TestDisconnectOneOfMany(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.addShared()
	v := s.visitor(procoretest.Joe)
	v.connect(shared)
	second := v.second(procoretest.Joe)
	second.connect(procoretest.HarborHill)
	s.Connect(shared, procoretest.Ann, connections.WebhooksPending)
	if err := s.Store().AddServiceAccount(t.Context(), shared, "My", connections.WebhooksPending); err != nil {
		t.Fatal(err)
	}
	s.withHook(shared)
	v.Get("/connected?disconnect=1&flow="+v.flow).Wants(http.StatusOK, "Another user has also connected this company",
		"also works in this company without a user", "still reach")
	v.Post("/connected", v.ending()).RedirectsTo(s.base + "/connected")
	joe, ann := tokens.User(procoretest.Joe), tokens.User(procoretest.Ann)
	for _, c := range s.connections(shared) {
		if want := c.Principal == joe; (c.State == connections.Ended) != want {
			t.Errorf("%s is %s", c.Key, c.State)
		}
	}
	s.wantWorking(connections.Key{CompanyID: procoretest.HarborHill, Principal: joe})
	s.wantWorking(connections.Key{CompanyID: shared, Principal: ann})
	if g := s.Grant(joe); g.State != tokens.Active || len(g.Holders) != 1 || len(s.hooks(shared)) != 1 {
		t.Errorf("the grant is %s, held by %v, with %d hooks", g.State, g.Holders, len(s.hooks(shared)))
	}
	v.returns().Wants(http.StatusOK, harbor) // the newest of this browser
}

// Nothing but the form of this browser's own page ends its connection, and it ends no other one.
func TestForgedDisconnection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.addShared()
	v, victim := s.visitor(procoretest.Joe), s.visitor(procoretest.Ann)
	v.connect(shared)
	victim.connect(shared)
	second := v.second(procoretest.Joe)
	second.connect(procoretest.HarborHill)
	own, other := v.ending(), second.ending()
	with := func(form url.Values, name string, value ...string) url.Values {
		changed := maps.Clone(form)
		changed[name] = value
		return changed
	}
	before := s.tables()
	stranger := s.Browser(s.base)
	for name, tt := range map[string]struct {
		browser *functiontest.Browser
		address string
		form    url.Values
		status  int
	}{
		"no token":              {v.Browser, "", with(own, pages.FieldCSRF), http.StatusForbidden},
		"an invented token":     {v.Browser, "", with(own, pages.FieldCSRF, strings.Repeat("A", 52)), http.StatusForbidden},
		"another flow's token":  {v.Browser, "", with(own, pages.FieldCSRF, other.Get(pages.FieldCSRF)), http.StatusForbidden},
		"another flow":          {v.Browser, "", with(own, pages.FieldFlow, second.flow), http.StatusForbidden},
		"no flow":               {v.Browser, "", with(own, pages.FieldFlow), http.StatusGone},
		"another user's flow":   {v.Browser, "", with(own, pages.FieldFlow, victim.flow), http.StatusGone},
		"another browser":       {victim.Browser, "", own, http.StatusGone},
		"a browser without any": {stranger, "", own, http.StatusGone},
		"all in the address":    {v.Browser, "?" + own.Encode(), url.Values{}, http.StatusGone},
	} {
		page := tt.browser.Post("/connected"+tt.address, tt.form).Wants(tt.status)
		if !strings.Contains(page.Body, "nothing was changed") {
			t.Errorf("%s: the page does not say that nothing was changed", name)
		}
	}
	for _, get := range []string{own.Encode(), own.Encode() + "&disconnect=1", own.Encode() + "&disconnect=yes&cancel=1"} {
		v.Get("/connected?" + get).Wants(http.StatusOK)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/connected", strings.NewReader(own.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-site")
	v.Do(r).Wants(http.StatusForbidden, "This form was not accepted")
	v.Post("/connected", url.Values{pages.FieldFlow: own[pages.FieldFlow], pages.FieldCSRF: {strings.Repeat("x", maxForm)}}).Wants(http.StatusRequestEntityTooLarge)
	if d := cmp.Diff(s.tables(), before); d != "" {
		t.Errorf("an attack changed tables (-got +want):\n%s", d)
	}

	// Whatever else the form names, it ends the flow's own connection.
	form := with(with(own, pages.FieldCompany, fmt.Sprint(procoretest.HarborHill)), "principal", string(tokens.User(procoretest.Ann)))
	v.Post("/connected", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	for key, want := range map[connections.Key]connections.State{
		{CompanyID: shared, Principal: tokens.User(procoretest.Joe)}:                 connections.Ended,
		{CompanyID: shared, Principal: tokens.User(procoretest.Ann)}:                 connections.Connected,
		{CompanyID: procoretest.HarborHill, Principal: tokens.User(procoretest.Joe)}: connections.Connected,
	} {
		if got := s.Connection(key).State; got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
}

// An old page, and one of a flow that is not finished, end nothing.
func TestDisconnectTooLateOrTooEarly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	v.Post("/connected", form).RedirectsTo(s.base + "/companies?flow=" + v.flow)
	v.Get("/connected?disconnect=1&flow=" + v.flow).RedirectsTo(s.base + "/companies?flow=" + v.flow)
	v.connect(procoretest.MyConstruction)
	form = v.ending()
	s.Clock.Advance(session.ReturnLifetime + time.Second)
	v.Post("/connected", form).Wants(http.StatusGone, "This page is too old")
	if got := s.connection(procoretest.MyConstruction).State; got != connections.Connected {
		t.Errorf("it is %s", got)
	}
}

// A connection that the user made again, in another browser, is not ended by the page of the one before, whenever that happens.
func TestDisconnectWhatWasMadeAgain(t *testing.T) {
	t.Parallel()
	for name, during := range map[string]string{"before": "", "after the page read it": "GetItem", "at the last moment": "TransactWriteItems"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.visitor(procoretest.Joe)
			v.connect(procoretest.MyConstruction)
			form := v.ending()
			s.Clock.Advance(time.Hour)
			var once sync.Once
			again := func() {
				once.Do(func() {
					s.Fault(nil)
					other := s.visitor(procoretest.Joe)
					other.connect(procoretest.MyConstruction)
				})
			}
			if during == "" {
				again()
			}
			s.Fault(func(operation string, body []byte) (f dynamotest.Fault) {
				if operation == during && (operation != "GetItem" || strings.Contains(string(body), `"webhook"`)) {
					again()
				}
				return f
			})
			v.Post("/connected", form)
			s.Fault(nil)
			again()
			c := s.connection(procoretest.MyConstruction)
			if c.State != connections.Connected || c.Origin == v.flow {
				t.Errorf("the new connection is %s", c.State)
			}
			s.wantWorking(c.Key)
			v.Get("/connected?flow="+v.flow).Wants(http.StatusGone, "You have connected this company again")
		})
	}
}

// Two clicks at once, or in two tabs, are one.
func TestDisconnectTwiceAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 5 {
		v := s.visitor(procoretest.Joe)
		v.connect(procoretest.MyConstruction)
		s.withHook(procoretest.MyConstruction)
		forms := []url.Values{v.ending(), v.ending()}
		var all sync.WaitGroup
		for _, form := range forms {
			all.Go(func() { v.Post("/connected", form).RedirectsTo(s.base + "/connected?flow=" + v.flow) })
		}
		all.Wait()
		c := s.connection(procoretest.MyConstruction)
		if g := s.Grant(c.Principal).State; c.State != connections.Ended || g != tokens.Revoked || len(s.hooks(procoretest.MyConstruction)) > 0 {
			t.Errorf("it is %s, its grant %s, and %d hooks are left", c.State, g, len(s.hooks(procoretest.MyConstruction)))
		}
		s.Clock.Advance(time.Hour)
	}
	if lines := s.Log.Lines(t, "hook not deleted"); len(lines) > 0 {
		t.Errorf("the second click looked for a hook: %v", lines)
	}
}

// A user who chooses another company at the same time is either connected or asked to sign in again: the grant is revoked
// only if no company holds it.
func TestDisconnectDuringAChoice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 5 {
		v := s.visitor(procoretest.Joe)
		v.connect(procoretest.MyConstruction)
		tab := v.second(procoretest.Joe)
		choice, form := tab.form(fmt.Sprint(procoretest.HarborHill)), v.ending()
		var chosen functiontest.Page
		var all sync.WaitGroup
		all.Go(func() { v.Post("/connected", form).RedirectsTo(s.base + "/connected?flow=" + v.flow) })
		all.Go(func() { chosen = tab.Post("/companies", choice) })
		all.Wait()
		key := connections.Key{CompanyID: procoretest.HarborHill, Principal: tokens.User(procoretest.Joe)}
		switch chosen.Status {
		case http.StatusSeeOther:
			s.wantWorking(key)
			tab.Post("/connected", tab.ending()).RedirectsTo(s.base + "/connected?flow=" + tab.flow)
		case http.StatusGone:
			chosen.Wants(http.StatusGone, "Please connect again")
		default:
			t.Errorf("the choice got status %d", chosen.Status)
		}
		if got := s.Grant(key.Principal); got.State != tokens.Revoked || len(got.Holders) > 0 {
			t.Errorf("the grant is %s, held by %v", got.State, got.Holders)
		}
		s.Clock.Advance(time.Hour)
	}
}

// While housekeeping has the company's lease, the page waits, and the user may try again.
func TestDisconnectDuringAPass(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(h *handler) { h.hookWait = 500 * time.Millisecond })
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	form := v.ending()
	took, release := make(chan struct{}), make(chan struct{})
	var writes atomic.Int64
	s.Fault(func(operation string, body []byte) (f dynamotest.Fault) {
		if operation == "UpdateItem" && strings.Contains(string(body), `{"S":"webhook"}`) && writes.Add(1) == 2 {
			close(took)
			<-release
		}
		return f
	})
	pass := make(chan error)
	go func() {
		_, err := s.reconciler().Reconcile(t.Context(), procoretest.MyConstruction)
		pass <- err
	}()
	<-took
	v.Post("/connected", form).Wants(http.StatusServiceUnavailable, `href="`+s.base+"/connected?flow="+v.flow+`&amp;disconnect=1"`)
	if got := s.connection(procoretest.MyConstruction).State; got != connections.Connected {
		t.Errorf("during the pass it is %s", got)
	}
	close(release)
	if err := <-pass; err != nil {
		t.Error(err)
	}
	v.Post("/connected", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	if got := s.connection(procoretest.MyConstruction).State; got != connections.Ended || len(s.hooks(procoretest.MyConstruction)) > 0 {
		t.Errorf("it is %s, and %d hooks are left", got, len(s.hooks(procoretest.MyConstruction)))
	}
}

// An end without an answer of Procore is an end: the hook remains, and housekeeping revokes the grant.
func TestDisconnectWithoutProcore(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]procoretest.Fault{
		"reset": {Kind: procoretest.Reset, Times: 99},
		"503":   {Kind: procoretest.Status, Status: http.StatusServiceUnavailable, Times: 99},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.visitor(procoretest.Joe)
			v.connect(procoretest.MyConstruction)
			s.withHook(procoretest.MyConstruction)
			form := v.ending()
			for _, endpoint := range []string{"api", "revoke"} {
				f.Endpoint = endpoint
				s.ProcoreFails(f)
			}
			v.Post("/connected", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
			v.returns().Wants(http.StatusGone, "You have disconnected this company")
			c := s.connection(procoretest.MyConstruction)
			if g := s.Grant(c.Principal); c.State != connections.Ended || g.State == tokens.Revoked || len(s.hooks(procoretest.MyConstruction)) != 1 {
				t.Errorf("it is %s, its grant %s", c.State, g.State)
			}
			if lines := s.Log.Lines(t, "hook cleanup for ended connection failed"); len(lines) != 1 {
				t.Errorf("logged %v", lines)
			}
			s.Procore.ClearFaults()
			s.Clock.Advance(tokens.UnheldFor + time.Minute)
			s.housekeeping()
			if g := s.Grant(c.Principal); g.State != tokens.Revoked {
				t.Errorf("after housekeeping the grant is %s", g.State)
			}
		})
	}
}

// An access token that has expired is refreshed to delete the hook, once.
func TestDisconnectAnIdleConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	s.withHook(procoretest.MyConstruction)
	s.Clock.Advance(10 * 24 * time.Hour)
	v.Post("/connected", v.ending()).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	c := s.connection(procoretest.MyConstruction)
	if g := s.Grant(c.Principal).State; g != tokens.Revoked || len(s.hooks(procoretest.MyConstruction)) > 0 || s.Requests("POST /oauth/token") != 1 {
		t.Errorf("the grant is %s, %d hooks are left, after %d refreshes", g, len(s.hooks(procoretest.MyConstruction)), s.Requests("POST /oauth/token"))
	}
}

// What does not work can be disconnected too, and needs nothing of Procore.
func TestDisconnectWhatDoesNotWork(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*site, connections.Connection){
		"reauthorize":  func(s *site, _ connections.Connection) { s.refuseRefresh(procoretest.Joe) },
		"disconnected": func(s *site, c connections.Connection) { _ = s.Store().Disconnect(s.t.Context(), c) },
		"paused":       func(s *site, c connections.Connection) { _ = s.Store().Pause(s.t.Context(), c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.visitor(procoretest.Joe)
			v.connect(procoretest.MyConstruction)
			spoil(s, s.connection(procoretest.MyConstruction))
			v.Post("/connected", v.ending()).RedirectsTo(s.base + "/connected?flow=" + v.flow)
			c := s.connection(procoretest.MyConstruction)
			if g := s.Grant(c.Principal); c.State != connections.Ended || g.State != tokens.Revoked || len(g.Holders) > 0 {
				t.Errorf("it is %s, its grant %s, held by %v", c.State, g.State, g.Holders)
			}
			v.returns().Wants(http.StatusGone, "You have disconnected this company")
		})
	}
}

// Without storage nothing ends, and the page leads back to the question.
func TestDisconnectWithoutStorage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	form := v.ending()
	s.Fault(func(operation string, _ []byte) (f dynamotest.Fault) {
		if operation == "TransactWriteItems" {
			f.Code = "InternalServerError"
		}
		return f
	})
	v.Post("/connected", form).Wants(http.StatusServiceUnavailable, `href="`+s.base+"/connected?flow="+v.flow+`&amp;disconnect=1"`)
	s.Fault(nil)
	if got := s.connection(procoretest.MyConstruction).State; got != connections.Connected {
		t.Errorf("it is %s", got)
	}
	v.Post("/connected", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
	if got := s.connection(procoretest.MyConstruction).State; got != connections.Ended {
		t.Errorf("the second time it is %s", got)
	}
}
