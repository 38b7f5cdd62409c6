//go:build unix

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/pkg/procore"
)

// maxStandstill is how long the run may make no progress before it is judged as it is.
const maxStandstill = 90 * time.Second

// drain waits until the fake has delivered all events and then, without further
// faults, until all of them have reached a consumer.
func (d *deliveries) drain() {
	w := d.w
	last, since := "", time.Now()
	for reportedAt := time.Now(); d.running.Err() == nil; w.wait(d.running, 200*time.Millisecond) {
		atProcore := 0
		for _, h := range w.provider.fake.State().Hooks {
			atProcore += h.Waiting
		}
		if atProcore == 0 && !w.calm.Load() {
			w.calm.Store(true)
			w.provider.fake.ClearFaults()
		}
		unanswered, unhandled := d.ledger.pending()
		inQueue, inFlight, delayed := d.events.Counts()
		now := fmt.Sprintf("%d deliveries wait at Procore, %d events for their first 200, %d for a consumer, %d messages are in the queue",
			atProcore, unanswered, unhandled, inQueue+inFlight+delayed)
		if atProcore+unanswered+unhandled+inQueue+inFlight+delayed == 0 {
			return
		}
		if now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > maxStandstill {
			w.violation("no more progress: %s", now)
			return
		}
		if time.Since(reportedAt) > 10*time.Second {
			reportedAt = time.Now()
			fmt.Fprintf(os.Stderr, "chaos: %s\n", now)
		}
	}
}

// deliveryVerdict is the verdict on deliveries.
type deliveryVerdict struct {
	d          *deliveries
	violations []string

	repeated, quarantined int
}

func (a *deliveryVerdict) add(format string, args ...any) {
	a.violations = append(a.violations, fmt.Sprintf(format, args...))
}

// judge compares the answers that the fake received with the inbox and with what the
// consumers handled.
func (a *deliveryVerdict) judge(ctx context.Context) error {
	items, err := a.d.w.scan(ctx, a.d.w.names.Inbox)
	if err != nil {
		return err
	}
	quarantined := map[int64]int{}
	for _, i := range items {
		switch resource := text(i, "resource"); {
		case strings.HasPrefix(resource, "quota#"):
		case strings.HasSuffix(resource, "#quarantine"):
			company, _ := strconv.ParseInt(strings.TrimSuffix(resource, "#quarantine"), 10, 64)
			quarantined[company]++
			a.quarantined++
		default:
			a.judgeItem(resource, i)
		}
	}
	for key, f := range a.d.ledger.events {
		a.judgeEvent(key, f)
	}
	a.judgeOrder()
	a.judgeBad(quarantined)
	if waiting, inFlight, delayed := a.d.dead.Counts(); waiting+inFlight+delayed > 0 {
		a.add("%d events are dead letters", waiting+inFlight+delayed)
	}
	a.d.w.mu.Lock()
	defer a.d.w.mu.Unlock()
	a.violations = append(a.violations, a.d.w.violations...)
	return nil
}

// judgeItem checks that an item is an event that the fake delivered, that it is under its key, and that it is complete.
func (a *deliveryVerdict) judgeItem(resource string, i invariants.Item) {
	company, _ := strconv.ParseInt(text(i, "company_id"), 10, 64)
	key := eventKey{company, text(i, "event_id")}
	f := a.d.ledger.events[key]
	if f == nil || f.resource == "" {
		a.add("event %s in the inbox of company %d: Procore did not send it", key.id, company)
		return
	}
	f.inbox++
	if at, _ := strconv.ParseInt(number(i, "received_at_ms"), 10, 64); f.acks > 0 && at > f.at.UnixMilli() {
		a.add("event %s of %s: written again %v after it was first answered with 200", key.id, resource, time.UnixMilli(at).Sub(f.at))
	}
	if f.resource != resource {
		a.add("event %s of %s is in the inbox of %s", key.id, f.resource, resource)
	}
	e, err := procore.ParseEvent([]byte(text(i, "envelope")))
	if err != nil || e.ID != key.id || e.Key() != resource || e.CompanyID != company {
		a.add("event %s of %s: its envelope is that of %q of %s: %v", key.id, resource, e.ID, e.Key(), err)
	}
	var v delivery
	if json.Unmarshal(i["body"].B, &v) != nil || v.key() != key {
		a.add("event %s of %s: its body is another event's", key.id, resource)
	}
}

