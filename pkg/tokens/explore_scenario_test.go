package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/proof/invariants"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// scenario says who does what. The schedule says when, and what fails.
type scenario struct {
	name  string
	setup func(x *run)
	check func(x *run) // in place of settle
}

var (
	firstKey  = Key{1, User(1)}
	secondKey = Key{2, User(1)}
)

// scenarios, by name. The last is made up at random.
func scenarios() []scenario {
	two := func(x *run, after time.Duration, ops ...op) {
		x.connect(firstKey)
		time.Sleep(after)
		for _, o := range ops {
			x.worker(x.process(0), o)
		}
	}
	expired := func(ops ...op) func(*run) {
		return func(x *run) { two(x, 2*time.Hour, ops...) }
	}
	due := func(ops ...op) func(*run) {
		return func(x *run) { two(x, 89*time.Minute, ops...) }
	}
	return []scenario{
		{name: "one", setup: expired(token(firstKey))},
		{name: "two", setup: expired(token(firstKey), token(firstKey))},
		{name: "three", setup: expired(token(firstKey), refreshing(firstKey), token(firstKey))},
		{name: "living", setup: due(token(firstKey), token(firstKey))},
		{name: "one process", setup: func(x *run) {
			x.connect(firstKey)
			time.Sleep(2 * time.Hour)
			p := x.process(0)
			x.worker(p, token(firstKey))
			x.worker(p, shortly(firstKey))
			x.worker(x.process(0), token(firstKey))
		}},
		{name: "short of time", setup: func(x *run) {
			x.slow = true
			x.events["slow"]++ // a release may come too late
			two(x, 2*time.Hour, shortly(firstKey), shortly(firstKey))
		}},
		{name: "authorizes again", setup: func(x *run) { x.modes(); two(x, 89*time.Minute, token(firstKey), authorizing(firstKey)) }},
		{name: "authorizes again late", setup: func(x *run) {
			x.modes()
			two(x, 2*time.Hour, token(firstKey), authorizing(firstKey), token(firstKey))
		}},
		{name: "disconnect", setup: due(refreshing(firstKey), disconnecting(firstKey), token(firstKey))},
		{name: "revoke", setup: due(refreshing(firstKey), revoking(firstKey))},
		{name: "rescue", setup: func(x *run) {
			x.outages()
			two(x, 2*time.Hour, token(firstKey), restoring(3))
		}},
		{name: "rescue and authorization", setup: func(x *run) {
			x.modes()
			x.outages()
			two(x, 89*time.Minute, token(firstKey), restoring(3), authorizing(firstKey))
		}},
		{name: "backup", setup: func(x *run) {
			x.backups(firstKey)
			two(x, 2*time.Hour, token(firstKey), token(firstKey))
		}},
		{name: "rotation", setup: func(x *run) {
			x.rotation()
			two(x, 2*time.Hour, token(firstKey), token(firstKey))
		}},
		{name: "two rows", setup: func(x *run) {
			x.connect(firstKey)
			x.copy(secondKey)
			time.Sleep(2 * time.Hour)
			x.worker(x.process(0), token(firstKey))
			x.worker(x.process(0), token(secondKey))
		}},
		{name: "401", setup: due(invalidating(firstKey), token(firstKey))},
		{name: "a backup of a doubt", setup: func(x *run) {
			x.connect(firstKey)
			time.Sleep(2 * time.Hour)
			x.worker(x.process(0), refreshing(firstKey), backing(firstKey), sleeping(31*time.Minute), refreshing(firstKey), restoringBackup(firstKey), refreshing(firstKey))
		}},
		{name: "service account", setup: func(x *run) {
			s := x.process(0).store
			if err := s.AddServiceAccount(x.context(), 1, "A Company", WebhooksOff); err != nil {
				panic(err)
			}
			key := Key{1, App}
			x.worker(x.process(0), token(key))
			x.worker(x.process(0), token(key), sleeping(2*time.Hour), token(key))
		}},
		{name: "anything", setup: anything},
	}
}

