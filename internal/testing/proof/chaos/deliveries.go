//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/gatewaytest"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/dispatch"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	receivers = 4
	consumers = 3

	dispatchBatch = 100

	maxReceive = 50 // as in template.yaml

	forever = 365 * 24 * time.Hour // a token's lifetime: the other run tests refreshes

	// The fake's clock runs twenty times as fast, so that its backoff does not make a run take hours.
	tick, ticks = 50 * time.Millisecond, time.Second

	shuffle   = 40    // events within which the order of a hook's deliveries changes
	maxBehind = 5_000 // events between inbox and consumers; the stream in memory forgets after 10,000
	rarity    = 20    // faults are rarer than in the other run, which has fewer writes

	faultEvery = 100 // handled events

	webhookPath = "POST /webhooks/procore"
)

// deliveries is the run of the webhooks. The fake's delivery engine sends them through
// receivers, inbox, dispatcher and queue to consumers, while processes are killed and calls
// are lost.
type deliveries struct {
	w         *world
	goal      int // deliveries, including copies but not retries
	running   context.Context
	cancel    context.CancelFunc
	ring      *credential.Ring
	receivers *pool
	consumers *pool
	// One process, as for a shard of the stream.
	dispatcher *pool
	events     *awstest.Queue
	dead       *awstest.Queue
	address    string // of the front, as the fake sees it
	direct     string // of the same front, for bad deliveries
	hooks      []companyHook
	bad        []badDelivery
	queued     atomic.Int64

	hits    map[string]int // progress of a kind of process at its last hit
	ledger  ledger
	trouble counter // failures between inbox and consumers
}

// companyHook is a company with its hook.
type companyHook struct {
	company, project int64
	version          string
}

// deliver makes the run and returns the number of violations.
func deliver(ctx context.Context, w *world, goal int) (violations int, err error) {
	d := &deliveries{w: w, goal: goal, hits: map[string]int{}, ledger: newLedger()}
	d.running, d.cancel = context.WithCancel(ctx)
	defer d.cancel()
	w.rare, w.onlyKills, w.onLog, w.onPut, w.onSend = rarity, true, d.recordLog, d.recordPut, d.ledger.recordSent
	w.setTokenLifetime(forever)
	if err := w.populate(ctx); err != nil {
		return 0, err
	}
	if err := d.setUp(ctx); err != nil {
		return 0, err
	}
	d.chaos()
	if ctx.Err() != nil {
		return 0, errors.New("interrupted")
	}
	a := &deliveryVerdict{d: d}
	if err := a.judge(ctx); err != nil {
		return 0, err
	}
	return a.report(os.Stdout), nil
}

// chaos runs everything until all events are delivered and handled, or nothing makes progress.
func (d *deliveries) chaos() {
	d.w.calm.Store(false)
	var all sync.WaitGroup
	for _, work := range []func(){d.runStream, d.advanceClock, d.hitProcesses, d.injectFaults, d.sendBad, d.operate} {
		all.Go(work)
	}
	for range consumers {
		m := &streamtest.QueueMapping{Queue: d.events, Function: d.consumers, BatchSize: 10, MaxReceive: maxReceive, Report: d.mappingReported}
		all.Go(func() { m.Run(d.running) })
	}
	d.w.beganAt = time.Now()
	d.emit()
	d.drain()
	d.w.endedAt = time.Now()
	d.cancel()
	d.w.cancel()
	all.Wait()
}

// setUp creates the queues, the front and the hooks.
func (d *deliveries) setUp(ctx context.Context) error {
	w := d.w
	var err error
	if d.dead, err = w.queues.Create("events-dead.fifo", awstest.QueueOptions{}); err != nil {
		return err
	}
	if d.events, err = w.queues.Create("events.fifo", awstest.QueueOptions{
		VisibilityTimeout: time.Minute, DeadLetters: d.dead, MaxReceiveCount: maxReceive, GroupDedup: true,
	}); err != nil {
		return err
	}
	w.queues.Refuse = d.refuse
	d.receivers, d.dispatcher, d.consumers = w.newPool("webhook-receiver", receivers), w.newPool("dispatcher", 1), w.newPool("event-consumer", consumers)
	front := gatewaytest.New(map[string]gatewaytest.Invoker{webhookPath: d.receivers}, gatewaytest.Options{})
	if d.address, err = w.serve(d.recordAnswers(front)); err != nil {
		return err
	}
	if d.direct, err = w.serve(front); err != nil {
		return err
	}
	if d.ring, err = credential.Parse(w.webhookSecret); err != nil {
		return err
	}
	return d.createHooks(ctx)
}