// judgeEvent checks that an event has arrived, is in the inbox once, and was delivered to a consumer.
func (a *deliveryVerdict) judgeEvent(key eventKey, f *fate) {
	what := fmt.Sprintf("event %s of company %d (%s)", key.id, key.company, f.resource)
	switch {
	case f.resource == "":
		a.add("%s: answered or handled, but Procore did not send it", what)
		return
	case f.acks == 0:
		a.add("%s: never answered with 200", what)
	case f.early:
		a.add("R4: %s: answered with 200 before it was stored", what)
	case f.inbox == 0:
		a.add("R4: %s: answered with 200 %d times, but not in the inbox", what, f.acks)
	case f.inbox > 1:
		a.add("%s: %d times in the inbox", what, f.inbox)
	}
	if len(f.handled) == 0 {
		a.add("%s: no consumer received it", what)
	}
	if len(f.handled) > 1 {
		a.repeated++
	}
}

// judgeOrder checks that a consumer first receives an event only after all events that
// arrived before it for the same resource.
func (a *deliveryVerdict) judgeOrder() {
	byResource := map[string][]*fate{}
	ids := map[*fate]string{}
	for key, f := range a.d.ledger.events {
		if f.resource != "" && f.acks > 0 && len(f.handled) > 0 {
			byResource[f.resource] = append(byResource[f.resource], f)
			ids[f] = key.id
			slices.SortFunc(f.handled, time.Time.Compare)
		}
	}
	for resource, all := range byResource {
		slices.SortFunc(all, func(a, b *fate) int { return cmp.Compare(a.first, b.first) })
		for i := 1; i < len(all); i++ {
			if all[i].handled[0].Before(all[i-1].handled[0]) {
				a.add("%s: event %s was handled %v before %s, which had arrived earlier", resource, ids[all[i]],
					all[i-1].handled[0].Sub(all[i].handled[0]), ids[all[i-1]])
			}
		}
	}
}

// judgeBad checks the answers to bad deliveries, and how many were quarantined.
func (a *deliveryVerdict) judgeBad(quarantined map[int64]int) {
	want := map[int64]int{}
	for _, s := range a.d.bad {
		if s.got == 0 || s.got >= 500 {
			continue // the run ended before
		}
		if s.got != s.want {
			a.add("%s with company %d's credential: answered with %d, want %d", s.what, s.company, s.got, s.want)
		}
		if s.quarantined {
			want[s.company]++
		}
	}
	for _, h := range a.d.hooks {
		if quarantined[h.company] != want[h.company] {
			a.add("%d deliveries are quarantined for company %d, want %d", quarantined[h.company], h.company, want[h.company])
		}
	}
}

func text(i invariants.Item, name string) string {
	if s := i[name].S; s != nil {
		return *s
	}
	return ""
}

func number(i invariants.Item, name string) string {
	if n := i[name].N; n != nil {
		return *n
	}
	return ""
}

// report prints the numbers and the first violations.
func (a *deliveryVerdict) report(out io.Writer) int {
	d, w := a.d, a.d.w
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	events := 0
	for _, f := range d.ledger.events {
		if f.resource != "" {
			events++
		}
	}
	queued, took := int(d.queued.Load()), w.endedAt.Sub(w.beganAt).Seconds()
	line("deliveries", "%d of %d events in %.0f s, %.0f/s: %d%% copies, shuffled, of %d companies", queued, events, took,
		float64(queued)/took, 100*(queued-events)/max(1, queued), len(d.hooks))
	line("answers", "%s", &d.ledger.answers)
	line("bad deliveries", "%d, %d quarantined", len(d.bad), a.quarantined)
	line("killed", "%s", &w.kills)
	line("network", "%s", &w.network)
	line("Procore", "injected: %s", &w.injected)
	line("operator", "%s", &w.typedCount)
	line("forwarded", "%d events more than once; %s", a.repeated, &d.trouble)
	for n, text := range a.violations {
		if n == maxLines {
			fmt.Fprintln(out, "...")
			break
		}
		fmt.Fprintln(out, "VIOLATION", text)
	}
	if len(a.violations) == 0 {
		fmt.Fprintln(out, "chaos: every acknowledged event is in the inbox once and was delivered in order")
	} else {
		fmt.Fprintf(out, "chaos: %d violations\n", len(a.violations))
	}
	return len(a.violations)
}
