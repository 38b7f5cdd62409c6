package provision

import (
	"context"
	"errors"
	"slices"

	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// apply makes one step, and notes in memory what Procore accepted or refused. What may
// not have arrived is not noted: the next pass observes it.
func apply(ctx context.Context, client *procore.CompanyClient, by tokens.Principal, want wanted, s step, m *Memory) error {
	var err error
	switch s.do {
	case createHook:
		err = create(ctx, client, by, want, s, m)
	case patchHook:
		spec := want.spec
		if s.activate {
			spec.Status = procore.HookActive
		}
		if _, err = client.UpdateHook(ctx, s.hook, spec); err == nil {
			m.Credential = want.credential
		}
	case addTriggers:
		if err = add(ctx, client, s); err == nil || errors.Is(err, procore.ErrInvalid) {
			m.Version, err = s.version, nil // what was refused is still missing, which the next plan reports
		}
	case removeTriggers:
		ids := make([]procore.ID, len(s.triggers))
		for i, t := range s.triggers {
			ids[i] = t.ID
		}
		if err = gone(client.DeleteTriggers(ctx, s.hook, ids)); errors.Is(err, procore.ErrInvalid) {
			err = nil // likewise
		}
	case deleteHook:
		if err = gone(client.DeleteHook(ctx, s.hook)); err == nil && s.hook == m.HookID {
			m.forget()
		}
	}
	if err == nil || errors.Is(err, procore.ErrInvalid) {
		m.note(s.repairs)
	}
	return vanished(err)
}

// create creates the hook. If Procore refuses one beside the hook that it replaces, that
// one goes first.
func create(ctx context.Context, client *procore.CompanyClient, by tokens.Principal, want wanted, s step, m *Memory) error {
	made, err := client.CreateHook(ctx, want.spec)
	if s.hook != "" && errors.Is(err, procore.ErrInvalid) {
		m.alone = true
		return nil
	}
	if err != nil {
		return err
	}
	m.forget()
	m.HookID, m.Creator, m.Replaces, m.Credential = made.ID, by, s.hook, want.credential
	m.Recovery = recovery.Progress{}
	return nil
}

// add adds triggers in one call. If that is refused as a whole, it adds one after the
// other: a wrong one is no reason to do without the rest.
func add(ctx context.Context, client *procore.CompanyClient, s step) error {
	_, err := client.CreateTriggers(ctx, s.hook, s.triggers)
	if !errors.Is(err, procore.ErrInvalid) || errors.As(err, new(*procore.TriggersError)) {
		return err
	}
	for _, t := range s.triggers {
		if _, err := client.CreateTrigger(ctx, s.hook, t); err != nil && !errors.Is(err, procore.ErrInvalid) {
			return err
		}
	}
	return nil
}

// note remembers repairs.
func (m *Memory) note(all []Repair) {
	for _, r := range all {
		m.Repairs = append(slices.DeleteFunc(m.Repairs, func(old Repair) bool { return old.Field == r.Field }), r)
	}
}

// gone is the error of a deletion: what is not there is deleted.
func gone(err error) error {
	if errors.Is(err, procore.ErrNotFound) {
		return nil
	}
	return err
}
