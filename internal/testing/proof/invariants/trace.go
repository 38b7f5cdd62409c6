package invariants

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Presentation is one refresh request.
type Presentation struct {
	Token     string // a name for the refresh token, not its value
	Attempt   string // the token's attempt in the ledger, "" if the ledger lacks the token
	Confirmed bool   // storage had confirmed that the sender holds the claim
}

// Trace is what happened, in chronological order.
type Trace struct {
	Changes   []Change
	Presented []Presentation
}

// CheckTrace returns what is wrong with a trace's writes and with the refresh tokens
// that were sent.
func CheckTrace(t Trace) []string {
	var all []string
	for _, c := range t.Changes {
		all = append(all, CheckChange(c)...)
	}
	return append(all, CheckPresented(t.Presented)...)
}

// CheckPresented checks R1, and that no token is spent on an unconfirmed claim.
func CheckPresented(all []Presentation) []string {
	var p problems
	times := map[string]int{}
	for _, one := range all {
		p.check(one.Attempt != "", "token %s was sent and the ledger does not know it", one.Token)
		p.check(one.Confirmed, "token %s was sent on a claim that was not confirmed", one.Token)
		times[one.Token]++
	}
	for _, token := range slices.Sorted(maps.Keys(times)) {
		p.check(times[token] == 1, "R1: token %s was sent %d times", token, times[token])
	}
	return p.all
}

// Transitions is the set of transitions that the model allows: spec/transitions.txt.
type Transitions map[string]bool

// ParseTransitions reads one transition per line. It ignores empty lines and lines
// that begin with #.
func ParseTransitions(text string) (Transitions, error) {
	t := Transitions{}
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !strings.Contains(line, " -> ") {
			return nil, fmt.Errorf("invariants: line %d is not a transition: %q", n+1, line)
		}
		t[line] = true
	}
	return t, nil
}

// Compare returns the transitions seen that are not allowed, and the allowed ones
// that were not seen.
func (t Transitions) Compare(seen Transitions) (forbidden, unseen []string) {
	for line := range seen {
		if !t[line] {
			forbidden = append(forbidden, line)
		}
	}
	for line := range t {
		if !seen[line] {
			unseen = append(unseen, line)
		}
	}
	slices.Sort(forbidden)
	slices.Sort(unseen)
	return forbidden, unseen
}
