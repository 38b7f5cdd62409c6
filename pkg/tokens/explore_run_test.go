package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/invariants"
	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// exploreSkew bounds how far a process's clock is ahead.
const exploreSkew = 2 * time.Second

// run is the token core in a world: the real Store in several processes.
type run struct {
	*simulation.World
	procore *simulation.Procore
	stores  []*Store // of the processes, by their numbers
	seen    *transitions

	rings  sync.Mutex   // guards
	newest *keys.Ring   // the ring as published
	ring   []*keys.Ring // that each process knows

	holders           []string // of each grant at the begin
	slow              bool     // the next flow is
	failsAfterSending bool     // storage refuses everything from then on, until the work's time is over

	queue  [][]byte // of rescued pairs
	flows  []*flow
	backup map[Principal]simulation.Item

	rows      map[string]invariants.Row // as last written
	changes   []invariants.Change
	requests  []presentation
	confirmed map[string]bool // process and attempt
	fates     map[*simulation.Pair]*fate
	fenced    map[string]bool // attempts before the last authorization: a pair that one of them brings is dropped
	restoring bool            // a backup is being restored
	inFlight  int             // refreshes when the endpoint went down

	mu   sync.Mutex // guards
	busy int        // refreshes in flight
}

// fate is what the judge knows of a pair.
type fate struct {
	holder   *simulation.Actor // that received it
	attempt  string            // that presented its predecessor's token
	stored   bool              // a row had it
	excuse   string            // why it may be lost
	rejected bool              // the API answered 401 to it, or a caller was made to believe so
	sent     time.Time         // its refresh token
	refused  bool              // its refresh token was sent after it was spent or revoked
}

// flow is the session of an authorization.
type flow struct {
	id   string
	user int64
	pair *simulation.Pair
	slow bool   // time passes before its pair is stored in the grant
	kept bool   // the session is stored
	done string // how it ended; empty: its pair waits
}

// newRun prepares a world for the token core.
func newRun(w *simulation.World, seen *transitions) *run {
	x := &run{
		World: w, holders: []string{"1", "2", "3"}, procore: simulation.NewProcore(w), seen: seen, newest: newRing("k1", "k1"),
		backup: map[Principal]simulation.Item{}, rows: map[string]invariants.Row{}, confirmed: map[string]bool{},
		fates: map[*simulation.Pair]*fate{}, fenced: map[string]bool{},
	}
	w.Tables.OnWrite, w.Tables.OnAnswer = x.observed, x.confirm
	x.procore.Sending, x.procore.Presented, x.procore.Received = x.checkInTime, x.presented, x.received
	x.procore.Revoked, x.procore.Rejected = x.checkRevocation, x.rejected
	w.Judge = x.settle
	return x
}

// process starts a process, whose clock is ahead by skew.
func (x *run) process(skew time.Duration) *simulation.Process {
	p := x.Process(skew)
	env, err := procore.ParseEnvironment("custom", "http://127.0.0.1:1", "http://127.0.0.1:1")
	if err != nil {
		panic(err)
	}
	oauth := &procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret"),
		Clock: p.Clock(), Random: x.Random(), Dial: x.Dial}
	x.ring = append(x.ring, x.newest)
	s := &Store{
		DB: x.Tables.Client(), Grants: grantsTable, Spends: spendsTable, Environment: env,
		Keys: secrettest.Func[*keys.Ring](func(_ context.Context, reread bool) (*keys.Ring, error) {
			x.rings.Lock()
			defer x.rings.Unlock()
			if reread {
				x.ring[p.ID()] = x.newest
			}
			return x.ring[p.ID()], nil
		}),
		OAuth:  secrettest.Constant(oauth),
		Rescue: x.rescue,
		Clock:  p.Clock(), Random: x.Random(), Dial: x.DialTransport,
		Log: slog.New(slog.DiscardHandler),
	}
	p.Busy = func() bool {
		s.flights.mu.Lock()
		defer s.flights.mu.Unlock()
		return len(s.flights.open) > 0
	}
	x.stores = append(x.stores, s)
	return p
}

// store returns the store of the actor's process.
func (x *run) store(a *simulation.Actor) *Store { return x.stores[a.Process.ID()] }

// errQueue means that the rescue queue did not answer.
var errQueue = errors.New("the queue did not answer")

// rescue is the rescue queue.
func (x *run) rescue(ctx context.Context, r Rescued) error {
	x.checkRescue(ctx, r)
	f := simulation.Gate(ctx, "rescues", simulation.Refused, simulation.Lost, simulation.Crash)
	if ctx.Err() != nil || f == simulation.Refused {
		for _, t := range x.fates {
			if t.attempt == r.Attempt {
				t.excuse = "storage and the rescue queue refused it"
			}
		}
		return errQueue
	}
	message, err := json.Marshal(r)
	x.queue = append(x.queue, message)
	x.Happened("rescued")
	if f == simulation.Lost {
		return errQueue
	}
	return err
}

