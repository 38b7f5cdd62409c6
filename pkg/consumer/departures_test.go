package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// changed changes a company user at Procore and returns the event.
func (c *consumer) changed(id string, company, user int64, kind string, inactive bool) procore.Event {
	c.t.Helper()
	c.Clock.Advance(time.Second)
	e := procoretest.Event{CompanyID: company, ResourceName: companyUsers, ResourceID: procore.NewID(user), EventType: kind, Inactive: inactive}
	if _, err := c.Procore.Emit(e); err != nil {
		c.t.Fatal(err)
	}
	return procore.Event{ID: id, CompanyID: company, Resource: companyUsers, ResourceID: procore.NewID(user), Type: kind,
		Timestamp: c.Clock.Now(), PayloadVersion: "v2.0"}
}

// hooked creates our hook in the connection's company.
func (c *consumer) hooked(key connections.Key) {
	c.t.Helper()
	client := c.Store().Client(key)
	if _, err := client.CreateHook(c.t.Context(), procore.HookSpec{Namespace: "our-app", DestinationURL: hookURL, PayloadVersion: "v2.0"}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *consumer) wantStates(want map[connections.Key]connections.State) {
	c.t.Helper()
	for key, state := range want {
		if got := c.Connection(key); got.State != state {
			c.t.Errorf("%s is %s (%s), want %s", key, got.State, got.Reason, state)
		}
	}
}

// live counts the pairs that Procore still accepts.
func (c *consumer) live() (n int) {
	for _, token := range c.Procore.State().RefreshTokens {
		if token.State == procoretest.Live {
			n++
		}
	}
	return n
}

// A user who left loses access at once, whatever the form of the event, and keeps it to
// another company. Other users keep theirs.
func TestUserLeaves(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*consumer) procore.Event{
		"deleted": func(c *consumer) procore.Event {
			return c.changed("1", procoretest.MyConstruction, procoretest.Joe, "delete", false)
		},
		"made inactive": func(c *consumer) procore.Event {
			return c.changed("1", procoretest.MyConstruction, procoretest.Joe, "update", true)
		},
		"by ourselves": func(c *consumer) procore.Event {
			e := c.changed("1", procoretest.MyConstruction, procoretest.Joe, "delete", false)
			e.SourceApplicationID = "fake-client-id"
			return e
		},
		"gone at an update": func(c *consumer) procore.Event {
			e := c.changed("1", procoretest.MyConstruction, procoretest.Joe, "delete", false)
			e.Type = "update"
			return e
		},
		"a directory that may not be read": func(c *consumer) procore.Event {
			c.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{DeniedTools: &[]string{"users"}})
			return c.changed("1", procoretest.MyConstruction, procoretest.Joe, "update", true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsumer(t)
			c.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Members: &[]int64{procoretest.Joe, procoretest.Ann}})
			joe := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
			elsewhere, err := c.Store().Connect(t.Context(), connections.New{Key: connections.Key{CompanyID: procoretest.HarborHill, Principal: joe.Principal}})
			if err != nil {
				t.Fatal(err)
			}
			c.Clock.Advance(time.Second)
			ann := c.Connect(procoretest.MyConstruction, procoretest.Ann, connections.WebhooksOff)
			c.hooked(ann.Key)
			event := leave(c)
			for range 2 { // at least once
				c.wantFailures(c.handle(message(t, event)))
			}
			c.wantStates(map[connections.Key]connections.State{joe.Key: connections.Ended, ann.Key: connections.Connected, elsewhere.Key: connections.Connected})
			if got := c.live(); got != 2 || c.Grant(joe.Principal).State != tokens.Active {
				t.Errorf("%d pairs are alive at Procore, want 2: Joe is still in another company", got)
			}
			if got := len(c.Procore.State().Hooks); got != 1 {
				t.Errorf("%d hooks are left, want 1", got)
			}
			if got := len(c.Log.Lines(t, "departed user's connection ended")); got != 1 {
				t.Errorf("got %d lines of a departure, want 1", got)
			}
		})
	}
}

