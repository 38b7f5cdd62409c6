package invariants

import (
	"fmt"
	"strings"

	"procore-connect/spec"
)

// Transitions is a set of transitions of a grant, in the words of spec/transitions.txt.
type Transitions map[string]bool

// Allowed returns the transitions that the model allows: spec/transitions.txt.
func Allowed() Transitions {
	t := Transitions{}
	for line := range strings.Lines(spec.Transitions()) {
		t[strings.TrimSpace(line)] = true
	}
	return t
}

// place is a state in the words of the model, and how many pairs followed since a path began.
type place struct {
	state  string
	growth int64
}

// reach reports whether at most so many transitions lead from one state to another, with so many new pairs in all.
// Two reads of a row may have several writes between them.
func (t Transitions) reach(from, to string, growth, most int64) bool {
	wanted, here := place{to, growth}, []place{{from, 0}}
	if here[0] == wanted {
		return true
	}
	seen := map[place]bool{}
	for ; most > 0 && len(here) > 0; most-- {
		var next []place
		for _, p := range here {
			for line := range t {
				var after place
				before := ""
				if n, err := fmt.Sscanf(line, "%s -> %s +%d", &before, &after.state, &after.growth); n != 3 || err != nil || before != p.state {
					continue
				}
				after.growth += p.growth
				if after == wanted {
					return true
				}
				if after.growth <= growth && !seen[after] {
					seen[after] = true
					next = append(next, after)
				}
			}
		}
		here = next
	}
	return false
}
