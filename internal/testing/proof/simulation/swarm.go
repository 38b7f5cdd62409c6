package simulation

import (
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"
)

// Swarm is what may go wrong in a long run, and how often. Each run draws which kinds of
// faults exist at all: a run with all of them seldom gets far, and a few of them together
// reach states that all of them hide (swarm testing, Groce et al., ISSTA 2012).
type Swarm struct {
	Seed uint64
	// Rate is how many of a million operations fail, of those that can.
	Rate uint64
	// Usual is how long an operation takes, about. Slow is how many of a thousand take up
	// to a thousand times as long.
	Usual time.Duration
	Slow  uint64
	// Without has what does not happen although the seed says so: a kind of fault, a
	// feature of the scenario, or one fault as actor/turn.
	Without []string
	// Only has the features that happen if the seed says so; nil: all.
	Only []string
	// Faults are the only ones that happen, as actor/turn; nil: all that the seed says.
	Faults []string

	asked *asked // nil: no one wants to know
}

// asked has the features that a run has.
type asked struct {
	mu  sync.Mutex
	all map[string]bool
}

// NewSwarm draws a swarm.
func NewSwarm(seed uint64) Swarm {
	s := Swarm{Seed: seed, asked: &asked{all: map[string]bool{}}}
	s.Rate = []uint64{0, 500, 2000, 10_000, 40_000}[s.number("rate")%5]
	s.Usual = []time.Duration{time.Millisecond, 5 * time.Millisecond, 30 * time.Millisecond}[s.number("usual")%3]
	s.Slow = []uint64{0, 1, 5, 20}[s.number("slow")%4]
	return s
}

func (s *Swarm) number(what string) uint64 {
	h := fnv.New64a()
	for i := range 8 {
		_, _ = h.Write([]byte{byte(s.Seed >> (8 * i))})
	}
	_, _ = h.Write([]byte(what))
	return mix(h.Sum64())
}

// Has reports whether the run has a feature: one run of two has it.
func (s *Swarm) Has(feature string) bool {
	has := !slices.Contains(s.Without, feature) && (s.Only == nil || slices.Contains(s.Only, feature)) && s.number("has "+feature)%2 == 0
	if has && s.asked != nil {
		s.asked.mu.Lock()
		s.asked.all[feature] = true
		s.asked.mu.Unlock()
	}
	return has
}

// Features returns the features that the run had, as far as it came to them.
func (s *Swarm) Features() []string {
	s.asked.mu.Lock()
	defer s.asked.mu.Unlock()
	return slices.Sorted(maps.Keys(s.asked.all))
}

// allows reports whether a fault may happen.
func (s *Swarm) allows(harm string) bool {
	return !slices.Contains(s.Without, harm) && (s.Faults == nil || slices.Contains(s.Faults, harm))
}

// fault draws how an operation ends.
func (s *Swarm) fault(possible []Fault, n uint64) Fault {
	rate := s.Rate
	if slices.Contains(possible, Partial) {
		rate *= 20 // of calls that are made once in a connection's life
	}
	if slices.Contains(possible, CutLate) {
		rate *= 3 // of requests that are made once in an hour
	}
	if n%1_000_000 >= rate {
		return Fine
	}
	f := possible[n/1_000_000%uint64(len(possible))]
	if !s.Has("fault " + string(f)) {
		return Fine
	}
	return f
}

// takes draws how long an operation takes.
func (s *Swarm) takes(n uint64, calm bool) time.Duration {
	d := s.Usual / 1024 * time.Duration(n>>20%2048) // twice the usual at most
	if !calm && n%1000 < s.Slow {
		d *= 1 + time.Duration(n>>40%1000)
	}
	return d + time.Duration(n>>32%1024) // so that hardly any two are done at the same time
}
