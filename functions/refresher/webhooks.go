package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	retryHook   = 5 * time.Minute // after a failure, or when a run died
	adminHook   = time.Hour       // while an admin has to act
	recheckHook = 24 * time.Hour  // when all is well
)

// provision looks after one connection's hook. Taking the next look first
// keeps other runs away meanwhile and finds it again should this one die.
func (h *handler) provision(ctx context.Context, c tokens.Connection) error {
	if len(h.webhooks.Triggers) == 0 {
		_, _, err := h.store.SetWebhooks(ctx, c, tokens.WebhooksOff, time.Time{})
		return err
	}
	c, mine, err := h.store.SetWebhooks(ctx, c, c.Webhooks, h.clock().Add(retryHook))
	if err != nil || !mine {
		return err
	}
	taken, cause := c.CheckAt, h.ensure(ctx, c)
	// The calls may have refreshed the token, which makes a new generation. A new
	// authorization has a look of its own to come.
	if c, err = h.store.Connection(ctx, c.Key); err != nil || !c.CheckAt.Equal(taken) {
		return err
	}
	return h.conclude(ctx, c, cause)
}

// conclude records what came of a look at the hook.
func (h *handler) conclude(ctx context.Context, c tokens.Connection, cause error) error {
	status, next := tokens.WebhooksActive, recheckHook
	var failed error
	switch {
	case cause == nil:
	case errors.Is(cause, procore.ErrNotConnected):
		h.log.WarnContext(ctx, "the company disconnected the app", slog.Int64("company_id", c.CompanyID))
		return h.store.Disconnect(ctx, c.Key, c.Generation)
	case errors.Is(cause, procore.ErrForbidden):
		status, next = tokens.WebhooksNeedsAdmin, adminHook
	case errors.Is(cause, tokens.ErrReauthorize), errors.Is(cause, tokens.ErrDisconnected), errors.Is(cause, tokens.ErrRevoked):
		status = c.Webhooks // it waits for its user, who makes the next look due
	default:
		status, next = tokens.WebhooksPending, retryHook
		failed = fmt.Errorf("webhook of company %d: %w", c.CompanyID, cause)
	}
	h.log.InfoContext(ctx, "webhook looked after", slog.Int64("company_id", c.CompanyID), slog.String("status", string(status)))
	_, _, err := h.store.SetWebhooks(ctx, c, status, h.clock().Add(next))
	return errors.Join(failed, err)
}

// ensure makes the company's hook and its triggers match the configuration.
func (h *handler) ensure(ctx context.Context, c tokens.Connection) error {
	ring, err := h.ring(ctx, false)
	if err != nil {
		return err
	}
	header, err := ring.Header(c.CompanyID)
	if err != nil {
		return err
	}
	spec := procore.HookSpec{
		Namespace:      h.webhooks.Namespace,
		DestinationURL: h.webhooks.URL,
		Headers:        procore.Headers{"Authorization": header},
		PayloadVersion: payloadVersion,
	}
	client := h.store.Client(h.environment, c.Key)
	hook, err := h.ensureHook(ctx, client, spec)
	if err != nil {
		return err
	}
	return ensureTriggers(ctx, client, hook, h.webhooks.Triggers)
}

// payloadVersion is the newest whose events say which app made a change.
const payloadVersion = "v2.0"

// ensureHook finds our hook, by namespace and URL, or creates it. One in our
// namespace with another URL is somebody else's deployment: it is reported and
// left alone.
func (h *handler) ensureHook(ctx context.Context, client *procore.CompanyClient, spec procore.HookSpec) (procore.Hook, error) {
	for hook, err := range client.Hooks(ctx, spec.Namespace) {
		switch {
		case err != nil:
			return hook, err
		case hook.Namespace != spec.Namespace:
		case hook.DestinationURL != spec.DestinationURL:
			h.log.WarnContext(ctx, "a hook in our namespace has another URL", slog.Int64("company_id", client.CompanyID()),
				slog.Int64("hook_id", hook.ID))
		case !hook.DestinationHeaders.Masks("Authorization", spec.Headers["Authorization"]), !sameVersion(hook, spec):
			return client.UpdateHook(ctx, hook.ID, spec)
		default:
			return hook, nil
		}
	}
	return client.CreateHook(ctx, spec)
}

// sameVersion compares payload versions; Procore may answer v2 for v2.0.
func sameVersion(hook procore.Hook, spec procore.HookSpec) bool {
	return strings.TrimSuffix(hook.PayloadVersion, ".0") == strings.TrimSuffix(spec.PayloadVersion, ".0")
}

func ensureTriggers(ctx context.Context, client *procore.CompanyClient, hook procore.Hook, want []procore.Trigger) error {
	have, err := procore.Collect(client.Triggers(ctx, hook.ID))
	if err != nil {
		return err
	}
	same := func(a procore.Trigger) func(procore.Trigger) bool {
		return func(b procore.Trigger) bool { return a.Resource == b.Resource && a.EventType == b.EventType }
	}
	for _, t := range want {
		if slices.ContainsFunc(have, same(t)) {
			continue
		}
		if _, err := client.CreateTrigger(ctx, hook, t.Resource, t.EventType); err != nil {
			return err
		}
	}
	for _, t := range have {
		if slices.ContainsFunc(want, same(t)) {
			continue
		}
		if err := client.DeleteTrigger(ctx, hook.ID, t.ID); err != nil {
			return err
		}
	}
	return nil
}
