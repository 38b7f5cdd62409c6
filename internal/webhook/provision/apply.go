package provision

import (
	"context"
	"errors"
	"slices"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// apply makes one step, and records Procore's answer in memory.
func apply(ctx context.Context, client *procore.CompanyClient, by tokens.Principal, want wanted, s step, m *Memory) error {
	hook, err := s.send(ctx, client, want.spec)
	return m.record(s, hook, by, want.credential, err)
}

// send makes the step's call at Procore. It returns the id of the step's hook.
func (s step) send(ctx context.Context, client *procore.CompanyClient, spec procore.HookSpec) (id procore.ID, err error) {
	switch s.do {
	case createHook:
		made, err := client.CreateHook(ctx, spec)
		return made.ID, err
	case patchHook:
		if s.activate {
			spec.Status = procore.HookActive
		}
		_, err = client.UpdateHook(ctx, s.hook, spec)
	case addTriggers:
		_, err = client.CreateTriggers(ctx, s.hook, s.triggers)
	case removeTriggers:
		ids := make([]procore.ID, len(s.triggers))
		for i, t := range s.triggers {
			ids[i] = t.ID
		}
		err = client.DeleteTriggers(ctx, s.hook, ids)
	case deleteHook:
		err = client.DeleteHook(ctx, s.hook)
	}
	return s.hook, err
}

// record changes memory by Procore's answer to a step, and returns the error that ends the
// pass. What may not have arrived is not recorded: the next pass observes it. Triggers that
// were refused are still as they were, which the next plan reports.
func (m *Memory) record(s step, hook procore.ID, by tokens.Principal, credential string, err error) error {
	refused := errors.Is(err, procore.ErrInvalid)
	switch {
	case s.do == createHook && refused && s.hook != "": // beside the hook that it replaces, which goes first
		m.alone, err = true, nil
	case s.do == createHook && err == nil:
		m.forget()
		m.HookID, m.Creator, m.Replaces, m.Credential = hook, by, s.hook, credential
	case s.do == patchHook && err == nil:
		m.Credential = credential
	case s.do == addTriggers && (err == nil || refused):
		m.Version, err = s.version, nil
	case s.do == removeTriggers && (refused || errors.Is(err, procore.ErrNotFound)):
		err = nil
	case s.do == deleteHook && (err == nil || errors.Is(err, procore.ErrNotFound)):
		if err = nil; hook == m.HookID {
			m.forget()
		}
	}
	if err == nil || refused {
		m.note(s.repairs)
	}
	return vanished(err)
}

// note remembers repairs.
func (m *Memory) note(all []Repair) {
	for _, r := range all {
		m.Repairs = append(slices.DeleteFunc(m.Repairs, func(old Repair) bool { return old.Field == r.Field }), r)
	}
}