// createHooks provisions the companies' hooks in all payload versions, with the
// project's own code.
func (d *deliveries) createHooks(ctx context.Context) error {
	k := &provision.Reconciler{
		Store: d.w.store, Log: d.w.store.Log,
		Ring:     secrettest.Constant(d.ring),
		Recovery: &recovery.Recoverer{Inbox: &inbox.Store{DB: d.w.store.DB, Table: d.w.names.Inbox}, Log: d.w.store.Log},
		Want:     provision.Config{Namespace: "chaos", URL: d.address + provision.Path, Triggers: triggers()},
	}
	versions := []string{"v2.0", "v3.0", "v4.0"}
	for _, p := range d.w.people {
		c := p.companies[0]
		if d.known(c.id) {
			continue
		}
		k.Want.PayloadVersion = versions[len(d.hooks)%len(versions)]
		r, err := k.Reconcile(ctx, c.id)
		if err != nil || r.HookID == "" {
			return fmt.Errorf("no hook for company %d: %+v, %w", c.id, r, err)
		}
		d.hooks = append(d.hooks, companyHook{c.id, c.project, k.Want.PayloadVersion})
	}
	return nil
}

func (d *deliveries) known(company int64) bool {
	for _, h := range d.hooks {
		if h.company == company {
			return true
		}
	}
	return false
}

// The resources that change: one with an address, one whose name has blanks,
// and one without an address in the client.
var resources = []string{"RFIs", "Submittals", "Direct Cost Line Items"}

func triggers() (all []procore.Trigger) {
	for _, name := range resources {
		for _, event := range []procore.EventType{"create", "update", "delete"} {
			all = append(all, procore.Trigger{Resource: name, EventType: event})
		}
	}
	return all
}

// emit makes the changes, a few ahead of the deliveries, so that the fake can shuffle
// them. Three of ten deliveries are copies.
func (d *deliveries) emit() {
	w := d.w
	for n := 0; n < d.goal && d.running.Err() == nil; {
		h := pick(w.dice, d.hooks)
		if d.ledger.waiting(h.company) > 2*shuffle || d.ledger.behind() > maxBehind {
			w.wait(d.running, 5*time.Millisecond)
			continue
		}
		copies := 1
		for copies < 6 && w.dice.n(10) < 3 {
			copies++
		}
		e := procoretest.Event{
			CompanyID: h.company, ProjectID: h.project, ResourceName: pick(w.dice, resources), ResourceID: procore.NewID(1_000 + int64(w.dice.n(8))),
			EventType: pick(w.dice, []string{"create", "update", "update", "update", "delete"}), Copies: min(copies, d.goal-n),
		}
		if w.dice.oneIn(2) { // one resource is busy, so that batches have several events of a group
			e.ResourceName, e.ResourceID = resources[0], "1000"
		}
		if w.dice.oneIn(20) {
			e.SourceApplicationID = clientID
		}
		out, err := w.provider.fake.Emit(e)
		if err != nil || len(out.EventIDs) != 1 {
			w.violation("the fake does not accept a change: %v, %v", out.EventIDs, err)
			return
		}
		d.ledger.emitted(h.company, out.EventIDs[0], procore.Event{CompanyID: h.company, Resource: e.ResourceName, ResourceID: e.ResourceID}.Key(), e.Copies)
		n += e.Copies
		d.queued.Store(int64(n))
	}
}

// advanceClock makes the fake's clock run faster.
func (d *deliveries) advanceClock() {
	for d.running.Err() == nil {
		d.w.wait(d.running, tick)
		d.w.provider.fake.Advance(ticks)
	}
}

// hitProcesses kills processes at any time.
func (d *deliveries) hitProcesses() {
	w := d.w
	for w.ctx.Err() == nil && !w.calm.Load() {
		w.wait(w.ctx, w.dice.between(100*time.Millisecond, time.Second))
		w.mu.Lock()
		w.processes = slices.DeleteFunc(w.processes, (*process).isKilled)
		alive := slices.Clone(w.processes)
		w.mu.Unlock()
		if w.dice.oneIn(4) { // there is one dispatcher among many processes
			alive = slices.DeleteFunc(alive, func(p *process) bool { return p.kind() != "dispatcher" })
		}
		if len(alive) > 0 && !w.calm.Load() {
			d.hit(pick(w.dice, alive))
		}
	}
}