// The departure check counts as the user's calls. None is sent when the rate limit is
// known to be used up.
func TestLeftSharesTheRateLimit(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	joe := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	one := 1
	if err := c.Procore.UpdateOptions(procoretest.OptionsPatch{SpikeLimit: &one}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.h.store.Client(joe.Key).Me(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls := len(c.Procore.State().Calls)
	if _, err := c.h.departures.Left(t.Context(), joe.Principal, joe); !errors.Is(err, procore.ErrRateLimited) || len(c.Procore.State().Calls) != calls {
		t.Errorf("got %v after %d calls, want ErrRateLimited and none", err, len(c.Procore.State().Calls)-calls)
	}
}

// The only user's token is revoked too, although the user has no access.
func TestOnlyUserLeaves(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"delete", "update"} {
		c := newConsumer(t)
		joe := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
		c.hooked(joe.Key)
		c.wantFailures(c.handle(message(t, c.changed("1", procoretest.MyConstruction, procoretest.Joe, kind, true))))
		c.wantStates(map[connections.Key]connections.State{joe.Key: connections.Ended})
		if got := c.live(); got != 0 {
			t.Errorf("%s: %d pairs are alive at Procore, want none", kind, got)
		}
		if got := len(c.Log.Lines(t, "hook not deleted")); got != 1 {
			t.Errorf("%s: the log names the hook %d times, want once", kind, got)
		}
	}
}

// A user who is still there, or again, keeps the connection.
func TestUserStays(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*consumer) procore.Event{
		"another change": func(c *consumer) procore.Event {
			return c.changed("1", procoretest.MyConstruction, procoretest.Joe, "update", false)
		},
		"another user left": func(c *consumer) procore.Event {
			return c.changed("1", procoretest.MyConstruction, 424242, "delete", false)
		},
		"left another company": func(c *consumer) procore.Event {
			return c.changed("1", procoretest.HarborHill, procoretest.Joe, "delete", false)
		},
		"an old deletion": func(c *consumer) procore.Event {
			e := c.changed("1", procoretest.MyConstruction, procoretest.Joe, "update", false)
			e.Type, e.Timestamp = "delete", e.Timestamp.Add(-time.Hour)
			return e
		},
		"a deletion that is replayed": func(c *consumer) procore.Event {
			e := c.changed("1", procoretest.MyConstruction, procoretest.Joe, "update", false)
			e.Type, e.ReplayedAt = "delete", e.Timestamp
			return e
		},
		"another resource": func(c *consumer) procore.Event {
			e := c.changed("1", procoretest.MyConstruction, procoretest.Joe, "delete", false)
			e.Resource = "Company Vendors"
			return e
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsumer(t)
			joe := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
			c.work = func(context.Context, procore.Event, *procore.CompanyClient) error { return nil }
			c.wantFailures(c.handle(message(t, change(c))))
			c.wantHandled("1")
			c.wantStates(map[connections.Key]connections.State{joe.Key: connections.Connected})
		})
	}
}

