package invariants

import (
	"bytes"
	"fmt"
	"slices"
)

// CheckSpan returns what is wrong between two reads of a grant that are some writes apart. Between two reads one write is
// judged by [CheckChange]; of several, only whether the model has a path of at most so many transitions from the first
// read to the second. An operator's restore from a backup is not a path.
func CheckSpan(c Change, allowed Transitions) []string {
	old, now := c.Old, c.New
	writes, growth := now.Rev-old.Rev, now.Generation-old.Generation
	p := problems{prefix: fmt.Sprintf("row %s rev %d to %d, %s to %s, %d new pairs: ", now.Key(), old.Rev, now.Rev, old.abstract(), now.abstract(), growth)}
	switch {
	case writes < 0:
		p.add("rev went back: was the table restored, without procore-connect mark-restored?")
	case writes == 0:
		p.check(old.equal(now), "the row was changed by a write that did not count rev: not one of the functions")
	case writes == 1:
		if line := c.Transition(); line != "" && now.user() {
			p.check(allowed[line], "the model does not have the transition %s", line)
		}
		p.all = append(p.all, CheckChange(c)...)
	default:
		c.checkPath(&p, allowed, writes, growth)
	}
	return p.all
}

// checkPath checks what holds between two reads with several writes between them.
func (c Change) checkPath(p *problems, allowed Transitions, writes, growth int64) {
	old, now := c.Old, c.New
	samePair := bytes.Equal(old.Sealed, now.Sealed)
	p.check(!now.user() || allowed.reach(old.abstract(), now.abstract(), growth, writes), "no path of the model leads there in %d writes", writes)
	if now.user() && growth > 0 {
		p.check(!samePair, "a generation without a new pair")
	}
	if growth == 0 && now.State != "revoked" {
		p.check(samePair, "another pair in the same generation")
	}
	p.check(c.remembers(writes), "the past was changed")
}

// remembers reports whether the list of transitions is the earlier one with at most so many more, of which the oldest may
// have been dropped.
func (c Change) remembers(writes int64) bool {
	old, now := c.Old.Transitions, c.New.Transitions
	for added := range int(min(writes, int64(len(now)))) + 1 {
		kept := now[:len(now)-added]
		full := len(now) == maxTransitions || len(kept) == len(old)
		if len(kept) <= len(old) && full && slices.Equal(kept, old[len(old)-len(kept):]) {
			return true
		}
	}
	return false
}

// equal reports whether nothing of two rows differs that a check reads.
func (r Row) equal(other Row) bool {
	same := slices.Equal(r.Holders, other.Holders) && slices.Equal(r.Transitions, other.Transitions) && bytes.Equal(r.Sealed, other.Sealed)
	return same && fmt.Sprint(r.scalars()) == fmt.Sprint(other.scalars())
}

func (r Row) scalars() Row {
	r.Holders, r.Transitions, r.Sealed = nil, nil, nil
	return r
}
