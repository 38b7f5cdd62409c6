package crash

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/journal"
	"procore-connect/internal/testing/kit/memnet"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/procore"
)

// Addresses in the network.
const (
	procoreAddress  = "127.0.0.1:4000"
	receiverAddress = "127.0.0.1:3000"
	awsAddress      = "127.0.0.1:8000"
	redirectURI     = "http://127.0.0.1:3000/oauth/callback"
)

// Each user has a company of the same number. The first company has the second user too.
const (
	users        = 5
	firstUser    = 20_000_000
	firstCompany = 10_000_000
	firstProject = 30_000_000
)

// life is how long an access token is valid. A grant is refreshed once a minute at most.
const life = 70 * time.Second

var (
	errPower = errors.New("the power failed")
	names    = tables.Names{Grants: "grants", Connections: "connections", Spends: "spends", Sessions: "sessions", Inbox: "inbox"}
)

// world is what survives a crash.
type world struct {
	t           *testing.T
	seed        uint64
	random      *rand.Rand // of the crashes
	network     memnet.Network
	disk        *journal.Disk
	crashAt     int // the operation of the disk at which it crashes
	environment procore.Environment
	seen        *recorder
	stats       *stats
	starts      uint64
}

// stats counts what happened, because a test in which nothing happens proves nothing.
type stats struct {
	test   *testing.T // of all worlds
	mu     sync.Mutex
	counts map[string]int
}

func (s *stats) count(what string) { s.add(what, 1) }

func (s *stats) add(what string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what] += n
}

func newWorld(t *testing.T, seed uint64, s *stats) *world {
	t.Helper()
	environment, err := procore.ParseEnvironment("custom", "http://"+procoreAddress, "http://"+procoreAddress)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 0)), disk: journal.NewDisk(), environment: environment, stats: s}
	w.seen = newRecorder(w)
	return w
}

// crashes lets that many machines crash, one after the other, and runs one more until all is done.
func (w *world) crashes(points int) {
	for range points {
		if w.stats.test.Failed() {
			return // what follows would be a consequence, or the same again
		}
		if w.random.IntN(8) == 0 {
			w.crashClosing()
		} else {
			w.crash()
		}
		w.stats.count("crashes")
		w.disk, w.crashAt = w.disk.Restart(w.random), 0
	}
	w.start().finish()
	w.stats.add("refreshes without an answer", len(w.seen.sent)-len(w.seen.spent))
}

// crash runs a machine until its disk fails.
func (w *world) crash() {
	w.fail(w.point())
	if m := w.start(); m != nil {
		m.run()
		m.end()
	}
	if !w.crashed() {
		w.t.Fatalf("seed %d, start %d: no crash", w.seed, w.starts)
	}
}

// crashClosing stops a machine in good order. The power fails while it closes its journal, or after that.
func (w *world) crashClosing() {
	m := w.start()
	m.loops.Go(m.run)
	<-time.After(time.Duration(w.random.Int64N(int64(time.Minute))))
	m.end()
	w.fail(1 + w.random.IntN(8))
	if err := m.journal.Close(); err != nil && !w.crashed() {
		w.t.Errorf("seed %d, start %d: %v", w.seed, w.starts, err)
	}
}

// fail lets the n-th operation of the disk from now fail.
func (w *world) fail(n int) {
	w.crashAt = w.disk.Operations() + n
	w.disk.Break(n, errPower)
}

// point chooses how many operations of the disk a machine does: often few, so that it crashes while it starts.
func (w *world) point() int {
	if w.random.IntN(5) == 0 {
		return 1 + w.random.IntN(20)
	}
	return 1 + w.random.IntN(200)
}

func (w *world) crashed() bool { return w.crashAt > 0 && w.disk.Operations() >= w.crashAt }

// start starts a machine and judges what it has. It is nil if the disk crashed before.
func (w *world) start() *machine {
	w.starts++
	m := w.newMachine()
	err := m.start()
	if err == nil {
		err = w.seen.judge(m)
	}
	if err == nil {
		return m
	}
	m.end()
	if !w.crashed() {
		w.t.Fatalf("seed %d, start %d: %v", w.seed, w.starts, err)
	}
	w.stats.count("crashes while starting")
	return nil
}
