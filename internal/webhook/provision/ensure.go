package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// spec is the hook that a company should have. Its credential is derived from
// the current key and the company's epoch, so that a change of either shows.
func (k *Reconciler) spec(ctx context.Context, companyID int64, version string) (procore.HookSpec, error) {
	ring, err := k.Ring.Get(ctx)
	if err != nil {
		return procore.HookSpec{}, err
	}
	header, err := ring.Header(companyID)
	if err != nil {
		return procore.HookSpec{}, err
	}
	return procore.HookSpec{
		Namespace: k.Want.Namespace, DestinationURL: k.Want.URL, PayloadVersion: version,
		Headers: procore.Headers{"Authorization": header},
	}, nil
}

// ensure makes the hook and its triggers match the configuration.
func (k *Reconciler) ensure(ctx context.Context, l *lease, by tokens.Principal, client *procore.CompanyClient, makerLost bool) error {
	want, err := k.spec(ctx, client.CompanyID(), l.version)
	if err != nil {
		return err
	}
	ring, err := k.Ring.Get(ctx)
	if err != nil {
		return err
	}
	l.credential = ring.Current(client.CompanyID())
	if want.Namespace, err = k.namespace(ctx, l, client); err != nil {
		return err
	}
	p, err := k.list(ctx, l, client, want)
	if err != nil {
		return err
	}
	if p.found && makerLost && p.keep.ID == l.row.HookID && by != l.row.Creator {
		if p, err = k.replace(ctx, l, client, want, p); err != nil {
			return vanished(err)
		}
	}
	if !p.found {
		made, err := client.CreateHook(ctx, want)
		if err != nil {
			return err
		}
		l.made = made.ID
		if p, err = k.list(ctx, l, client, want); err != nil {
			return err
		}
		if !p.found {
			return fmt.Errorf("the hook that was created is not listed: %w", errVanished)
		}
	}
	if err := k.adapt(ctx, l, by, client, want, p); err != nil {
		return vanished(err)
	}
	return nil
}

// list reads the hooks of our namespace.
func (k *Reconciler) list(ctx context.Context, l *lease, client *procore.CompanyClient, want procore.HookSpec) (plan, error) {
	listed, err := procore.Collect(client.Hooks(ctx, want.Namespace))
	if err != nil {
		return plan{}, err
	}
	p := planFor(listed, want, l.row)
	for _, id := range p.foreign {
		if !slices.Contains(l.row.Foreign, id) {
			k.log().WarnContext(ctx, "hook in our namespace has another URL", slog.Int64("company_id", client.CompanyID()), slog.String("hook_id", id.String()))
		}
	}
	l.row.Foreign = p.foreign
	return p, nil
}

// adapt makes the kept hook the wanted one and writes down which it is.
func (k *Reconciler) adapt(ctx context.Context, l *lease, by tokens.Principal, client *procore.CompanyClient, want procore.HookSpec, p plan) error {
	hook, old := p.keep, l.row
	if err := k.removeOthers(ctx, client, p.remove); err != nil {
		return err
	}
	if hook.ID != old.HookID {
		l.row.HookID, l.row.Creator, l.row.Version = hook.ID, by, hook.PayloadVersion
		l.row.Recovery, l.row.Credential = recovery.Progress{}, ""
	}
	if hook.ID == l.made {
		l.row.Credential = l.credential
	}
	if l.row.Version == "" {
		l.row.Version = hook.PayloadVersion
	}
	if p.patch || l.row.Credential != l.credential {
		if !sameVersion(hook.PayloadVersion, want.PayloadVersion) {
			// Should we die between the hook's change and its triggers', the next look must
			// know that the triggers are still the old version's.
			if err := k.save(ctx, l); err != nil {
				return err
			}
		}
		patched, err := client.UpdateHook(ctx, hook.ID, want)
		if err != nil {
			return err
		}
		hook.PayloadVersion, l.row.Credential = patched.PayloadVersion, l.credential
	}
	if err := k.triggers(ctx, l, client, hook); err != nil {
		return err
	}
	if old.HookID != "" && old.HookID != hook.ID && old.Namespace != want.Namespace {
		if err := gone(client.DeleteHook(ctx, old.HookID)); err != nil {
			l.row.HookID = old.HookID // for the next look, which would not find it otherwise
			return err
		}
	}
	l.row.Namespace, l.row.URL, l.row.Version = want.Namespace, want.DestinationURL, hook.PayloadVersion
	return nil
}

