package operator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
)

// Pass is the outcome of one pass over a company's hook.
type Pass struct {
	CompanyID   int64  `json:"company_id"`
	Status      string `json:"status,omitempty"` // what the connections have now
	HookID      string `json:"hook_id,omitempty"`
	Busy        bool   `json:"busy,omitempty"` // another run is at work; nothing was done
	Reactivated bool   `json:"reactivated,omitempty"`

	Recovered    int       `json:"recovered"`   // events that Procore had discarded, and were missing
	Duplicates   int       `json:"duplicates"`  // of these, stored before
	Quarantined  int       `json:"quarantined"` // of these, not understood
	More         bool      `json:"more,omitempty"`
	LimitedUntil time.Time `json:"limited_until,omitzero"`
	NotFound     []string  `json:"not_found,omitempty"` // to whose connections Procore shows no such company
	Failed       string    `json:"failed,omitempty"`
}

// Sync makes one pass over a company's hook now, as housekeeping does. What failed is in the pass.
func (o *Operator) Sync(ctx context.Context, companyID int64) Pass {
	return o.pass(o.Hooks.Reconcile(ctx, companyID)).of(companyID)
}

func (p Pass) of(companyID int64) Pass {
	p.CompanyID = companyID
	return p
}

func (o *Operator) pass(r provision.Result, err error) Pass {
	p := Pass{
		Status: string(r.Status), HookID: string(r.HookID), Busy: r.Busy, Reactivated: r.Reactivated, LimitedUntil: r.LimitedUntil,
		Recovered: r.Recovered.Stored, Duplicates: r.Recovered.Duplicates, Quarantined: r.Recovered.Quarantined, More: r.Recovered.More,
	}
	for _, key := range r.NotFound {
		p.NotFound = append(p.NotFound, string(key.Principal))
	}
	if err != nil {
		p.Failed = err.Error()
	}
	return p
}

// Right reports whether the hook is as it should be now.
func (p Pass) Right() bool {
	return p.Failed == "" && !p.Busy && p.LimitedUntil.IsZero() && (p.Status == string(connections.WebhooksActive) || p.Status == string(connections.WebhooksOff))
}

// String says in plain words what came of the pass, and what to do next.
func (p Pass) String() string {
	var s []string
	add := func(is bool, format string, args ...any) {
		if is {
			s = append(s, fmt.Sprintf(format, args...))
		}
	}
	add(p.Busy, "Another run is at work on this company, and nothing was done. Try again in three minutes.")
	add(p.Status == string(connections.WebhooksActive), "The hook %s is as it should be.", p.HookID)
	add(p.Status == string(connections.WebhooksOff), "No triggers are configured, and there is no hook.")
	add(p.Status == string(connections.WebhooksNeedsAdmin), "No connection of the company may manage webhooks. procore-connect why %d has what its administrator does.", p.CompanyID)
	add(p.Status == "" && !p.Busy && p.Failed == "" && p.LimitedUntil.IsZero(), "No connection of the company works, and nothing was done. procore-connect why %d has the reason.", p.CompanyID)
	add(p.Reactivated, "Procore had disabled it, because deliveries kept failing; it is active again. The receiver's lines have the cause.")
	add(p.Recovered > 0, "%d events that Procore had discarded were recovered.", p.Recovered)
	add(p.Quarantined > 0, "%d discarded deliveries were not understood, and are in quarantine.", p.Quarantined)
	add(p.More, "There is more to recover: repeat the command, or leave it to housekeeping in five minutes.")
	add(!p.LimitedUntil.IsZero(), "Procore accepts no more calls before %s. Housekeeping goes on then.", clock(p.LimitedUntil))
	add(len(p.NotFound) > 0, "Procore shows the company no longer to %s; housekeeping checks whether they left.", strings.Join(p.NotFound, ", "))
	add(p.Failed != "", "It failed: %s. Housekeeping repeats it.", strings.TrimSuffix(p.Failed, "."))
	return strings.Join(s, " ")
}

// syncAtOnce is how many companies SyncAll works on at once.
const syncAtOnce = 4

// ToSync returns the ids of the companies that have a connection, above a given id, in order.
func (o *Operator) ToSync(ctx context.Context, after int64) ([]int64, error) {
	rows, err := all(ctx, o.Connections.All(ctx))
	var ids []int64
	for _, c := range rows {
		if c.State == connections.Connected && c.CompanyID > after {
			ids = append(ids, c.CompanyID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// SyncAll makes a pass over each of the companies, and calls done with each outcome, one at a time. If ctx ends, passes
// that have begun end in order, and the error is that of ctx: go on after the id that SyncAll returns, below which all
// companies had their pass.
func (o *Operator) SyncAll(ctx context.Context, ids []int64, done func(Pass)) (after int64, err error) {
	var mu sync.Mutex
	open := map[int64]bool{}
	var g errgroup.Group
	g.SetLimit(syncAtOnce)
	for _, id := range ids {
		open[id] = true
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			p := o.Sync(context.WithoutCancel(ctx), id)
			mu.Lock()
			defer mu.Unlock()
			delete(open, id)
			done(p)
			return nil
		})
	}
	_ = g.Wait() // outcomes are done's
	for _, id := range ids {
		if open[id] {
			return after, ctx.Err()
		}
		after = id
	}
	return after, nil
}