// anything draws processes, workers and what they do.
func anything(x *run) {
	x.modes()
	x.procore.replay = x.pick("replay kills the successor", "no", "yes") == 1
	x.connect(firstKey)
	keys := []Key{firstKey}
	if x.pick("a second row", "no", "no", "no", "yes") == 3 {
		x.copy(secondKey)
		keys = append(keys, secondKey)
	}
	x.outages()
	x.backups(keys...)
	x.rotation()
	time.Sleep([]time.Duration{2 * time.Hour, 89 * time.Minute}[x.pick("the access token", "ended", "lives")])
	var procs []*proc
	for range 2 + x.pick("processes", "2", "3") {
		skew := time.Duration(x.pick("skew", "0", "2s", "-2s"))
		p := x.process([]time.Duration{0, exploreSkew, -exploreSkew}[skew])
		procs = append(procs, p)
	}
	for i := range 2 + x.pick("workers", "2", "3", "4") {
		var script []op
		for range 1 + x.pick("operations", "1", "2", "3") {
			script = append(script, x.draw(keys[x.pick("row", numbers(len(keys))...)]))
		}
		x.worker(procs[i%len(procs)], script...)
	}
}

func numbers(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = strconv.Itoa(i)
	}
	return all
}

// draw chooses an operation; the usual ones more often.
func (x *run) draw(key Key) op {
	all := []op{token(key), token(key), token(key), refreshing(key), refreshing(key), shortly(key), invalidating(key),
		authorizing(key), disconnecting(key), revoking(key), restoring(2), sleeping(10 * time.Minute), sleeping(2 * time.Hour), probing()}
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.name
	}
	return all[x.pick("does", names...)]
}

func token(key Key) op {
	return op{"token", func(ctx context.Context, x *run, w *worker) {
		a, err := w.proc.store.Token(ctx, key)
		x.checkAnswer(w, key, a, err)
	}}
}

// shortly is a caller with little time; its handler waits for the refresh.
func shortly(key Key) op {
	return op{"token shortly", func(ctx context.Context, x *run, w *worker) {
		handler := Wrap(w.proc.store, func(ctx context.Context, _ struct{}) (Access, error) {
			ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
			defer cancel()
			return w.proc.store.Token(ctx, key)
		})
		ctx, cancel := context.WithTimeout(ctx, minWork+1500*time.Millisecond)
		defer cancel()
		a, err := handler(ctx, struct{}{})
		x.checkAnswer(w, key, a, err)
	}}
}

func refreshing(key Key) op {
	return op{"refresh", func(ctx context.Context, x *run, w *worker) {
		a, err := w.proc.store.Refresh(ctx, key, 10*time.Minute)
		x.checkAnswer(w, key, a, err)
	}}
}

func invalidating(key Key) op {
	return op{"token after 401", func(ctx context.Context, x *run, w *worker) {
		a, err := w.proc.store.Token(ctx, key)
		if err == nil {
			gate(ctx, "meets a 401") // or two workers whose wait ends together would race for what follows
			w.proc.store.Invalidate(key, a.Generation)
			a, err = w.proc.store.Token(ctx, key)
		}
		x.checkAnswer(w, key, a, err)
	}}
}

func authorizing(key Key) op {
	return op{"authorize", func(ctx context.Context, x *run, w *worker) {
		if x.procore.mode == procoretest.Kill {
			x.events["kill"]++
		}
		p := x.procore.authorize(1)
		x.note("  the user gets %s", p.access)
		gate(ctx, "has a pair", crash)
		_, _, err := w.proc.store.Connect(ctx, x.authorization(key, p))
		if err != nil && !errors.Is(err, ErrTryAgain) && !w.proc.dead.Load() {
			x.problem("%s: connect: %v", w.name, err)
		}
	}}
}

func disconnecting(key Key) op {
	return op{"disconnect", func(ctx context.Context, x *run, w *worker) {
		generation := x.row(key).Generation
		x.asked[generation] = true
		_, err := w.proc.store.disconnect(ctx, key, generation)
		x.note("  disconnect generation %d: %t", generation, err == nil)
	}}
}

