package main

import (
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// deliveries is where no one listens. The fake delivers only to this machine.
const deliveries = "http://127.0.0.1:9"

// hooked returns a world whose hooks the fake accepts.
func hooked(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.variable("PUBLIC_URL", deliveries)
	return w
}

// A webhook from its first pass to a bad day: a trigger is gone, one is too many, Procore disabled the hook, and another
// deployment has one too.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	w := hooked(t)
	w.Authorize(procoretest.Joe)
	c := w.connect(procoretest.MyConstruction, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksPending)
	show := func(file string, more ...string) {
		t.Helper()
		wants(t, w, file, append([]string{"webhooks", "show", "5678"}, more...)...)
	}
	show("webhooks-pending")
	wants(t, w, "webhooks-sync-unasked", "webhooks", "sync", "5678")
	wants(t, w, "webhooks-sync", "webhooks", "sync", "5678", "--yes")
	w.Clock.Advance(10 * time.Minute)
	show("webhooks-right")

	client := w.Store().Client(c.Key)
	hooks, err := procore.Collect(client.Hooks(t.Context(), "procore-connect"))
	if err != nil || len(hooks) != 1 {
		t.Fatalf("%v, %v, want one hook", hooks, err)
	}
	triggers, err := procore.Collect(client.Triggers(t.Context(), hooks[0].ID))
	if err != nil {
		t.Fatal(err)
	}
	spec := procore.HookSpec{Namespace: "procore-connect", DestinationURL: deliveries + "/webhooks/procore", PayloadVersion: "v3.0"}
	for _, change := range []func() error{
		func() error { return client.DeleteTriggers(t.Context(), hooks[0].ID, []procore.ID{triggers[0].ID}) },
		func() error {
			_, err := client.CreateTriggers(t.Context(), hooks[0].ID, []procore.Trigger{{Resource: "Submittals", EventType: "create"}})
			return err
		},
		func() error {
			broken := spec
			broken.Status = procore.HookDisabled
			_, err := client.UpdateHook(t.Context(), hooks[0].ID, broken)
			return err
		},
		func() error {
			spec.DestinationURL = "http://127.0.0.1:10/webhooks/procore"
			_, err := client.CreateHook(t.Context(), spec)
			return err
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	show("webhooks-wrong")
	show("webhooks-json", "--json")
	w.Clock.Advance(90 * time.Minute) // the access token expires
	show("webhooks-expired")
	wants(t, w, "webhooks-sync-repairs", "webhooks", "sync", "5678", "--yes", "--json")
	show("webhooks-repaired")
	w.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 503, Times: 99})
	show("webhooks-no-answer")
	wants(t, w, "webhooks-sync-fails", "webhooks", "sync", "5678", "--yes")
	wants(t, w, "webhooks-none", "webhooks", "show", "99")
}

// A pass over all companies, of which one waits for an administrator, and one cannot be reached.
func TestSyncAll(t *testing.T) {
	t.Parallel()
	w := hooked(t)
	no := false
	for user, company := range map[int64]int64{procoretest.Joe: procoretest.MyConstruction, procoretest.Ann: procoretest.NorthernPlanner} {
		w.Authorize(user)
		w.connect(company, user, "Company", "User", connections.WebhooksPending)
	}
	w.PatchCompany(procoretest.NorthernPlanner, procoretest.CompanyPatch{WebhooksPermission: &no})
	wants(t, w, "webhooks-sync-all", "webhooks", "sync", "--all", "--yes")
	wants(t, w, "webhooks-sync-after", "webhooks", "sync", "--all", "--yes", "--after", "5678", "--json")
}

// To show a webhook writes nothing, and spends nothing.
func TestShowOnlyReads(t *testing.T) {
	t.Parallel()
	w := hooked(t)
	w.Authorize(procoretest.Joe)
	w.connect(procoretest.MyConstruction, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksPending)
	for range 2 {
		w.run("webhooks", "show", "5678")
		w.Clock.Advance(2 * time.Hour)
	}
	for _, c := range w.asked {
		if !strings.HasPrefix(c.Action, "dynamodb:Get") && strings.HasPrefix(c.Action, "dynamodb:") && c.Action != "dynamodb:Query" {
			t.Errorf("webhooks show made the call %v", c)
		}
	}
	for _, c := range w.Procore.State().Calls {
		if c.Method != "GET" && !strings.Contains(c.Path, "/oauth/") {
			t.Errorf("webhooks show made the call %s %s", c.Method, c.Path)
		}
	}
}
