package journal

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A run changes two parts at random and remembers what they were after each change.
type run struct {
	*testing.T
	random  *rand.Rand
	states  []map[string]string // the first is empty
	durable int                 // the latest of states that must survive
}

func newRun(t *testing.T, seed uint64) *run {
	t.Helper()
	return &run{T: t, random: rand.New(rand.NewPCG(seed, 0)), states: []map[string]string{{}}}
}

// until goes on for a number of steps, in several processes, or until the disk fails.
func (r *run) until(disk *Disk, steps int) {
	j := r.open(disk)
	for n := 0; j != nil && n < steps; n++ {
		switch r.random.IntN(10) {
		case 0:
			if j.Close() != nil {
				return
			}
			j = r.open(disk)
		case 1, 2, 3:
			if j.sync() != nil {
				return
			}
			r.durable = len(r.states) - 1
		default:
			r.append(j)
		}
	}
}

// open returns nil if the disk fails. The state is one that may be, and what comes next follows from it.
func (r *run) open(disk *Disk) *Journal {
	j, err := Open(disk)
	if err != nil {
		return nil
	}
	if j.Copied() {
		r.Error("copied")
	}
	j.rewriteBytes = 200
	got := map[string]string{}
	for _, part := range []string{"a", "b"} {
		for key, value := range j.Part(part).Load() {
			got[part+key] = string(value)
		}
	}
	last := len(r.states) - 1
	for n := last; n >= r.durable; n-- {
		if maps.Equal(got, r.states[n]) {
			r.states, r.durable = r.states[:n+1], n
			return j
		}
	}
	r.Fatalf("the state is none of the last %d, got - want of the last +:\n%s", last-r.durable+1, cmp.Diff(got, r.states[last]))
	return nil
}

func (r *run) append(j *Journal) {
	part := []string{"a", "b"}[r.random.IntN(2)]
	state, changes := maps.Clone(r.states[len(r.states)-1]), map[string][]byte{}
	for range 1 + r.random.IntN(3) {
		key, value := strconv.Itoa(r.random.IntN(5)), make([]byte, r.random.IntN(9))
		for i := range value {
			value[i] = byte(r.random.IntN(3)) // often zero
		}
		changes[key], state[part+key] = value, string(value)
		if r.random.IntN(3) == 0 {
			changes[key] = nil
			delete(state, part+key)
		}
	}
	r.states = append(r.states, state)
	j.Part(part).Append(changes)
}

// mustOpen checks the state after a crash.
func (r *run) mustOpen(disk *Disk) {
	r.Helper()
	if r.open(disk) == nil {
		r.Fatal("the state cannot be opened after the crash")
	}
}

// What survives a loss of power at any operation is the state after some Append, and no earlier one than was synced. So
// it is when the next process crashes too.
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	const steps = 30
	points := 0
	for seed := range uint64(30) {
		whole := NewDisk()
		newRun(t, seed).until(whole, steps)
		for at := 1; at <= whole.Operations(); at++ {
			t.Run(fmt.Sprintf("%d at %d", seed, at), func(t *testing.T) {
				r, disk := newRun(t, seed), NewDisk()
				disk.Crash(at)
				r.until(disk, steps)
				disk = disk.Restart(r.random)
				disk.Crash(1 + r.random.IntN(30))
				r.until(disk, steps)
				r.mustOpen(disk.Restart(r.random))
			})
			points++
		}
	}
	t.Logf("%d points", points)
}

// A killed process loses nothing that it wrote.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	for at := 1; at < 100; at++ {
		r, disk := newRun(t, uint64(at)), NewDisk()
		disk.Crash(at)
		r.until(disk, 100)
		r.mustOpen(disk.Restart(nil))
	}
}

// Components that share a journal wait for each other's changes, and each of them loses nothing.
func TestCrashOfManyAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		disk := NewDisk()
		j := mustOpen(t, disk)
		j.rewriteBytes = 500
		disk.Crash(1 + random.IntN(60))
		var synced [4]int
		var writers sync.WaitGroup
		for w := range synced {
			writers.Go(func() {
				part := j.Part(strconv.Itoa(w))
				for n := 1; ; n++ {
					part.Append(map[string][]byte{"x": []byte(strconv.Itoa(n)), "y": []byte(strconv.Itoa(n))})
					if part.Sync() != nil {
						return
					}
					synced[w] = n
				}
			})
		}
		writers.Wait()
		again := mustOpen(t, disk.Restart(random))
		for w, least := range synced {
			values := again.Part(strconv.Itoa(w)).Load()
			x, _ := strconv.Atoi(string(values["x"])) // 0 if there is none
			if x < least || x > least+1 || string(values["x"]) != string(values["y"]) {
				t.Errorf("seed %d: part %d has %s and %s after %d", seed, w, values["x"], values["y"], least)
			}
		}
	}
}