func revoking(key Key) op {
	return op{"revoke", func(ctx context.Context, x *run, w *worker) {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		err := w.proc.store.Revoke(ctx, key, "asked for")
		x.note("  revoke: %t", err == nil)
	}}
}

// restoring is housekeeping that takes messages of the rescue queue, in any
// order, some of them twice.
func restoring(times int) op {
	return op{"restore", func(ctx context.Context, x *run, w *worker) {
		for range times {
			gate(ctx, "looks into the queue")
			if len(x.queue) == 0 {
				w.rest(10 * time.Second)
				continue
			}
			i := len(x.queue) - 1
			r, err := ParseRescued(x.queue[i])
			if err != nil {
				x.problem("%v", err)
				return
			}
			if err := w.proc.store.Restore(ctx, r); err != nil {
				x.note("  restore: %v", err)
			}
		}
	}}
}

func sleeping(d time.Duration) op {
	return op{"sleep", func(ctx context.Context, x *run, w *worker) {
		x.events["long"]++
		w.rest(d)
	}}
}

// backing makes a backup of a row, restoringBackup puts it back.
func backing(key Key) op {
	return op{"backup", func(_ context.Context, x *run, _ *worker) { x.save(key) }}
}

func restoringBackup(key Key) op {
	return op{"restore a backup", func(_ context.Context, x *run, _ *worker) {
		x.events["backup"]++
		x.bring(key)
	}}
}

func probing() op {
	return op{"probe", func(ctx context.Context, x *run, w *worker) {
		err := w.proc.store.Probe(ctx)
		x.note("  probe: %t", err == nil)
	}}
}

// exploration runs schedules.
type exploration struct {
	tracing bool
	quick   bool
	db      *dynamodb.Client
	ring    func(current string, ids ...string) *Keys
}

func newExploration(quick bool) *exploration {
	db := exploreClient()
	if quick {
		db = quickClient()
	}
	return &exploration{quick: quick, db: db, ring: func(current string, ids ...string) *Keys {
		k := &Keys{current: current, material: map[string]procore.Secret{}}
		for _, id := range ids {
			k.material[id] = procore.NewSecret(strings.Repeat(id, 20))
		}
		return k
	}}
}

// schedule runs one schedule of a scenario.
func (e *exploration) schedule(t *testing.T, s scenario, c chooser) *run {
	t.Helper()
	var x *run
	synctest.Test(t, func(t *testing.T) {
		x = &run{chooser: c, rows: map[string]invariants.Row{}, confirmed: map[string]bool{}, backup: map[Key]row{}, events: map[string]int{}, asked: map[int64]bool{}}
		x.explored, x.tracing = e, e.tracing
		x.newest = e.ring("k1", "k1")
		x.procore = &endpoint{mode: procoretest.Keep, now: x.now, byToken: map[string]*issued{}}
		x.storage()
		s.setup(x)
		x.play()
		if s.check != nil {
			s.check(x)
			return
		}
		x.settle(x.context())
	})
	return x
}

// context is that of the harness: nothing it does waits at a gate.
func (x *run) context() context.Context {
	return context.WithValue(context.Background(), runKey{}, x)
}

// pick is a decision of the scenario.
func (x *run) pick(what string, names ...string) int {
	all := make([]option, len(names))
	for i, name := range names {
		all[i] = option{what + ": " + name, wellWeight, true, nil}
	}
	n := x.chooser.choose(all)
	x.note("%s", all[n].name)
	return n
}

