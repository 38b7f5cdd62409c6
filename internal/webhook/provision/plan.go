package provision

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// plan returns the steps that make a company's hook the wanted one, as far as they are due,
// the memory for the next pass, and what is wrong that no step repairs now. It depends on
// nothing else. After the steps the caller observes and plans again: a hook that was just
// created has no triggers yet.
func plan(want wanted, have observed, m Memory) ([]step, Memory, error) {
	p := planner{at: have.at, old: m.Repairs}
	m.Foreign = have.foreign
	if want.off {
		for _, h := range append(have.twins, have.hook) {
			if h.ID != "" {
				p.steps = append(p.steps, step{do: deleteHook, hook: h.ID})
			}
		}
		if len(p.steps) == 0 {
			if m.forget(); !want.unhooked {
				m.Since = time.Time{}
			}
		}
		m.Repairs = nil
		return p.steps, m, nil
	}
	switch hook := have.hook; {
	case hook.ID == "":
		m.forget()
		if d, due := p.difference(essential, "hook", "there", "absent"); due {
			p.steps = append(p.steps, step{do: createHook, repairs: d})
		}
	case have.orphaned && !have.waiting && m.alone:
		p.steps = append(p.steps, step{do: deleteHook, hook: hook.ID})
	case have.orphaned && !have.waiting:
		p.steps = append(p.steps, step{do: createHook, hook: hook.ID})
	default:
		if m.HookID != hook.ID {
			m.forget()
			m.HookID, m.Creator = hook.ID, have.by
		}
		if m.Version == "" {
			m.Version = version(hook.PayloadVersion)
		}
		p.patch(want, hook, m)
		if len(p.steps) == 0 { // triggers depend on the hook's version
			p.triggers(want, have, m)
			p.twins(have.twins)
		}
	}
	m.Repairs = p.kept
	return p.steps, m, errors.Join(p.problems...)
}

// planner collects the steps of a plan.
type planner struct {
	at       time.Time
	old      []Repair // that were tried
	kept     []Repair // those of old whose difference is still the same
	steps    []step
	problems []error
}

// weight is how much a difference matters.
type weight int

const (
	// cosmetic differences are given up for a day after one attempt.
	cosmetic weight = iota
	// essential ones stop deliveries: attempts only become rarer, from an hour to a day.
	essential
)

const (
	firstWait = time.Hour
	lastWait  = 24 * time.Hour
)

// difference returns the repair to remember if this difference is to be repaired now. If
// an essential one has to wait, that is a problem.
func (p *planner) difference(w weight, field, want, have string) ([]Repair, bool) {
	r := Repair{Field: field, Want: want, Have: have}
	for _, old := range p.old {
		if old.Field != field || old.Want != want || old.Have != have {
			continue
		}
		wait := lastWait
		if w == essential {
			wait = min(firstWait<<min(old.Tries-1, 10), lastWait)
		}
		if next := old.At.Add(wait); p.at.Before(next) {
			p.kept = append(p.kept, old)
			if w == essential {
				p.problems = append(p.problems, fmt.Errorf("%s is %s, not %s; repaired in vain, next attempt at %s: %w",
					field, have, want, next.UTC().Format(time.RFC3339), procore.ErrInvalid))
			}
			return nil, false
		}
		p.kept = append(p.kept, old)
		r.Tries = old.Tries
	}
	r.Tries, r.At = r.Tries+1, p.at
	return []Repair{r}, true
}

// patch compares the hook's fields. What Procore does not show is no difference.
func (p *planner) patch(want wanted, hook procore.Hook, m Memory) {
	var all []Repair
	compare := func(w weight, field, want, have string) bool {
		if have == "" || have == want {
			return false
		}
		r, due := p.difference(w, field, want, have)
		all = append(all, r...)
		return due
	}
	compare(essential, "URL", address(want.spec.DestinationURL), address(hook.DestinationURL))
	compare(essential, "credential", want.credential, cmp.Or(m.Credential, "unknown"))
	compare(cosmetic, "namespace", want.spec.Namespace, strings.ToLower(hook.Namespace))
	compare(cosmetic, "payload version", version(want.spec.PayloadVersion), version(hook.PayloadVersion))
	disabled := compare(essential, "status", string(procore.HookActive), strings.ToLower(string(hook.Status)))
	if len(all) > 0 {
		p.steps = append(p.steps, step{do: patchHook, hook: hook.ID, activate: disabled, repairs: all})
	}
}

// triggers compares the hook's triggers. Those of another payload version report nothing,
// so they go first; else triggers are added before others are removed.
func (p *planner) triggers(want wanted, have observed, m Memory) {
	now := cmp.Or(version(have.hook.PayloadVersion), m.Version)
	stale := m.Version != now
	add := step{do: addTriggers, hook: have.hook.ID, version: now}
	remove := step{do: removeTriggers, hook: have.hook.ID}
	there := map[string]bool{}
	seen := map[procore.ID]bool{"": true} // one without an id cannot be removed
	for _, t := range have.triggers {
		if seen[t.ID] {
			continue
		}
		seen[t.ID] = true
		if key := t.Key(); !stale && !there[key] && contains(want.triggers, key) {
			there[key] = true
		} else if r, due := p.difference(cosmetic, "surplus trigger "+t.String(), "absent", t.ID.String()); due {
			remove.triggers, remove.repairs = append(remove.triggers, t), append(remove.repairs, r...)
		}
	}
	for _, t := range want.triggers {
		if there[t.Key()] {
			continue
		}
		t, err := check(t, have.resources)
		if err != nil {
			p.problems = append(p.problems, err)
		} else if r, due := p.difference(essential, "trigger "+t.String(), "there", "absent"); due {
			add.triggers, add.repairs = append(add.triggers, t), append(add.repairs, r...)
		}
	}
	both := []step{add, remove}
	if stale {
		slices.Reverse(both)
	}
	p.steps = append(p.steps, slices.DeleteFunc(both, func(s step) bool { return len(s.triggers) == 0 })...)
}

// twins deletes our other hooks, after the hook has its triggers.
func (p *planner) twins(all []procore.Hook) {
	for _, twin := range all {
		if r, due := p.difference(cosmetic, "twin "+twin.ID.String(), "absent", "there"); due {
			p.steps = append(p.steps, step{do: deleteHook, hook: twin.ID, repairs: r})
		}
	}
}

func contains(all []procore.Trigger, key string) bool {
	return slices.ContainsFunc(all, func(t procore.Trigger) bool { return t.Key() == key })
}
