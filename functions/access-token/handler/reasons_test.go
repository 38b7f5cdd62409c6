package handler

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// fails makes Procore answer a status to calls into our company, or to /me.
func (c *caller) fails(endpoint string, status, times int) {
	c.t.Helper()
	c.ProcoreFails(procoretest.Fault{Endpoint: endpoint, Kind: procoretest.Status, Status: status, Times: times})
}

// refused is the answer to a refresh token that was revoked.
var refused = procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: http.StatusBadRequest, Body: `{"error":"invalid_grant"}`}

const (
	projects = "/rest/v1.1/projects" // the call that checks a company
	me       = "/rest/v1.0/me"
)

func TestReasons(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reason  string
		request string
		break_  func(*caller)
		waits   time.Duration // until retry_at, at least; 0: none
	}{
		"no one connected it":      {"not_connected", `{"company_id": 4294967311}`, func(*caller) {}, 0},
		"there is no such company": {"not_connected", `{"company_id": 9223372036854775807}`, func(*caller) {}, 0},
		"a user ended it": {"ended", "", func(c *caller) {
			if err := c.Store().End(c.t.Context(), joes, "a test"); err != nil {
				c.t.Fatal(err)
			}
		}, 0},
		"an administrator disconnected it": {"disconnected", "", func(c *caller) {
			if err := c.Store().Disconnect(c.t.Context(), c.Connection(joes)); err != nil {
				c.t.Fatal(err)
			}
		}, 0},
		"it is paused": {"paused", "", func(c *caller) {
			if err := c.Store().Pause(c.t.Context(), c.Connection(joes)); err != nil {
				c.t.Fatal(err)
			}
		}, 5*time.Minute - time.Second},
		"Procore refuses the refresh token": {"reauthorize", "", func(c *caller) {
			c.Clock.Advance(2 * time.Hour)
			c.ProcoreFails(refused)
		}, 0},
		"the breaker is open": {"try_again", "", func(c *caller) {
			c.Clock.Advance(2 * time.Hour)
			c.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 503, Times: 100})
			_ = c.Tokens().Upkeep().Probe(c.t.Context())
		}, time.Minute},
		"Procore counts too many calls": {"rate_limited", `{"company_id": 5678, "rejected": true}`, func(c *caller) {
			c.fails(projects, http.StatusTooManyRequests, 1)
		}, time.Second},
		"Procore is down": {"try_again", `{"company_id": 5678, "rejected": true}`, func(c *caller) {
			c.fails(projects, http.StatusServiceUnavailable, 9)
		}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := connected(t)
			test.break_(c)
			if test.request == "" {
				test.request = `{"company_id": 5678}`
			}
			s := c.want(test.reason, "%s", test.request)
			if got := s.Error.RetryAt; got.IsZero() != (test.waits == 0) || test.waits > 0 && got.Before(c.Clock.Now().Add(test.waits)) {
				t.Errorf("retry at %v, at %v", got, c.Clock.Now())
			}
			if strings.Contains(s.Error.Message, "%!") {
				t.Error(s.Error.Message)
			}
		})
	}
}

// Of two users, the one whose grant works serves the company.
func TestNextConnection(t *testing.T) {
	t.Parallel()
	w := functiontest.New(t)
	w.Connect(ours, procoretest.Joe, connections.WebhooksOff)
	w.Clock.Advance(time.Hour)
	w.Connect(ours, procoretest.Ann, connections.WebhooksOff)
	c := newCaller(t, w)
	c.Clock.Advance(89*time.Minute + 30*time.Second)
	c.ProcoreFails(refused) // Ann's
	c.want("", `{"company_id": 5678}`)
	if g := c.Grant(tokens.User(procoretest.Ann)); g.Usable() {
		t.Error("Ann's grant was not tried first")
	}
}

// What a caller claims spends nothing: a hundred false rejections cost a call each.
func TestFalseRejections(t *testing.T) {
	t.Parallel()
	c := connected(t)
	first, before := c.want("", `{"company_id": 5678}`), c.refreshes()
	for range 100 {
		if s := c.want("", `{"company_id": 5678, "rejected": true}`); s.AccessToken != first.AccessToken {
			t.Fatal("a good token was replaced")
		}
	}
	if got := c.Connection(joes).PausedUntil; c.refreshes() != before || !got.IsZero() {
		t.Errorf("%d refreshes, paused until %v", c.refreshes()-before, got)
	}
}