// While Procore does not answer, the event is redelivered, and no connection ends whose
// user did not leave. A revocation that was begun is not forgotten.
func TestDepartureInAnOutage(t *testing.T) {
	t.Parallel()
	down := func(endpoint string) procoretest.Fault {
		return procoretest.Fault{Endpoint: endpoint, Kind: procoretest.Status, Status: 503, Headers: map[string]string{"Retry-After": "3600"}, Times: 9}
	}
	t.Run("the question", func(t *testing.T) {
		t.Parallel()
		c := newConsumer(t)
		joe := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
		event := c.changed("1", procoretest.MyConstruction, procoretest.Joe, "update", true) // it can no longer be read
		c.ProcoreFails(down("/rest/v1.0/companies"))
		c.wantFailures(c.handle(message(t, event)), "m-1")
		c.wantStates(map[connections.Key]connections.State{joe.Key: connections.Connected})
		c.Procore.ClearFaults()
		c.wantFailures(c.handle(message(t, event)))
		c.wantStates(map[connections.Key]connections.State{joe.Key: connections.Ended})
	})
	t.Run("the hook", func(t *testing.T) {
		t.Parallel()
		c := newConsumer(t)
		joe := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
		event := c.changed("1", procoretest.MyConstruction, procoretest.Joe, "delete", false)
		c.ProcoreFails(down("/rest/v2.0/companies/5678/webhooks/hooks"))
		c.wantFailures(c.handle(message(t, event)))
		c.wantStates(map[connections.Key]connections.State{joe.Key: connections.Ended})
	})
	t.Run("the revocation", func(t *testing.T) {
		t.Parallel()
		c := newConsumer(t)
		joe := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
		event := c.changed("1", procoretest.MyConstruction, procoretest.Joe, "delete", false)
		c.ProcoreFails(down("revoke"))
		c.wantFailures(c.handle(message(t, event)), "m-1")
		c.wantStates(map[connections.Key]connections.State{joe.Key: connections.Ended})
		if g := c.Grant(joe.Principal); g.State != tokens.Uncertain || g.UnheldAt.IsZero() { // whether it was revoked is not known
			t.Errorf("the grant is %s, without a company since %v; want it left to the schedule", g.State, g.UnheldAt)
		}
		c.Procore.ClearFaults()
		c.wantFailures(c.handle(message(t, event)))
		if err := c.Tokens().Revoke(t.Context(), joe.Principal, "as the schedule does"); err != nil || c.live() != 0 {
			t.Errorf("got %v, and %d live pairs", err, c.live())
		}
	})
}

// The brake holds the consumer too, whose events are handled all the same. While
// storage cannot count, they are redelivered.
func TestBrakeHoldsTheConsumer(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	var all []connections.Connection
	left := func() procore.Event {
		t.Helper()
		id := 700 + int64(len(all))
		if err := c.Procore.AddCompany(procoretest.NewCompany(id, "A Company", procoretest.Joe)); err != nil {
			t.Fatal(err)
		}
		joe := c.Connect(id, procoretest.Joe, connections.WebhooksOff)
		all = append(all, joe)
		c.Clock.Advance(time.Second)
		c.PatchCompany(id, procoretest.CompanyPatch{Members: &[]int64{}})
		return procore.Event{ID: fmt.Sprint(id), CompanyID: id, Resource: companyUsers, ResourceID: procore.NewID(procoretest.Joe), Type: "delete", Timestamp: c.Clock.Now(), PayloadVersion: "v2.0"}
	}
	first := left()
	c.Fault(func(_ string, body []byte) dynamotest.Fault {
		if strings.Contains(string(body), `#departures"`) {
			return dynamotest.Fault{Code: "InternalServerError"}
		}
		return dynamotest.Fault{}
	})
	c.wantFailures(c.handle(message(t, first)), "m-700")
	c.wantStates(map[connections.Key]connections.State{all[0].Key: connections.Connected})
	c.Fault(nil)
	c.wantFailures(c.handle(message(t, first)))
	var last procore.Event
	for range 10 { // one more than may end
		last = left()
		c.wantFailures(c.handle(message(t, last)))
	}
	want := map[connections.Key]connections.State{}
	for _, one := range all {
		want[one.Key] = connections.Ended
	}
	held := all[len(all)-1].Key
	want[held] = connections.Connected
	c.wantStates(want)
	if lines := c.Log.Lines(t, "departure withheld"); len(lines) != 1 || lines[0]["company_id"] != float64(held.CompanyID) {
		t.Errorf("logged %v, want one withheld departure of company %d", lines, held.CompanyID)
	}
	if _, err := c.h.departures.Acknowledge(t.Context()); err != nil {
		t.Error(err)
	}
	c.wantFailures(c.handle(message(t, last)))
	c.wantStates(map[connections.Key]connections.State{held: connections.Ended})
}
