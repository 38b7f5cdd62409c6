package provision

import (
	"errors"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// Procore may show what it was told in another form. That is no difference, and a rotation
// reaches a hook whose headers are not shown.
func TestEchoes(t *testing.T) {
	t.Parallel()
	for _, quirk := range procoretest.Quirks() {
		if !strings.HasPrefix(quirk.Name, "url-") && !strings.HasPrefix(quirk.Name, "headers-") && !strings.HasSuffix(quirk.Name, "-case") && quirk.Name != "type-title" {
			continue
		}
		t.Run(quirk.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.options(procoretest.OptionsPatch{Crooked: &quirk.Name})
			w.connect(joe)
			w.reconcile(connections.WebhooksActive)
			id, before := w.hook().ID, w.count()
			w.Clock.Advance(Recheck)
			w.reconcile(connections.WebhooksActive)
			if got := w.calls(before); len(got) > 0 || w.hook().ID != id {
				t.Errorf("a second pass made the calls %v", got)
			}
			w.rotate()
			for range 2 {
				w.Clock.Advance(Recheck)
				w.reconcile(connections.WebhooksActive)
			}
			if got := w.calls(before); len(got) != 1 || got[0] != "PATCH" {
				t.Errorf("after a rotation the calls are %v, want one PATCH", got)
			}
		})
	}
}

func (w *world) rotate() {
	w.Secrets.Put(functiontest.WebhookSecret, `{"current":"k2","k1":"fake-webhook-key-0123456789-0123456789-01234","k2":"fake-webhook-key-two-0123456789-0123456789"}`)
	w.Clock.Advance(6 * time.Minute) // the secret is read again
}

// A hook that Procore disabled is made active, and the operator learns it.
func TestDisabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := 1
	w.options(procoretest.OptionsPatch{DisableAfter: &one})
	w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	w.emit()
	w.eventually(func(h procoretest.Hook) bool { return h.Disabled })
	if result := w.reconcile(connections.WebhooksActive); !result.Reactivated || result.Recovered.Stored != 1 || w.hook().Disabled || w.emit() != 1 {
		t.Errorf("got %+v, hook %+v", result, w.hook())
	}
	if lines := w.World.Log.Lines(t, "hook reactivated"); len(lines) != 1 || lines[0]["level"] != "WARN" || lines[0]["hook_id"] != w.id().String() {
		t.Errorf("logged %v", lines)
	}
}

// A hook that no connection may give the new key is reported: the old key must stay.
func TestOldKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	w.deny(joe)
	w.reconcile(connections.WebhooksNeedsAdmin)
	if lines := w.World.Log.Lines(t, "hook has an old key"); len(lines) > 0 {
		t.Errorf("before the rotation: %v", lines)
	}
	w.rotate()
	w.reconcile(connections.WebhooksNeedsAdmin)
	if lines := w.World.Log.Lines(t, "hook has an old key"); len(lines) != 1 || lines[0]["credential"] != "k1.0" {
		t.Errorf("logged %v, want the hook with k1", lines)
	}
	w.deny()
	w.reconcile(connections.WebhooksActive)
	if row, err := w.Row(t.Context(), company); err != nil || row.Credential != "k2.0" || len(w.World.Log.Lines(t, "hook has an old key")) != 1 {
		t.Errorf("got row %+v, %v", row, err)
	}
}

// A trigger that does not exist is reported with what does, and the others report.
func TestWrongTrigger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(joe)
	w.Want.Triggers = append(w.Want.Triggers, procore.Trigger{Resource: "Company Users", EventType: "delete"}, procore.Trigger{Resource: "RFI", EventType: "update"})
	_, err := w.Reconcile(t.Context(), company)
	if !errors.Is(err, procore.ErrInvalid) || !strings.Contains(err.Error(), `only create, update for "Company Users"`) || !strings.Contains(err.Error(), `the nearest is "RFIs"`) {
		t.Errorf("got %v", err)
	}
	w.hook("RFIs create", "RFIs update")
}

// Reasons beyond three are for v4.0.
func TestReasons(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"v4.0": "Document Upload completed", "v3.0": ""} {
		w := newWorld(t)
		w.connect(joe)
		w.Want.PayloadVersion = version
		w.Want.Triggers = append(w.Want.Triggers, procore.Trigger{Resource: "Document Upload", EventType: "Completed"})
		_, err := w.Reconcile(t.Context(), company)
		if triggers := w.hooks()[0].Triggers; (err == nil) != (want != "") || len(triggers) != 2 && triggers[2].ResourceName+" "+triggers[2].EventType != want {
			t.Errorf("%s: got %v, %v", version, triggers, err)
		}
	}
}

// Only an answer of Procore proves that a credential is set.
func TestCredentialIsSetByAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect(joe)
	w.reconcile(connections.WebhooksActive)
	w.rotate()
	w.ProcoreFails(procoretest.Fault{Endpoint: hooksPath, Method: "PATCH", Kind: procoretest.Status, Status: 503})
	if result, err := w.Reconcile(t.Context(), company); err == nil {
		t.Errorf("got %+v, want an error", result)
	}
	if row, err := w.Row(t.Context(), company); err != nil || row.Credential != "k1.0" {
		t.Errorf("got row %+v, %v, want the credential that Procore accepted", row, err)
	}
	before := w.count()
	w.reconcile(connections.WebhooksActive)
	if got := w.calls(before); len(got) != 1 {
		t.Errorf("got the calls %v, want one PATCH", got)
	}
}
