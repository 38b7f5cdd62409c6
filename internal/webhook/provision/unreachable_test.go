package provision

import (
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// Procore delivers by https alone. A fake, which is a custom environment, delivers to this machine.
func TestReadUnreachable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		environment, url string
		want             bool
	}{
		{"sandbox", "http://localhost:3000", true},
		{"production", "http://127.0.0.1", true},
		{"sandbox", "https://connect.example.com", false},
		{"production", "https://connect.example.com", false},
		{"custom", "http://127.0.0.1:3000", false},
		{"custom", "https://connect.example.com", false},
	} {
		env := variables(map[string]string{"PROCORE_ENVIRONMENT": tt.environment, "WEBHOOK_TRIGGERS": "RFIs:create", "WEBHOOK_NAMESPACE": "acme"})
		c := ReadConfig(env, tt.url)
		if c.Unreachable != tt.want || env.Err() != nil {
			t.Errorf("%s and %s: unreachable is %t, %v", tt.environment, tt.url, c.Unreachable, env.Err())
		}
		if got := c.Initial(); got != connections.WebhooksPending {
			t.Errorf("%s and %s: a new company's webhooks are %s: no pass would begin its reconciliation", tt.environment, tt.url, got)
		}
	}
}

// Where Procore cannot deliver, a pass makes no hook and deletes the one that there was. It notes from when on changes are
// to be reconciled, also where the webhooks may not even be listed, and keeps to that.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*world){
		"new":     func(*world) {},
		"had one": func(w *world) { w.reconcile(connections.WebhooksActive); w.hook() },
		"may not": func(w *world) { w.PatchCompany(company, procoretest.CompanyPatch{WebhooksPermission: new(bool)}) },
		"off once": func(w *world) {
			triggers := w.Want.Triggers
			w.Want.Triggers = nil
			w.reconcile(connections.WebhooksOff)
			w.Want.Triggers = triggers
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.connect(joe)
			before(w)
			w.Want.Unreachable = true
			at, calls := w.Clock.Now(), w.count()
			if row, err := w.Row(t.Context(), company); err != nil || !row.Since.IsZero() {
				at = row.Since
			}
			for range 2 {
				w.reconcile(connections.WebhooksOff)
				row, err := w.Row(t.Context(), company)
				if err != nil || row.HookID != "" || !row.Since.Equal(at.Truncate(time.Millisecond)) {
					t.Errorf("the row has hook %q since %v, %v, want none, since %v", row.HookID, row.Since, err, at)
				}
				w.Clock.Advance(time.Hour)
			}
			if hooks := w.hooks(); len(hooks) != 0 {
				t.Errorf("hooks to where Procore cannot deliver: %+v", hooks)
			}
			if name != "had one" && w.count() != calls {
				t.Errorf("%d calls of Procore for nothing", w.count()-calls)
			}
			w.Want.Unreachable = false
			if name != "may not" {
				w.reconcile(connections.WebhooksActive)
				w.hook()
			}
		})
	}
}
