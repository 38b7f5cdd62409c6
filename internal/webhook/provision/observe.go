package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"procore-connect/pkg/procore"
)

// observe reads what Procore shows. Ours is the hook whose id memory has; without one, the
// hook in our namespace with our URL. Of several the lowest id is ours: whichever process
// decides, decides alike.
func observe(ctx context.Context, client *procore.CompanyClient, want wanted, m Memory) (observed, error) {
	var all []procore.Hook
	var err error
	if want.spec.Namespace != "" {
		if all, err = procore.Collect(client.Hooks(ctx, want.spec.Namespace)); err != nil {
			return observed{}, err
		}
	}
	listed := slices.ContainsFunc(all, func(h procore.Hook) bool { return h.ID == m.HookID })
	if m.HookID != "" && !listed { // it may be in a former namespace
		known, err := client.Hook(ctx, m.HookID)
		if err == nil {
			known.ID = m.HookID
			all = append(all, known)
		} else if !errors.Is(err, procore.ErrNotFound) {
			return observed{}, err
		}
	}
	have := choose(all, want, m)
	if have.hook.ID == "" || want.off {
		return have, nil
	}
	if have.triggers, err = procore.Collect(client.Triggers(ctx, have.hook.ID)); err != nil {
		return have, vanished(err)
	}
	if slices.ContainsFunc(want.triggers, func(t procore.Trigger) bool { return !contains(have.triggers, t.Key()) }) {
		have.resources, err = procore.Collect(client.WebhookResources(ctx, want.spec.PayloadVersion))
	}
	if errors.Is(err, procore.ErrForbidden) || errors.Is(err, procore.ErrNotFound) || errors.Is(err, procore.ErrInvalid) {
		have.resources, err = nil, nil // Procore's answer to each trigger decides
	}
	return have, err
}

// choose sorts hooks.
func choose(all []procore.Hook, want wanted, m Memory) observed {
	var have observed
	for _, h := range all {
		switch ours := address(h.DestinationURL) == address(want.spec.DestinationURL); {
		case h.ID == "":
		case h.ID == m.HookID:
			have.hook = h
		case h.ProjectID != 0, h.Namespace != "" && !strings.EqualFold(h.Namespace, want.spec.Namespace):
		case ours, h.ID == m.Replaces:
			have.twins = append(have.twins, h)
		default:
			have.foreign = append(have.foreign, h.ID)
		}
	}
	slices.SortFunc(have.twins, func(a, b procore.Hook) int { return compareIDs(a.ID, b.ID) })
	have.twins = slices.CompactFunc(have.twins, func(a, b procore.Hook) bool { return a.ID == b.ID })
	if have.hook.ID == "" && len(have.twins) > 0 {
		have.hook, have.twins = have.twins[0], have.twins[1:]
	}
	return have
}

// compareIDs compares numbers as numbers.
func compareIDs(a, b procore.ID) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(string(a), string(b))
}

// errVanished means that a listed hook or trigger is no longer there. It is not a
// [procore.ErrNotFound], which means that of the company.
var errVanished = errors.New("it is no longer there")

// vanished distinguishes a hook that is no longer there from a company that is not.
func vanished(err error) error {
	if errors.Is(err, procore.ErrNotFound) {
		return fmt.Errorf("%w: %v", errVanished, err) //nolint:errorlint // it must not match ErrNotFound any more
	}
	return err
}
