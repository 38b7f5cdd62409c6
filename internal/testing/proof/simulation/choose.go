package simulation

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// chooser makes the decisions of a schedule.
type chooser interface {
	choose(all []option) int
	decisions() decisions
}

// decisions are what was decided, by the number of the option at each place. Most are 0,
// the default. The text names the others only: "3=1,17=4".
type decisions []int

func (d decisions) String() string {
	var s []string
	for place, n := range d {
		if n != 0 {
			s = append(s, fmt.Sprintf("%d=%d", place, n))
		}
	}
	return strings.Join(s, ",")
}

func (d decisions) hash(scenario string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(scenario))
	var b [2]byte
	for _, n := range d {
		b[0], b[1] = byte(n), byte(n>>8)
		h.Write(b[:])
	}
	return h.Sum64()
}

// deviations are decisions that are not the default, by their place.
type deviations map[int]int

// parseDeviations reads the text of decisions.
func parseDeviations(s string) (deviations, error) {
	d := deviations{}
	for one := range strings.SplitSeq(s, ",") {
		place, n, ok := strings.Cut(one, "=")
		if one == "" {
			continue
		}
		p, err := strconv.Atoi(place)
		if err == nil && ok {
			d[p], err = strconv.Atoi(n)
		}
		if err != nil || !ok {
			return nil, fmt.Errorf("%q is not place=choice", one)
		}
	}
	return d, nil
}

// without returns the deviations without that at one place.
func (d deviations) without(place int) deviations {
	to := deviations{}
	for p, n := range d {
		if p != place {
			to[p] = n
		}
	}
	return to
}

func (d deviations) places() []int {
	var all []int
	for p := range d {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

// deviating chooses the default except where a deviation is. It is how a schedule is
// replayed, and how the systematic search continues.
type deviating struct {
	from deviations
	made decisions
	// open are the alternatives that the systematic search has at each place.
	open [][]int
}

func (c *deviating) decisions() decisions { return c.made }

func (c *deviating) choose(all []option) int {
	n := c.from[len(c.made)]
	if n >= len(all) {
		n = 0
	}
	var open []int
	for i, o := range all {
		if o.primary && i != 0 {
			open = append(open, i)
		}
	}
	c.open = append(c.open, open)
	c.made = append(c.made, n)
	return n
}

// guessing decides by weight, from a seed. Each seed has its temper: how often operations
// fail, which kinds of failure there are, and how long an actor continues before another
// one does.
type guessing struct {
	rng     *rand.Rand
	made    decisions
	faults  int
	loyalty int
	time    int
	seed    uint64
}

func guess(seed uint64) *guessing {
	g := &guessing{rng: rand.New(rand.NewPCG(seed, 0)), seed: seed}
	g.faults = []int{1, 2, 5, 20}[g.rng.IntN(4)]
	g.loyalty = []int{1, 1, 4, 20}[g.rng.IntN(4)]
	g.time = []int{1, 1, 4}[g.rng.IntN(3)]
	return g
}

func (g *guessing) decisions() decisions { return g.made }

// unlikely reports whether the seed has none of this kind of failure.
func (g *guessing) unlikely(kind string) bool {
	h := fnv.New64a()
	fmt.Fprint(h, kind, g.seed)
	return h.Sum64()>>32%2 == 0
}

func (g *guessing) weight(i int, o option) int {
	switch {
	case o.weight >= wellWeight && i == 0:
		return o.weight * g.loyalty
	case o.weight >= wellWeight:
		return o.weight
	case o.weight == faultWeight:
		if g.unlikely(o.name[strings.LastIndexByte(o.name, ' ')+1:]) {
			return 0
		}
		return o.weight * g.faults
	}
	return o.weight * g.time
}

func (g *guessing) choose(all []option) int {
	total := 0
	weights := make([]int, len(all))
	for i, o := range all {
		weights[i] = g.weight(i, o)
		total += weights[i]
	}
	n := 0
	if total > 0 {
		at := g.rng.IntN(total)
		for n = range all {
			if at -= weights[n]; at < 0 {
				break
			}
		}
	}
	g.made = append(g.made, n)
	return n
}