// process starts a process, whose clock goes ahead by skew.
func (x *run) process(skew time.Duration) *proc {
	p := &proc{id: len(x.procs), ring: x.newest, skew: skew}
	clock := procore.Clock{Time: func() time.Time { return x.now().Add(p.skew) }, Wait: wait}
	env, err := procore.ParseEnvironment("custom", "http://127.0.0.1:1", "http://127.0.0.1:1")
	if err != nil {
		panic(err)
	}
	oauth := &procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret"), Clock: clock, Dial: x.dial}
	p.store = &Store{
		DB: x.explored.db, Connections: connectionsTable, Spends: spendsTable,
		Keys: secrettest.Func[*Keys](func(_ context.Context, reread bool) (*Keys, error) {
			x.rings.Lock()
			defer x.rings.Unlock()
			if reread {
				p.ring = x.newest
			}
			return p.ring, nil
		}),
		OAuth:  secrettest.Constant(oauth),
		Rescue: x.rescue,
		Clock:  clock,
		Random: procore.Random{Read: x.random},
		Log:    slog.New(slog.DiscardHandler),
	}
	x.procs = append(x.procs, p)
	return p
}

// rescue is the rescue queue.
func (x *run) rescue(ctx context.Context, r Rescued) error {
	x.checkRescue(ctx, r)
	o := gate(ctx, "rescues", refused_, lost_, crash)
	if ctx.Err() != nil {
		o = refused_
	}
	if o == refused_ {
		for _, p := range x.procore.pairs {
			if p.attempt == r.Attempt {
				p.excuse = "storage and the rescue queue refused it"
			}
		}
		return errWire
	}
	message, err := json.Marshal(r)
	x.queue = append(x.queue, message)
	x.events["rescued"]++
	if o == lost_ {
		return errWire
	}
	return err
}

// worker adds a caller to a process.
func (x *run) worker(p *proc, script ...op) {
	w := &worker{id: len(x.workers), proc: p, name: fmt.Sprintf("w%d/p%d", len(x.workers), p.id), script: script}
	w.ctx = context.WithValue(x.context(), workerKey{}, w)
	x.workers = append(x.workers, w)
}

func (x *run) authorization(key Key, p *issued) Authorization {
	return Authorization{Key: key, Environment: "custom", Pair: p.token(), RedirectURI: redirectURI, CompanyName: "A Company", UserName: "Joe", Webhooks: WebhooksOff}
}

// connect gives the key its first pair.
func (x *run) connect(key Key) {
	if len(x.procs) == 0 {
		x.process(0)
	}
	if _, _, err := x.procs[0].store.Connect(x.context(), x.authorization(key, x.procore.authorize(1))); err != nil {
		panic(err)
	}
	x.save(key)
}

// copy gives another key the first pair.
func (x *run) copy(key Key) {
	x.events["copies"]++
	if _, _, err := x.procs[0].store.Connect(x.context(), x.authorization(key, x.procore.pairs[0])); err != nil {
		panic(err)
	}
	x.save(key)
}

// modes chooses what a second authorization does.
func (x *run) modes() {
	all := []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Kill, procoretest.Return}
	x.procore.mode = all[x.pick("second authorization", "keep", "kill", "return")]
}

// outages lets storage go away for a while.
func (x *run) outages() {
	x.actions = append(x.actions,
		&action{"storage goes away", 1, func() { x.outage.Store(true) }},
		&action{"storage is back", 1, func() { x.outage.Store(false) }})
}

// backups lets an old row come back.
func (x *run) backups(keys ...Key) {
	for _, k := range keys {
		x.actions = append(x.actions, &action{"backup", 1, func() {
			x.note("  %s comes back", k)
			x.bring(k)
		}})
	}
}

// rotation publishes a key, which processes learn of at different times, and
// uses it when all know it.
func (x *run) rotation() {
	both, used := x.explored.ring("k1", "k1", "k2"), x.explored.ring("k2", "k1", "k2")
	x.actions = append(x.actions, &action{"a key is published, half of the processes know it", 1, func() {
		x.rings.Lock()
		defer x.rings.Unlock()
		x.newest = both
		for i, p := range x.procs {
			if i%2 == 0 {
				p.ring = both
			}
		}
	}}, &action{"the key is used, half of the processes know it", 1, func() {
		x.rings.Lock()
		defer x.rings.Unlock()
		x.newest = used
		for i, p := range x.procs {
			p.ring = both
			if i%2 == 0 {
				p.ring = used
			}
		}
	}})
}
