package tokens

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// chooser makes the decisions of a run.
type chooser interface {
	choose(all []option) int
}

// decisions are what was decided, by the number of the option at each place.
// Most are 0, the default; the text names just the others: "3=1,17=4".
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

// parseDecisions reads the text of decisions as deviations from the default.
func parseDecisions(s string) (map[int]int, error) {
	d := map[int]int{}
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

// deviating takes the default but where it is told otherwise. It is how a
// schedule is replayed, and how the systematic search goes.
type deviating struct {
	from map[int]int
	made decisions
	// open are the alternatives that the systematic search has at each place.
	open [][]int
}

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

// guessing decides by weight, from a seed. Each seed has a temper of its own:
// how often things fail, which kinds of failure there are, and how long a
// worker goes on before another one does.
type guessing struct {
	rng      *rand.Rand
	made     decisions
	faults   int
	loyalty  int
	time     int
	unlikely map[string]bool
}

func guess(seed uint64) *guessing {
	g := &guessing{rng: rand.New(rand.NewPCG(seed, 0)), unlikely: map[string]bool{}}
	g.faults = []int{1, 2, 5, 20}[g.rng.IntN(4)]
	g.loyalty = []int{1, 1, 4, 20}[g.rng.IntN(4)]
	g.time = []int{1, 1, 4}[g.rng.IntN(3)]
	for _, o := range []outcome{refused_, conflict, throttled, lost_, late, crash, crashAfter, unreachable, vanish, status503, status429, badClient, noRefresh, hang} {
		if g.rng.IntN(2) == 0 {
			g.unlikely[string(o)] = true
		}
	}
	return g
}

func (g *guessing) weight(i int, o option) int {
	switch {
	case o.weight >= wellWeight && i == 0:
		return o.weight * g.loyalty
	case o.weight >= wellWeight:
		return o.weight
	case o.weight == faultWeight:
		if kind := o.name[strings.LastIndexByte(o.name, ' ')+1:]; g.unlikely[kind] {
			return 0
		}
		return o.weight * g.faults
	}
	if o.name == "the endpoint goes down" {
		return o.weight
	}
	return o.weight * g.time
}

func (g *guessing) choose(all []option) int {
	total := 0
	for i, o := range all {
		total += g.weight(i, o)
	}
	n := 0
	if total > 0 {
		at := g.rng.IntN(total)
		for n = range all {
			if at -= g.weight(n, all[n]); at < 0 {
				break
			}
		}
	}
	g.made = append(g.made, n)
	return n
}

// without gives the decisions without one of the deviations.
func without(from map[int]int, place int) map[int]int {
	to := map[int]int{}
	for p, n := range from {
		if p != place {
			to[p] = n
		}
	}
	return to
}

func places(from map[int]int) []int {
	var all []int
	for p := range from {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}