// hit kills a process, or cuts it off from the table for longer than a receiver waits.
// It cuts the dispatcher off from the queue for longer than its client retries.
//
// A kind of process is not hit again before it has made progress: on a busy machine, a
// dispatcher that is always killed at its start would never send anything.
func (d *deliveries) hit(p *process) {
	now := d.progress(p.kind())
	if last, before := d.hits[p.kind()]; before && now == last {
		return
	}
	d.hits[p.kind()] = now
	switch sends := p.kind() == "dispatcher"; {
	case sends && d.w.dice.oneIn(3):
		p.cutQueueOff(d.w.dice.between(2*time.Second, 5*time.Second))
	case !sends && d.w.dice.oneIn(8):
		p.cut(d.w.dice.between(4*time.Second, 8*time.Second), false)
	default:
		p.kill(p.kind() + " at any time")
	}
}

// progress counts the work that processes of a kind have done.
func (d *deliveries) progress(kind string) int {
	d.ledger.mu.Lock()
	defer d.ledger.mu.Unlock()
	switch kind {
	case "dispatcher":
		return d.ledger.sent
	case "webhook-receiver":
		return d.ledger.acks
	}
	return d.ledger.reached
}

// operate types commands until the faults end.
func (d *deliveries) operate() { d.w.operate(d.running, d.w.deliveryVerbs) }

// injectFaults makes the API fail for a consumer now and then. It waits for some events
// each time: if faults were added faster than they are used up, consumers would see
// nothing else.
func (d *deliveries) injectFaults() {
	w := d.w
	for last := 0; w.ctx.Err() == nil && !w.calm.Load(); {
		w.wait(w.ctx, w.dice.between(100*time.Millisecond, time.Second))
		reached := d.progress("event-consumer")
		if reached < last+faultEvery {
			continue
		}
		last = reached
		f := procoretest.Fault{Endpoint: "api", Kind: pick(w.dice, []string{procoretest.Drop, procoretest.Reset, procoretest.Status, procoretest.Delay})}
		f.Times = 1 + w.dice.n(12) // sometimes more often than a consumer's client retries
		switch f.Kind {
		case procoretest.Status:
			f.Status = pick(w.dice, []int{500, 502, 503})
		case procoretest.Delay:
			f.DelayMS = w.dice.between(100*time.Millisecond, 3*time.Second).Milliseconds()
		}
		if err := w.provider.fake.Fault(f); err != nil {
			w.violation("the fake refuses a fault: %v", err)
		}
		w.injected.add(f.Endpoint + " " + f.Kind)
	}
}

// mappingReported counts the reports of the event source mapping.
func (d *deliveries) mappingReported(string) {
	d.trouble.add("batch repeated as a whole, or receipt expired")
}

// runStream passes the inbox's changes to the dispatcher.
func (d *deliveries) runStream() {
	o := d.w.store.DB.Options()
	m := &streamtest.StreamMapping{
		Streams: dynamodbstreams.New(dynamodbstreams.Options{BaseEndpoint: o.BaseEndpoint, Region: o.Region, Credentials: o.Credentials, HTTPClient: o.HTTPClient}),
		Table:   d.w.names.Inbox, Function: d.dispatcher, Filters: dispatch.Filters(), BatchSize: dispatchBatch, Report: d.streamReported,
		Clock: procore.Clock{Wait: func(ctx context.Context, pause time.Duration) error { return procore.Clock{}.Sleep(ctx, pause/10) }},
	}
	if err := m.Run(d.running); err != nil {
		d.w.violation("the stream: %v", err)
	}
}

// streamReported counts the reports of the stream's event source mapping.
func (d *deliveries) streamReported(text string) {
	if strings.Contains(text, "lost") {
		d.w.violation("%s", text)
	}
	d.trouble.add("batch of the stream repeated")
}

// refuse makes the queue refuse an event now and then, and take the rest of its request.
func (d *deliveries) refuse(string, awstest.Message) error {
	if d.w.calm.Load() || !d.w.dice.oneIn(10*rarity) {
		return nil
	}
	d.w.network.add("SQS refuses an event")
	return &awstest.Error{Code: pick(d.w.dice, []string{"RequestThrottled", "KmsThrottled", "InvalidParameterValue"}), Message: "chaos test"}
}
