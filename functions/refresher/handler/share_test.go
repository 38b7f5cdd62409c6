package handler

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// at runs a task that the schedule called at that minute, one of five shares.
func (r *refresher) at(ctx context.Context, task string, minute int) error {
	r.h.shares = maxShares
	_, err := r.h.handle(ctx, Input{Task: task, ScheduledAt: stamp(1_700_000_017 + int64(60*minute))})
	return err
}

// stamp writes a time as EventBridge Scheduler does.
func stamp(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// Five runs in a row, a minute apart, have every shard exactly once, whenever the schedule began. A run by hand, and the
// run of a schedule that has one share, have them all.
func TestTurns(t *testing.T) {
	t.Parallel()
	for second := range int64(300) {
		times := make(map[int]int)
		for minute := range maxShares {
			s := turn(stamp(1_700_000_000+second+int64(60*minute)), maxShares)
			for shard := range tokens.Shards {
				if s.has(shard) {
					times[shard]++
				}
			}
		}
		for shard := range tokens.Shards {
			if times[shard] != 1 {
				t.Fatalf("from second %d on, shard %d has %d turns in a cycle, want 1", second, shard, times[shard])
			}
		}
	}
	for name, s := range map[string]share{
		"by hand": turn("", maxShares), "not replaced": turn("<aws.scheduler.scheduled-time>", maxShares),
		"one share": turn(stamp(1_700_000_060), 1), "no setting": turn(stamp(1_700_000_060), 0),
	} {
		if s != whole {
			t.Errorf("%s: the run has %v, want the whole", name, s)
		}
	}
}

// The runs of a cycle refresh every grant that is due once, each its own share of them.
func TestSharesOfGrants(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	all, _ := r.users(procoretest.MyConstruction, 40, connections.WebhooksOff)
	r.Clock.Advance(80 * time.Minute)
	for minute := range maxShares {
		before := r.presented()
		if err := r.at(t.Context(), "refresh", minute); err != nil {
			t.Fatal(err)
		}
		if n := r.presented() - before; n == 0 || n > len(all)/2 {
			t.Errorf("minute %d: %d of %d grants were refreshed, want a share of them", minute, n, len(all))
		}
	}
	for _, c := range all {
		r.wantGeneration(c, 2)
	}
}

// What housekeeping does besides the checks, it does once in a cycle.
func TestOneShareKeepsTheRest(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.installed(700, 40)
	var beats atomic.Int64
	r.Fault(func(operation string, body []byte) dynamotest.Fault {
		if operation == "PutItem" && strings.Contains(string(body), `"heartbeat"`) {
			beats.Add(1)
		}
		return dynamotest.Fault{}
	})
	for minute := range maxShares {
		before := len(r.Procore.State().Hooks)
		if err := r.at(t.Context(), "housekeeping", minute); err != nil {
			t.Fatal(err)
		}
		if n := len(r.Procore.State().Hooks) - before; n == 0 || n > 20 {
			t.Errorf("minute %d: %d of 40 companies were checked, want a share of them", minute, n)
		}
	}
	if got := len(r.Procore.State().Hooks); got != 40 {
		t.Errorf("a cycle made %d hooks, want 40", got)
	}
	if got := beats.Load(); got != 1 {
		t.Errorf("a cycle had %d heartbeats, want 1", got)
	}
}

// R7: an outage that begins while the runs of all shares refresh costs what they have in flight, and three.
func TestSharesInAnOutage(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	all, _ := r.users(procoretest.MyConstruction, 200, connections.WebhooksOff)
	r.Clock.Advance(80 * time.Minute)
	var claims atomic.Int64
	r.Fault(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "TransactWriteItems" && claims.Add(1) == 60 {
			r.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Drop, Times: 1_000})
		}
		return dynamotest.Fault{}
	})
	r.together(func(one *refresher, minute int) { _ = one.at(t.Context(), "refresh", minute) })
	lost := 0
	for _, c := range all {
		if r.Grant(c.Principal).State != tokens.Active {
			lost++
		}
	}
	if most := maxShares*defaultWindow + 3; lost == 0 || lost > most {
		t.Errorf("the outage cost %d of %d grants, want some, and %d at most", lost, len(all), most)
	}
	r.presented()
}

// together runs the shares of a cycle at once, each in its own process.
func (r *refresher) together(run func(one *refresher, minute int)) {
	r.t.Helper()
	var all sync.WaitGroup
	for minute := range maxShares {
		one := refresherIn(r.t, r.World)
		all.Go(func() { run(one, minute) })
	}
	all.Wait()
}

// docs/DEPLOY.md, Load, has how many requests a refresh and a routine check make, of which the processor's time follows.
func TestRequestsOfARun(t *testing.T) {
	t.Parallel()
	const n = 100
	requests := func(r *refresher, task string) float64 {
		r.Storage()
		before := r.Requests("")
		r.run(task)
		return float64(len(r.Storage())+r.Requests("")-before) / n
	}
	r := newRefresher(t)
	r.users(procoretest.MyConstruction, n, connections.WebhooksOff)
	r.Clock.Advance(80 * time.Minute)
	refresh := requests(r, "refresh")
	r = newRefresher(t)
	r.installed(700, n)
	r.h.passes = 1 // passes that wait for another one's refresh read the grant again and again
	r.run("housekeeping")
	r.Clock.Advance(7 * time.Hour)
	check := requests(r, "housekeeping")
	t.Logf("a refresh makes %.1f requests, a check %.1f", refresh, check)
	if refresh > 7 || check > 11 {
		t.Errorf("a refresh makes %.1f requests and a check %.1f, want 7 and 11 at most", refresh, check)
	}
}
