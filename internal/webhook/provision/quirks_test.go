package provision

import (
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// With every quirk of Procore a company gets one hook, a pass over a hook in order changes
// nothing, a rotation reaches the hook once, and what Procore discarded is recovered once.
func TestEveryQuirk(t *testing.T) {
	t.Parallel()
	for _, quirk := range procoretest.Quirks() {
		t.Run(quirk.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Want.URL = "http://127.0.0.1/webhooks/procore" // without a port
			if quirk.Name == "probe-head" {
				w.Want.URL = w.Procore.URL // which answers HEAD, and no delivery
			}
			w.options(procoretest.OptionsPatch{Crooked: &quirk.Name})
			w.connect(joe)
			w.passes(func(hook procoretest.Hook, _ Result) bool { return len(hook.Triggers) == 2 && !hook.Disabled })
			id, before := w.hook().ID, w.count()
			w.passes(func(procoretest.Hook, Result) bool { return true })
			if got := w.calls(before); len(got) > 0 {
				t.Errorf("a pass over a hook in order made the calls %v", got)
			}

			w.Secrets.Put(functiontest.WebhookSecret, strings.Replace(functiontest.WebhookValue, `"k1"`, `"k2","k2":"fake-webhook-key-two-0123456789-0123456789"`, 1))
			w.passes(func(procoretest.Hook, Result) bool { return true })
			w.passes(func(procoretest.Hook, Result) bool { return true })
			if got := w.calls(before); len(got) != 1 || got[0] != "PATCH" {
				t.Errorf("after a rotation the calls are %v, want one PATCH", got)
			}

			w.discard(2)
			stored := 0
			w.passes(func(_ procoretest.Hook, r Result) bool { stored += r.Recovered.Stored; return stored > 1 })
			w.passes(func(procoretest.Hook, Result) bool { return true })
			if all, odd := w.inbox(); stored != 2 || len(all) != 2 || odd > 0 {
				t.Errorf("recovered %d, stored %v, quarantined %d; want two events", stored, all, odd)
			}
			if again := w.hook().ID; again != id {
				t.Errorf("hook %d became %d", id, again)
			}
		})
	}
}

// passes makes passes until one ends well and finds what is wanted. A pass may end at a
// path that a gateway answers, and does its work an hour later.
func (w *world) passes(ok func(procoretest.Hook, Result) bool) {
	w.t.Helper()
	var result Result
	var err error
	for range 8 {
		w.Clock.Advance(time.Hour)
		result, err = w.Reconcile(w.t.Context(), company)
		hooks := w.hooks()
		if err == nil && result.Status == connections.WebhooksActive && len(hooks) == 1 && ok(hooks[0], result) {
			return
		}
	}
	w.t.Fatalf("eight passes: got %+v, %v, hooks %+v", result, err, w.hooks())
}