// connect makes the user's first authorization, for three holders.
func (x *run) connect(user int64) {
	if len(x.stores) == 0 {
		x.process(0)
	}
	s, p := x.stores[0], x.procore.Authorize(user)
	_, err := s.Authorize(x.Context(), Authorization{Principal: User(user), Pair: x.procore.Token(p), RedirectURI: redirectURI})
	for _, holder := range x.holders {
		if err == nil {
			_, err = s.Hold(x.Context(), User(user), holder, connected(user, holder))
		}
	}
	if err != nil {
		panic(err)
	}
	x.save(User(user))
}

// connected and ended are what a caller writes in the same transaction.
func connected(user int64, holder string) types.TransactWriteItem {
	return connectionState(user, holder, "connected")
}
func ended(user int64, holder string) types.TransactWriteItem {
	return connectionState(user, holder, "ended")
}

func connectionState(user int64, holder, state string) types.TransactWriteItem {
	return new(dynamo.Expression).Set(dynamo.Item{"state": dynamo.Text(state)}).Update(connectionsTable,
		dynamo.Item{"company": dynamo.Text("custom#" + holder), "principal": dynamo.Text(string(User(user)))})
}

// flow begins the authorization of a user.
func (x *run) flow(user int64) *flow {
	f := &flow{id: fmt.Sprint("session-", len(x.flows)), user: user, pair: x.procore.Authorize(user)}
	x.flows = append(x.flows, f)
	x.fate(f.pair)
	x.Note("  the user gets %s", f.pair.Access)
	return f
}

func (f *flow) key() dynamo.Item { return dynamo.Item{"session": dynamo.Text(f.id)} }

// begin stores the pair in its session, as the callback does.
func (x *run) begin(ctx context.Context, s *Store, f *flow) error {
	item := f.key()
	item["status"] = dynamo.Text("authorized")
	return dynamo.Write(ctx, s.DB, new(dynamo.Expression).Put(sessionsTable, item))
}

// move moves the pair from its session to the grant, as a page or housekeeping does.
func (x *run) move(ctx context.Context, s *Store, f *flow) error {
	also := new(dynamo.Expression).Set(dynamo.Item{"status": dynamo.Text("pending")}).
		Equal("status", dynamo.Text("authorized")).Update(sessionsTable, f.key())
	pair := x.procore.Token(f.pair)
	good, err := s.accepts(ctx, onlyUser, pair.AccessToken)
	switch {
	case err != nil:
		return later(User(f.user), "Procore does not answer", err)
	case !good:
		x.end(f, "its pair is dead")
		return nil
	}
	if a := simulation.ActorOf(ctx); f.slow && a != nil {
		a.Sleep(5 * time.Second)
	}
	_, err = s.Authorize(ctx, Authorization{Principal: User(f.user), Pair: pair, RedirectURI: redirectURI}, also)
	switch {
	case errors.Is(err, ErrUsed): // another one was faster
		return nil
	case errors.Is(err, ErrStale):
		if err := s.Discard(ctx, pair); err != nil {
			return later(User(f.user), "the stale pair is not revoked", err)
		}
		x.end(f, stale)
		return nil
	}
	return err
}

// end ends the flow without its pair.
func (x *run) end(f *flow, how string) {
	if f.done == "" {
		f.done = how
		x.Note("  %s: %s", f.id, how)
	}
}

// save keeps a copy of a row, as a backup does; bring restores it.
func (x *run) save(p Principal) {
	x.backup[p] = x.Tables.Item(grantsTable, x.stores[0].rowKey(string(p)))
}

func (x *run) bring(p Principal) {
	x.restoring = true
	defer func() { x.restoring = false }()
	x.Tables.Put(grantsTable, x.backup[p])
}

// modes decides what a second authorization does to the first.
func (x *run) modes() {
	all := []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Kill, procoretest.Return}
	x.procore.Mode = all[x.Pick("second authorization", "keep", "kill", "return")]
}

// failing lets storage refuse everything when a refresh token was sent, so that its
// successor goes to the rescue queue.
func (x *run) failing() { x.failsAfterSending = true }

// outages lets storage refuse everything for a while.
func (x *run) outages() {
	x.Action("storage goes away", func() { x.Tables.Outage(true) })
	x.Action("storage is back", func() { x.Tables.Outage(false) })
}

// backups lets an old row be restored.
func (x *run) backups(p Principal) {
	x.Action("backup", func() {
		x.Note("  %s is restored", p)
		x.bring(p)
	})
}

// rotation publishes a key, which processes learn of at different times, and uses it when
// all know it.
func (x *run) rotation() {
	both, used := newRing("k1", "k1", "k2"), newRing("k2", "k1", "k2")
	learn := func(newest, even, odd *keys.Ring) {
		x.rings.Lock()
		defer x.rings.Unlock()
		x.newest = newest
		for i := range x.ring {
			if x.ring[i] = odd; i%2 == 0 {
				x.ring[i] = even
			}
		}
	}
	x.Action("a key is published, half of the processes know it", func() { learn(both, both, newRing("k1", "k1")) })
	x.Action("the key is used, half of the processes know it", func() { learn(used, used, both) })
}
