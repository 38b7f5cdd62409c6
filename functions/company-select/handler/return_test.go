package handler

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const (
	acme   = "My Construction Company"
	harbor = "Harbor &amp; Hill Builders"
)

// returns opens the page of the browser's newest connection.
func (v *visitor) returns() functiontest.Page {
	v.s.t.Helper()
	return v.Get("/connected")
}

// The browser comes back for two weeks, without the flow's address, to its newest connection.
func TestReturn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.returns().Wants(http.StatusOK, "is ready to connect") // nothing is chosen yet
	v.connect(procoretest.MyConstruction)
	s.Clock.Advance(6 * 24 * time.Hour) // the page was not opened: the answer to the choice had the cookie
	until := s.Clock.Now().Add(8 * 24 * time.Hour).UTC().Format("2\u00a0January\u00a02006")
	v.returns().Wants(http.StatusOK, acme, "Connected by", "Until "+until+", you can open this page again", "flow="+v.flow+"&amp;disconnect=1")

	second := v.second(procoretest.Joe)
	v.returns().Wants(http.StatusOK, acme)
	second.connect(procoretest.HarborHill)
	v.returns().Wants(http.StatusOK, harbor)
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, acme)
	s.Clock.Advance(8*24*time.Hour - 2*time.Second)
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, acme)
	s.Clock.Advance(4 * time.Second)
	v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, "is ready to connect")
	v.returns().Wants(http.StatusOK, harbor)
	s.Clock.Advance(6 * 24 * time.Hour)
	v.returns().Wants(http.StatusOK, "is ready to connect")
}

// The page keeps the cookie, in case the answer to the choice was lost.
func TestReturnAfterALostAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	before := v.Cookies()
	v.connect(procoretest.MyConstruction)
	v.keep(v.flow, procore.NewSecret(before[0].Value))
	page := v.Get("/connected?flow="+v.flow).Wants(http.StatusOK, acme)
	if len(page.Cookies) != 1 || page.Cookies[0].MaxAge != 15*24*60*60 || page.Cookies[0].Value != before[0].Value {
		t.Errorf("got %d cookies, want the flow's for 15 days", len(page.Cookies))
	}
	s.Clock.Advance(10 * 24 * time.Hour)
	v.returns().Wants(http.StatusOK, acme)
}

// A row that waits for its browser has no pair, nothing sealed, and no name.
func TestReturnHoldsNoPair(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	row := s.row(v.flow)
	for _, name := range []string{"sealed", "seal_key", "held_shard", "user_name"} {
		if row[name] != nil {
			t.Errorf("the row of a connected flow has %s", name)
		}
	}
}

// A visitor without a cookie costs no read, and one with any number of cookies eight.
func TestReturnIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.Browser(s.base)
	u, err := url.Parse(s.base)
	if err != nil {
		t.Fatal(err)
	}
	s.Storage()
	for _, want := range []int{0, 8} {
		b.Get("/connected").Wants(http.StatusOK, "is ready to connect")
		if got := len(s.Storage()); got != want {
			t.Errorf("%d cookies: %d reads, want %d", len(b.Cookies()), got, want)
		}
		for i := range 30 {
			flow := session.FlowOf(procore.NewSecret(fmt.Sprint(i)))
			b.Jar.SetCookies(u, []*http.Cookie{{Name: "flow-" + flow, Value: "invented", Path: "/"}})
		}
	}
}

// A browser shows the connection that it made, and no other one of the same user and company.
func TestReturnToAnotherConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	s.Clock.Advance(time.Hour)
	other := s.visitor(procoretest.Joe)
	other.connect(procoretest.MyConstruction)
	for _, address := range []string{"/connected", "/connected?flow=" + v.flow, "/connected?disconnect=1&flow=" + v.flow} {
		page := v.Get(address).Wants(http.StatusGone, "You have connected this company again")
		if strings.Contains(page.Body, "disconnect=1") || strings.Contains(page.Body, "csrf") {
			t.Errorf("%s: the page leads to the end of another browser's connection", address)
		}
	}
	other.Get("/connected?flow="+other.flow).Wants(http.StatusOK, "Reconnected")

	s.Clock.Advance(time.Hour)
	again := v.second(procoretest.Joe)
	again.connect(procoretest.MyConstruction)
	v.Get("/connected?flow=" + v.flow).RedirectsTo(s.base + "/connected?flow=" + again.flow)
	v.returns().Wants(http.StatusOK, "Reconnected")

	if err := s.Store().End(t.Context(), s.connection(procoretest.MyConstruction).Key, "test"); err != nil {
		t.Fatal(err)
	}
	for _, browser := range []*visitor{v, other} {
		browser.Get("/connected?flow="+browser.flow).Wants(http.StatusGone, "The connection has ended")
	}
}

