package reconcile

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// One owner who is limited waits alone. Several in a row are limited for a reason that they
// share, and the run ends; a success between them shows that they are not.
func TestSeveralOwnersAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "RFIs:create,update")
	spends := func(p *run, owner string) bool {
		t.Helper()
		ok, err := p.budget.spend(t.Context(), owner)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	until := w.Clock.Now().Add(5 * time.Second)
	for _, tt := range []struct {
		limited []string // an empty one stands for a success
		over    bool
	}{
		{[]string{"a", "a", "a", "a"}, false},
		{[]string{"a", "b", "", "c", "d"}, false},
		{[]string{"a", "b", "c"}, true},
	} {
		p := w.begin()
		for _, owner := range tt.limited {
			if owner == "" {
				p.budget.admitted(t.Context())
			} else {
				p.budget.block(t.Context(), owner, until)
			}
		}
		if spends(p, "a") || spends(p, "another") == tt.over || p.over(t.Context()) != tt.over {
			t.Errorf("%q: want the first owner to wait, and all to wait: %v", tt.limited, tt.over)
		}
	}
}

// A turn that waited for the budget yields before it goes on, and only that one does.
func TestBudgetYields(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var yields atomic.Int64
		clock := procore.Clock{Yield: func(context.Context) { yields.Add(1) }}
		b := newBudget(&Reconciler{Store: &connections.Store{Tokens: &tokens.Store{Clock: clock}}})
		unlock := b.lock(t.Context())
		go b.lock(t.Context())
		synctest.Wait()
		if n := yields.Load(); n != 0 {
			t.Errorf("%d turns yield before any has waited", n)
		}
		unlock()
		synctest.Wait()
		if n := yields.Load(); n != 1 {
			t.Errorf("%d turns yield, want the one that waited", n)
		}
	})
}