// A token that Procore no longer accepts is refreshed once, and then not again.
func TestRejectedToken(t *testing.T) {
	t.Parallel()
	c := connected(t)
	first, before := c.want("", `{"company_id": 5678}`), c.refreshes()
	c.Clock.Advance(10 * time.Minute)
	c.fails(projects, http.StatusUnauthorized, 1)
	c.fails(me, http.StatusUnauthorized, 1)
	second := c.want("", `{"company_id": 5678, "rejected": true}`)
	if second.AccessToken == first.AccessToken || c.refreshes() != before+1 || c.works(second) != http.StatusOK {
		t.Errorf("the same token, or %d refreshes", c.refreshes()-before)
	}
	c.fails(projects, http.StatusUnauthorized, 1000)
	c.fails(me, http.StatusUnauthorized, 1000)
	for range 10 {
		c.want("paused", `{"company_id": 5678, "rejected": true}`)
	}
	if c.refreshes() != before+1 {
		t.Errorf("%d refreshes, want one", c.refreshes()-before)
	}
}

// Another process has refreshed the token in the meantime.
func TestRejectedTokenOfAnotherProcess(t *testing.T) {
	t.Parallel()
	c := connected(t)
	if err := c.Procore.UpdateOptions(procoretest.OptionsPatch{RefreshKillsAccess: new(true)}); err != nil {
		t.Fatal(err)
	}
	first := c.want("", `{"company_id": 5678}`)
	c.Clock.Advance(10 * time.Minute)
	if _, err := c.Tokens().Upkeep().Refresh(t.Context(), joes.Principal, 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	before := c.refreshes()
	if got := c.works(first); got != http.StatusUnauthorized {
		t.Fatalf("the old token is answered %d", got)
	}
	s := c.want("", `{"company_id": 5678, "rejected": true}`)
	if s.AccessToken == first.AccessToken || c.refreshes() != before || c.works(s) != http.StatusOK {
		t.Errorf("the old token, or %d refreshes", c.refreshes()-before)
	}
}

// A company that answers 401 to a good token is paused, and costs no refresh.
func TestRejectedCompany(t *testing.T) {
	t.Parallel()
	c := connected(t)
	c.want("", `{"company_id": 5678}`)
	before := c.refreshes()
	c.fails(projects, http.StatusUnauthorized, 1)
	s := c.want("paused", `{"company_id": 5678, "rejected": true}`)
	if got := c.Connection(joes).PausedUntil; c.refreshes() != before || s.Error.RetryAt.Before(got) || !got.After(c.Clock.Now()) {
		t.Errorf("%d refreshes; paused until %v, and told %v", c.refreshes()-before, got, s.Error.RetryAt)
	}
	c.want("paused", `{"company_id": 5678}`)
}

// An administrator disconnected the app at Procore: the first caller that says so has it recorded.
func TestDisconnectedAtProcore(t *testing.T) {
	t.Parallel()
	c := connected(t)
	c.want("", `{"company_id": 5678}`)
	c.PatchCompany(ours, procoretest.CompanyPatch{Connected: new(false), UserInstalls: new(false)})
	c.want("disconnected", `{"company_id": 5678, "rejected": true}`)
	if got := c.Connection(joes).State; got != connections.Disconnected {
		t.Errorf("the connection is %s", got)
	}
	c.want("disconnected", `{"company_id": 5678}`)
}

// A 403 for lack of a permission concerns the call, not the connection.
func TestForbidden(t *testing.T) {
	t.Parallel()
	c := connected(t)
	c.fails(projects, http.StatusForbidden, 1)
	c.want("", `{"company_id": 5678, "rejected": true}`)
	if got := c.Connection(joes); got.State != connections.Connected || !got.PausedUntil.IsZero() {
		t.Errorf("the connection is %s, paused until %v", got.State, got.PausedUntil)
	}
}

// docs/ANY-LANGUAGE.md has each reason, and no other.
func TestContractHasEachReason(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/ANY-LANGUAGE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n| `reason` |")
	table, _, _ = strings.Cut(table, "\n\n")
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(table, -1) {
		got = append(got, m[1])
	}
	want := []string{"invalid_request"}
	for _, r := range reasons {
		want = append(want, r.reason)
	}
	slices.Sort(got)
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("docs/ANY-LANGUAGE.md has %q, the function %q", got, want)
	}
}