// What was erased is gone for its browser too.
func TestReturnAfterAnErasure(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	key := s.connection(procoretest.MyConstruction).Key
	if err := s.Store().End(t.Context(), key, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store().Erase(t.Context(), key.CompanyID); err != nil {
		t.Fatal(err)
	}
	page := v.returns().Wants(http.StatusGone, "The connection has ended")
	if strings.Contains(page.Body, acme) {
		t.Error("the page has the name of a company that was erased")
	}
}

// The last event is read fresh. If that fails, or is slow, the page lacks the line.
func TestLastEvent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	if page := v.returns().Wants(http.StatusOK, "Being set up"); strings.Contains(page.Body, "Last update") {
		t.Error("a page without webhooks has the line")
	}
	s.withHook(procoretest.MyConstruction)
	v.returns().Wants(http.StatusOK, "Last update from Procore", "None since you connected this company")
	e := procore.Event{ID: "e1", CompanyID: procoretest.MyConstruction, Resource: "RFIs", ResourceID: "7", Type: "update"}
	if _, err := s.h.inbox.Add(t.Context(), e, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	v.returns().Wants(http.StatusOK, "Less than a minute ago")
	for _, tt := range []struct {
		later time.Duration
		want  string
	}{{time.Minute, ">1 minute ago"}, {58 * time.Minute, ">59 minutes ago"}, {time.Minute, ">1 hour ago"}, {46 * time.Hour, ">47 hours ago"}, {time.Hour, ">2 days ago"}} {
		s.Clock.Advance(tt.later)
		v.returns().Wants(http.StatusOK, tt.want)
	}
	index := func(f func() dynamotest.Fault) func(string, []byte) dynamotest.Fault {
		return func(operation string, body []byte) dynamotest.Fault {
			if operation == "Query" && strings.Contains(string(body), "by_company") {
				return f()
			}
			return dynamotest.Fault{}
		}
	}
	shown := make(chan struct{})
	for name, f := range map[string]func() dynamotest.Fault{
		"refused": func() dynamotest.Fault { return dynamotest.Fault{Code: "InternalServerError"} },
		"slow":    func() dynamotest.Fault { <-shown; return dynamotest.Fault{} },
	} {
		s.Fault(index(f))
		if page := v.returns().Wants(http.StatusOK, acme); strings.Contains(page.Body, "Last update") {
			t.Errorf("%s: the page has the line", name)
		}
	}
	close(shown)
}

// While webhooks are being set up, the page loads itself again for ten minutes, unless the visitor stops that.
func TestPageChecks(t *testing.T) {
	t.Parallel()
	s := serving(t, config.Principals{ServiceAccount: true, Users: true})
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	if err := s.Store().AddServiceAccount(t.Context(), procoretest.HarborHill, "Harbor", connections.WebhooksPending); err != nil {
		t.Fatal(err)
	}
	addresses := []string{"/connected?flow=" + v.flow, "/connected", fmt.Sprintf("/connected?company_id=%d", procoretest.HarborHill)}
	checks := func(when string, want bool) {
		t.Helper()
		for _, address := range addresses {
			page := v.Get(address).Wants(http.StatusOK, "Being set up")
			if got := page.Header.Get("Refresh"); got != "" != want || got != "" && got != "30" {
				t.Errorf("%s, %s: Refresh is %q", when, address, got)
			}
			if strings.Contains(page.Body, "This page checks every 30 seconds") != want || strings.Contains(page.Body, "Stop checking") != want {
				t.Errorf("%s, %s: whether the page says that it checks is not %t", when, address, want)
			}
		}
	}
	checks("at once", true)
	for _, address := range addresses {
		address += "?still=1"
		if strings.Count(address, "?") > 1 {
			address = strings.Replace(address, "?still", "&still", 1)
		}
		if page := v.Get(address).Wants(http.StatusOK, "Being set up", "Check again"); page.Header.Get("Refresh") != "" {
			t.Errorf("%s: the visitor has stopped it", address)
		}
	}
	s.Clock.Advance(checkingFor - time.Second)
	checks("just before ten minutes", true)
	s.Clock.Advance(2 * time.Second)
	checks("after ten minutes", false)
	s.Clock.Advance(-checkingFor)
	c := s.connection(procoretest.MyConstruction)
	if _, _, err := s.Store().SetWebhooks(t.Context(), c, connections.WebhooksActive, s.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	if page := v.returns().Wants(http.StatusOK, "On. Changes"); page.Header.Get("Refresh") != "" {
		t.Error("a page on which nothing changes is loaded again")
	}
}

// A connection whose calls Procore refuses for a while is not shown as one that works.
func TestPausedPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	if err := s.Store().Pause(t.Context(), s.connection(procoretest.MyConstruction)); err != nil {
		t.Fatal(err)
	}
	v.returns().Wants(http.StatusOK, "The connection is interrupted", "tries again automatically", "disconnect=1")
}

// A connection that needs its user leads back to it, and can be disconnected as well.
func TestReturnToReconnect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	s.refuseRefresh(procoretest.Joe)
	v.returns().Wants(http.StatusGone, "Your connection has stopped working", ">Reconnect</a>", s.base+"/oauth/start", "disconnect=1")
	again := v.second(procoretest.Joe)
	again.connect(procoretest.MyConstruction)
	v.returns().Wants(http.StatusOK, "Reconnected")
	s.wantWorking(connections.Key{CompanyID: procoretest.MyConstruction, Principal: tokens.User(procoretest.Joe)})
}

// Without storage there is no guess: the visitor tries again.
func TestReturnWithoutStorage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	v.connect(procoretest.MyConstruction)
	s.Fault(functiontest.Down)
	v.returns().Wants(http.StatusServiceUnavailable, `href="`+s.base+`/connected"`)
	s.Fault(nil)
	v.returns().Wants(http.StatusOK, acme)
}
