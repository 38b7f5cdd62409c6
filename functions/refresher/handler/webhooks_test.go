package handler

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// writes returns the calls that changed something at the webhooks API.
func (r *refresher) writes() []string {
	var all []string
	for _, c := range r.Procore.State().Calls {
		if c.Method != "GET" && strings.Contains(c.Path, "/webhooks/") {
			all = append(all, c.Method)
		}
	}
	return all
}

func (r *refresher) wantTriggers(h procoretest.Hook, want ...string) {
	r.t.Helper()
	var got []string
	for _, trigger := range h.Triggers {
		got = append(got, trigger.ResourceName+" "+trigger.EventType)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		r.t.Errorf("triggers (-got +want):\n%s", diff)
	}
}

func (r *refresher) wantWebhooks(c connections.Connection, want connections.Webhooks, next time.Duration) {
	r.t.Helper()
	got := r.Connection(c.Key)
	if got.Webhooks != want || !got.CheckAt.Equal(r.Clock.Now().Add(next)) {
		r.t.Errorf("%s: webhooks are %s, looked at in %v; want %s, %v", c.Key, got.Webhooks, got.CheckAt.Sub(r.Clock.Now()), want, next)
	}
}

// Each company gets one hook with exactly the configured triggers. Later runs change
// nothing.
func TestProvision(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksOff)
	r.run("housekeeping")
	all := r.Procore.State().Hooks
	if len(all) != 1 {
		t.Fatalf("got %d hooks, want 1", len(all))
	}
	h := all[0]
	if h.CompanyID != procoretest.MyConstruction || h.ProjectID != 0 || h.Namespace != "our-app" || h.DestinationURL != ourURL ||
		h.PayloadVersion != "v2.0" || !cmp.Equal(h.HeaderNames, []string{"Authorization"}) {
		t.Errorf("got hook %+v", h)
	}
	r.wantTriggers(h, "RFIs create", "RFIs update", "Company Users update")
	r.wantWebhooks(c, connections.WebhooksActive, provision.Recheck)
	written := len(r.writes())
	r.run("housekeeping") // not due
	r.Clock.Advance(provision.Recheck + time.Second)
	r.run("housekeeping")
	if got := r.writes()[written:]; len(got) > 0 {
		t.Errorf("a later run made the calls %v, want none", got)
	}
	r.wantWebhooks(c, connections.WebhooksActive, provision.Recheck)
	for _, call := range r.Procore.State().Calls {
		if call.CompanyID != procoretest.MyConstruction {
			t.Errorf("%s %s was called for company %d", call.Method, call.Path, call.CompanyID)
		}
	}
}

// The hook follows the configuration: triggers are added and removed.
func TestTriggersFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.run("housekeeping")
	r.h.hooks.Want.Triggers = []procore.Trigger{{Resource: "RFIs", EventType: "update"}, {Resource: "Projects", EventType: "update"}}
	r.Clock.Advance(provision.Recheck + time.Second)
	r.run("housekeeping")
	all := r.Procore.State().Hooks
	if len(all) != 1 {
		t.Fatalf("got %d hooks, want 1", len(all))
	}
	r.wantTriggers(all[0], "RFIs update", "Projects update")
	r.wantWebhooks(c, connections.WebhooksActive, provision.Recheck)
}

// After a rotation of the webhook key the hook gets the new credential, once.
func TestCredentialRotation(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.run("housekeeping")
	r.Secrets.Put(functiontest.WebhookSecret, `{"current":"k2","k2":"fake-webhook-key-two-0123456789-0123456789"}`)
	before := len(r.writes())
	for range 2 {
		r.Clock.Advance(provision.Recheck + time.Second)
		r.run("housekeeping")
	}
	if diff := cmp.Diff(r.writes()[before:], []string{"PATCH"}); diff != "" {
		t.Errorf("calls (-got +want):\n%s", diff)
	}
	r.wantTriggers(r.Procore.State().Hooks[0], "RFIs create", "RFIs update", "Company Users update")
	r.wantWebhooks(c, connections.WebhooksActive, provision.Recheck)
}