// removeOthers deletes what there is of ours beside the company's hook.
func (k *Reconciler) removeOthers(ctx context.Context, client *procore.CompanyClient, others []procore.Hook) error {
	for _, other := range others {
		if err := gone(client.DeleteHook(ctx, other.ID)); err != nil {
			return err
		}
		k.log().WarnContext(ctx, "duplicate hook deleted", slog.Int64("company_id", client.CompanyID()), slog.String("hook_id", other.ID.String()))
	}
	return nil
}

// triggers makes the hook's triggers the configured ones, and no others.
func (k *Reconciler) triggers(ctx context.Context, l *lease, client *procore.CompanyClient, hook procore.Hook) error {
	have, err := procore.Collect(client.Triggers(ctx, hook.ID))
	if err != nil {
		return err
	}
	change := changeTriggers(have, k.Want.Triggers, !sameVersion(l.row.Version, hook.PayloadVersion))
	for _, t := range change.remove {
		if err := gone(client.DeleteTrigger(ctx, hook.ID, t.ID)); err != nil {
			return err
		}
	}
	var refused error // no reason to do without the others
	for _, t := range change.add {
		_, err := client.CreateTrigger(ctx, hook.ID, t)
		if errors.Is(err, procore.ErrInvalid) {
			err = k.taken(ctx, client, hook, t, err)
		}
		switch {
		case errors.Is(err, procore.ErrInvalid):
			refused = errors.Join(refused, fmt.Errorf("trigger %s/%s: %w", t.Resource, t.EventType, err))
		case err != nil:
			return err
		}
	}
	return refused
}

// taken forgives a refused trigger that is there: an answer was lost, or another
// run was quicker.
func (k *Reconciler) taken(ctx context.Context, client *procore.CompanyClient, hook procore.Hook, t procore.Trigger, refusal error) error {
	have, err := procore.Collect(client.Triggers(ctx, hook.ID))
	if err == nil && len(changeTriggers(have, []procore.Trigger{t}, false).add) == 0 {
		return nil
	}
	return errors.Join(refusal, err)
}

// clear deletes the hooks of ours, when none are configured any more or the
// company's last connection is about to end.
func (k *Reconciler) clear(ctx context.Context, l *lease, client *procore.CompanyClient) error {
	for _, namespace := range namespaces(k.Want.Namespace, l.row.Namespace) {
		want := procore.HookSpec{Namespace: namespace, DestinationURL: k.Want.URL}
		listed, err := procore.Collect(client.Hooks(ctx, namespace))
		if err != nil {
			return err
		}
		p := planFor(listed, want, l.row)
		if !p.found {
			continue
		}
		for _, h := range append(p.remove, p.keep) {
			if err := gone(client.DeleteHook(ctx, h.ID)); err != nil {
				return err
			}
			k.log().InfoContext(ctx, "hook deleted", slog.Int64("company_id", client.CompanyID()), slog.String("hook_id", h.ID.String()))
		}
	}
	l.row.HookID, l.row.Creator, l.row.Version, l.row.Namespace, l.row.URL = "", "", "", "", ""
	l.row.Recovery, l.row.Foreign = recovery.Progress{}, nil
	return nil
}

func namespaces(all ...string) []string {
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(s string) bool { return s == "" })
}

// gone is the error of a deletion: what is not there is deleted.
func gone(err error) error {
	if errors.Is(err, procore.ErrNotFound) {
		return nil
	}
	return err
}

// vanished tells a hook that is not there any more from a company that is not.
func vanished(err error) error {
	if errors.Is(err, procore.ErrNotFound) {
		return fmt.Errorf("%w: %v", errVanished, err) //nolint:errorlint // it must not match ErrNotFound any more
	}
	return err
}
