package handler

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// unavailable is so long that the client does not wait for its next attempt.
var unavailable = map[string]string{"Retry-After": "3600"}

func TestProcoreDownWhileListing(t *testing.T) {
	t.Parallel()
	for _, f := range []procoretest.Fault{
		{Kind: procoretest.Reset, Times: 9},
		{Kind: procoretest.Drop, Times: 9},
		{Kind: procoretest.Status, Status: 503, Headers: unavailable, Times: 9},
		{Kind: procoretest.Status, Status: 429, Headers: unavailable, Times: 9},
		{Kind: procoretest.Status, Status: 200, Body: "<html>maintenance</html>", Times: 9},
	} {
		for _, f.Endpoint = range []string{"/rest/v1.0/me", "/rest/v1.0/companies"} {
			t.Run(f.Kind+" "+strconv.Itoa(f.Status)+f.Endpoint, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				v := s.visitor(procoretest.Joe)
				s.ProcoreFails(f)
				v.list().Wants(http.StatusBadGateway, "Procore is not responding", "Try again", s.base+"/companies?flow="+v.flow)
				s.Procore.ClearFaults()
				v.connect(procoretest.MyConstruction)
			})
		}
	}
}

// Without a clear answer the app may be installed in the company: it remains the
// choice, and the same form works later.
func TestProcoreDownWhileVerifying(t *testing.T) {
	t.Parallel()
	for _, f := range []procoretest.Fault{
		{Kind: procoretest.Reset, Times: 9},
		{Kind: procoretest.Drop, Times: 9},
		{Kind: procoretest.Status, Status: 503, Headers: unavailable},
		{Kind: procoretest.Status, Status: 429, Headers: map[string]string{"Retry-After": "60"}},
		{Kind: procoretest.Status, Status: 404, Body: `{"message":"There is no such company."}`},
	} {
		t.Run(f.Kind+" "+strconv.Itoa(f.Status), func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			v := s.visitor(procoretest.Joe)
			form := v.form("5678")
			f.Endpoint = "/rest/v1.1/projects"
			s.ProcoreFails(f)
			shown := "Procore is not responding"
			if f.Status == http.StatusNotFound {
				shown = "There is no such company." // an answer, with Procore's own message
			}
			v.Post("/companies", form).Wants(http.StatusBadGateway, shown, "Try again", s.base+"/companies?flow="+v.flow)
			if got := len(s.connections(procoretest.MyConstruction)); got > 0 {
				t.Errorf("got %d connections, want none", got)
			}
			s.Procore.ClearFaults()
			s.Clock.Advance(time.Minute) // nothing is sent before the time that a 429 asks for
			form.Set(pages.FieldCompany, strconv.FormatInt(procoretest.HarborHill, 10))
			page := v.Post("/companies", form).Wants(http.StatusConflict, "My Construction Company", s.base+"/companies?flow="+v.flow)
			if strings.Contains(page.Body, s.base+"/connected") {
				t.Error("the page leads to a connection that does not exist")
			}
			form.Set(pages.FieldCompany, "5678")
			v.Post("/companies", form).RedirectsTo(s.base + "/connected")
			s.wantEntered(procoretest.MyConstruction)
		})
	}
}

// direct calls the function with an invocation's deadline.
func (s *site) direct(ctx context.Context, v *visitor, method, body string) events.APIGatewayV2HTTPResponse {
	s.t.Helper()
	return s.at(ctx, v, method, "/companies", body)
}

func (s *site) at(ctx context.Context, v *visitor, method, path, body string) events.APIGatewayV2HTTPResponse {
	s.t.Helper()
	e := events.APIGatewayV2HTTPRequest{RawPath: path, RawQueryString: "flow=" + v.flow, Body: body,
		Headers: map[string]string{"content-type": "application/x-www-form-urlencoded"}}
	e.RequestContext.HTTP.Method = method
	for _, c := range v.Cookies() {
		e.Cookies = append(e.Cookies, c.Name+"="+c.Value)
	}
	out, err := s.serve(ctx, e)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// If Procore does not answer, there is a page within the invocation's time.
func TestProcoreSlow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	for _, tt := range []struct{ method, endpoint string }{
		{http.MethodGet, "/rest/v1.0/companies"}, {http.MethodPost, "/rest/v1.1/projects"},
	} {
		s.ProcoreFails(procoretest.Fault{Endpoint: tt.endpoint, Kind: procoretest.Delay, DelayMS: 60_000})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if got := s.direct(ctx, v, tt.method, form.Encode()); got.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: got status %d, want 502", tt.method, got.StatusCode)
		}
		cancel()
		s.Procore.ClearFaults()
	}
	v.Post("/companies", form).RedirectsTo(s.base + "/connected")
	s.wantEntered(procoretest.MyConstruction)
}

// Whichever operation of a choice fails, or loses its answer, the user sees a page,
// nothing is connected twice, and the same form works once storage has recovered.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	for _, fault := range []dynamotest.Fault{
		{Code: "InternalServerError"}, {Code: "ThrottlingException"}, {Drop: true}, {Drop: true, Applied: true},
	} {
		t.Run(fault.Code, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			for n := 1; ; n++ {
				v := s.visitor(procoretest.Joe)
				form := v.form("5678")
				s.Storage()
				s.Fault(nth(n, fault))
				page := v.Post("/companies", form)
				s.Fault(nil)
				if len(s.Storage()) < n {
					return // there is no n-th operation
				}
				if page.Status != http.StatusServiceUnavailable && page.Status != http.StatusSeeOther {
					t.Errorf("operation %d: got status %d, want 503, or 303 if the operation does not matter", n, page.Status)
				}
				v.Post("/companies", form).RedirectsTo(s.base + "/connected?flow=" + v.flow)
				c := s.connection(procoretest.MyConstruction)
				if g := s.Grant(c.Principal); g.Generation != int64(n) || g.State != tokens.Active || c.Rev != int64(n) || c.State != connections.Connected {
					t.Errorf("operation %d: got %s, revision %d, and a grant that is %s, generation %d, want one for each authorization",
						n, c.State, c.Rev, g.State, g.Generation)
				}
				s.wantWorking(c.Key)
			}
		})
	}
}

// nth makes the n-th operation of any kind fail.
func nth(n int, fault dynamotest.Fault) func(string, []byte) dynamotest.Fault {
	var met atomic.Int64
	return func(string, []byte) dynamotest.Fault {
		if met.Add(1) == int64(n) {
			return fault
		}
		return dynamotest.Fault{}
	}
}

func TestStorageDown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	s.Fault(functiontest.Down)
	v.list().Wants(http.StatusServiceUnavailable, "Please try again in a moment")
	v.Post("/companies", form).Wants(http.StatusServiceUnavailable)
	v.Get("/connected?flow=" + v.flow).Wants(http.StatusServiceUnavailable)
	s.Fault(nil)
	s.wantEntered()
	v.Post("/companies", form).RedirectsTo(s.base + "/connected")
	s.Fault(functiontest.Down)
	if page := v.Get("/connected?flow=" + v.flow).Wants(http.StatusServiceUnavailable); strings.Contains(page.Body, "nothing was connected") {
		t.Error("the page denies a connection that may exist")
	}
}
