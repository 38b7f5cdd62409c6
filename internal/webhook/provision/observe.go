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
	var have observed
	var listed []procore.Hook
	var err error
	if want.spec.Namespace != "" {
		if listed, err = procore.Collect(client.Hooks(ctx, want.spec.Namespace)); err != nil {
			return have, err
		}
	}
	have = choose(listed, want, m)
	if have.hook.ID != m.HookID {
		if have, err = known(ctx, client, have, m.HookID); err != nil {
			return have, err
		}
	}
	if have.hook.ID == "" || want.off {
		return have, nil
	}
	if have.triggers, err = procore.Collect(client.Triggers(ctx, have.hook.ID)); err != nil {
		return have, vanished(err)
	}
	have.triggers = distinct(have.triggers)
	for _, t := range want.triggers {
		if !contains(have.triggers, t.Key()) {
			have.resources, err = resources(ctx, client, want.spec.PayloadVersion)
			return have, err
		}
	}
	return have, nil
}

// choose sorts the listed hooks.
func choose(listed []procore.Hook, want wanted, m Memory) observed {
	var have observed
	for _, h := range listed {
		switch ours := address(h.DestinationURL) == address(want.spec.DestinationURL); {
		case h.ProjectID != 0, h.ID == "", h.Namespace != "" && !strings.EqualFold(h.Namespace, want.spec.Namespace):
		case h.ID == m.HookID:
			have.hook = h
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

// distinct returns each trigger once. One without an id cannot be removed, and is odd.
func distinct(listed []procore.Trigger) []procore.Trigger {
	seen := map[procore.ID]bool{"": true}
	return slices.DeleteFunc(listed, func(t procore.Trigger) bool {
		twice := seen[t.ID]
		seen[t.ID] = true
		return twice
	})
}

// compareIDs compares numbers as numbers.
func compareIDs(a, b procore.ID) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(string(a), string(b))
}

// known reads the hook of memory that was not listed: it may be in a former namespace.
func known(ctx context.Context, client *procore.CompanyClient, have observed, id procore.ID) (observed, error) {
	if id == "" {
		return have, nil
	}
	hook, err := client.Hook(ctx, id)
	switch {
	case errors.Is(err, procore.ErrNotFound):
		return have, nil
	case err != nil:
		return have, err
	}
	if hook.ID = id; have.hook.ID != "" {
		have.twins = append([]procore.Hook{have.hook}, have.twins...)
	}
	have.hook = hook
	return have, nil
}

// resources lists what a hook of the payload version can report, nil if Procore does not
// say it: then Procore's answer to each trigger decides.
func resources(ctx context.Context, client *procore.CompanyClient, payloadVersion string) (map[string]procore.WebhookResource, error) {
	var all map[string]procore.WebhookResource
	for r, err := range client.WebhookResources(ctx, payloadVersion) {
		switch {
		case errors.Is(err, procore.ErrForbidden), errors.Is(err, procore.ErrNotFound), errors.Is(err, procore.ErrInvalid):
			return nil, nil
		case err != nil:
			return nil, err
		}
		if all == nil {
			all = map[string]procore.WebhookResource{}
		}
		r.Name = strings.TrimSpace(r.Name)
		name := strings.ToLower(r.Name)
		r.Actions = slices.DeleteFunc(append(r.Actions, all[name].Actions...), func(t procore.EventType) bool { return t == "" })
		all[name] = r
	}
	return all, nil
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