// A hook of another deployment in our namespace, and our hook in another namespace,
// are left alone.
func TestForeignHooks(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	client := r.Store().Client(c.Key)
	foreign, err := client.CreateHook(t.Context(), procore.HookSpec{Namespace: "our-app", DestinationURL: "http://127.0.0.1:9/other", PayloadVersion: "v4.0"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateTrigger(t.Context(), foreign.ID, procore.Trigger{Resource: "Submittals", EventType: "create"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateHook(t.Context(), procore.HookSpec{Namespace: "their-app", DestinationURL: ourURL, PayloadVersion: "v4.0"}); err != nil {
		t.Fatal(err)
	}
	before := r.Procore.State().Hooks
	r.run("housekeeping")
	after := r.Procore.State().Hooks
	if len(after) != 3 {
		t.Fatalf("got %d hooks, want 3", len(after))
	}
	if diff := cmp.Diff(after[:2], before); diff != "" {
		t.Errorf("foreign hooks (-got +want):\n%s", diff)
	}
	r.wantTriggers(after[2], "RFIs create", "RFIs update", "Company Users update")
	lines := r.Log.Lines(t, "hook in our namespace has another URL")
	if len(lines) != 1 || lines[0]["hook_id"] != foreign.ID.String() || lines[0]["company_id"] != float64(procoretest.MyConstruction) {
		t.Errorf("logged %v", lines)
	}
}

// Without the Webhooks API permission an admin has to act. It is noticed when that
// happened.
func TestNeedsAdmin(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	on, off := true, false
	r.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{WebhooksPermission: &off})
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.run("housekeeping")
	r.wantWebhooks(c, connections.WebhooksNeedsAdmin, provision.Admin)
	calls := len(r.Procore.State().Calls)
	r.Clock.Advance(10 * time.Minute)
	r.run("housekeeping")
	if got := len(r.Procore.State().Calls); got != calls {
		t.Errorf("got %d more calls within the hour, want none", got-calls)
	}
	r.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{WebhooksPermission: &on})
	r.Clock.Advance(provision.Admin)
	r.run("housekeeping")
	r.wantWebhooks(c, connections.WebhooksActive, provision.Recheck)
}

// A company that disconnected the app is no longer called. That is not our failure.
func TestDisconnected(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	off := false
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	other := r.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksPending)
	r.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Connected: &off})
	r.run("housekeeping")
	if got := r.Connection(c.Key); got.State != connections.Disconnected || got.CheckAt.Before(r.Clock.Now().Add(29*24*time.Hour)) {
		t.Errorf("got %s, checked at %v; want disconnected, in a month", got.State, got.CheckAt)
	}
	if got := r.Connection(other.Key).Webhooks; got != connections.WebhooksActive {
		t.Errorf("the other company's webhook is %s, want active", got)
	}
	calls := len(r.Procore.State().Calls)
	r.Clock.Advance(time.Hour)
	r.run("housekeeping")
	r.run("refresh")
	if got := len(r.Procore.State().Calls); got != calls {
		t.Errorf("got %d more calls, want none", got-calls)
	}
}

// A connection whose grant waits for its user is not checked every five minutes, and is not a
// failure of each run.
func TestDeadConnection(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.run("housekeeping")
	kill := procoretest.Kill
	if err := r.Procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &kill}); err != nil {
		t.Fatal(err)
	}
	r.Pair(procoretest.Joe, "http://127.0.0.1:3000/")
	r.Clock.Advance(provision.Recheck + time.Second)
	r.run("refresh")
	r.run("housekeeping")
	r.wantGrant(c, tokens.Reauthorize)
	r.wantWebhooks(c, connections.WebhooksActive, provision.Recheck)
}

// While Procore is down the webhook stays pending, and the next run repairs it. One
// company's failure does not affect another.
func TestProcoreDown(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	for _, f := range []procoretest.Fault{
		{Endpoint: "api", Kind: procoretest.Reset, Times: 9},
		{Endpoint: "api", Kind: procoretest.Status, Status: 503, Headers: map[string]string{"Retry-After": "3600"}},
		{Endpoint: "/rest/v2.0/companies/5678/webhooks/hooks", Method: "POST", Kind: procoretest.Drop},
	} {
		r.ProcoreFails(f)
		r.fails("housekeeping", "webhook of company 5678")
		r.Procore.ClearFaults()
		r.wantWebhooks(c, connections.WebhooksPending, provision.Retry)
		r.Clock.Advance(provision.Retry + time.Second)
	}
	r.run("housekeeping")
	r.wantWebhooks(c, connections.WebhooksActive, provision.Recheck)
	if got := len(r.Procore.State().Hooks); got != 1 {
		t.Errorf("got %d hooks, want 1: the answer to its creation was lost", got)
	}
}

// When no triggers are configured any longer, no hook is created.
func TestWebhooksOff(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.h.hooks.Want.Triggers, r.h.hooks.Want.Namespace = nil, ""
	r.run("housekeeping")
	if got := r.Connection(c.Key); got.Webhooks != connections.WebhooksOff || !got.CheckAt.IsZero() {
		t.Errorf("webhooks are %s, looked at again %v; want off, never", got.Webhooks, got.CheckAt)
	}
	if got := len(r.Procore.State().Calls); got > 0 {
		t.Errorf("got %d calls, want none", got)
	}
}
