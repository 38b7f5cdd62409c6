package provision

import (
	"context"
	"errors"
	"log/slog"

	"procore-connect/pkg/procore"
)

// replace makes the hook anew, whose creator's connection does not work any
// more: Procore does not say whether such a hook still reports, and one that is
// silent cannot be told from a quiet company. The new hook comes first, with its
// triggers, where Procore lets two have one URL; else there is a time without any. Events that
// still wait for delivery would go with the old hook, so a hook that is failing
// stays until it delivers again and what it discarded is stored; each look tries
// again.
func (k *Reconciler) replace(ctx context.Context, l *lease, client *procore.CompanyClient, want procore.HookSpec, p plan) (plan, error) {
	old := p.keep.ID
	busy, err := k.busy(ctx, l, client, old)
	if err != nil {
		return p, err
	}
	if busy {
		k.log().WarnContext(ctx, "hook not replaced yet, deliveries pending", slog.Int64("company_id", client.CompanyID()),
			slog.String("hook_id", old.String()))
		return p, nil
	}
	if err := k.removeOthers(ctx, client, p.remove); err != nil { // of a look that did not come to its end
		return p, err
	}
	hook, err := client.CreateHook(ctx, want)
	taken := errors.Is(err, procore.ErrInvalid)
	if err == nil {
		l.made = hook.ID
		err = k.triggers(ctx, l, client, hook)
	}
	if err != nil && !errors.Is(err, procore.ErrInvalid) { // a trigger that is refused is adapt's to tell
		return p, err
	}
	if err := gone(client.DeleteHook(ctx, old)); err != nil {
		return p, err
	}
	if taken {
		if _, err = client.CreateHook(ctx, want); err != nil {
			return p, err
		}
	}
	k.log().WarnContext(ctx, "hook replaced, its creator's connection is unusable", slog.Int64("company_id", client.CompanyID()), slog.String("old_hook_id", old.String()))
	return k.list(ctx, l, client, want)
}

// namespace is the one that the hook should have by now. That of a hook cannot be
// changed: a new one comes and the old one goes, when nothing waits for delivery
// by it. Till then it is looked after where it is.
func (k *Reconciler) namespace(ctx context.Context, l *lease, client *procore.CompanyClient) (string, error) {
	if l.row.HookID == "" || l.row.Namespace == "" || l.row.Namespace == k.Want.Namespace {
		return k.Want.Namespace, nil
	}
	busy, err := k.busy(ctx, l, client, l.row.HookID)
	if err != nil {
		return k.Want.Namespace, gone(err)
	}
	if busy {
		k.log().WarnContext(ctx, "hook not moved to the new namespace yet, deliveries pending", slog.Int64("company_id", client.CompanyID()),
			slog.String("hook_id", l.row.HookID.String()))
		return l.row.Namespace, nil
	}
	return k.Want.Namespace, nil
}

// busy says that events wait for delivery by the hook, or are still to be
// recovered from it.
func (k *Reconciler) busy(ctx context.Context, l *lease, client *procore.CompanyClient, hookID procore.ID) (bool, error) {
	for _, status := range []procore.DeliveryStatus{procore.DeliveryRetrying, procore.DeliveryEnqueued} {
		for _, err := range client.Deliveries(ctx, hookID, procore.DeliveryFilter{Status: status}) {
			return err == nil, err
		}
	}
	recovered, err := k.recover(ctx, l, client)
	return recovered.More, err
}
