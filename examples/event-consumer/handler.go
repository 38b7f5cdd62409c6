package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/platform/logging"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// handler handles events. They arrive at least once and, per resource, in order, so
// be idempotent by the event's id. docs/WEBHOOKS.md has the rules.
type handler struct {
	store      *connections.Store
	oauth      keys.Source[*procore.OAuth]
	inbox      *inbox.Store // nil: newer events are not looked up
	departures *departures.Watch
	log        *slog.Logger
	wrote      procore.OwnWrites
}

// handle returns the messages to be redelivered.
func (h *handler) handle(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	limited := map[int64]error{} // companies that have no calls left
	return inOrder(ctx, e, func(ctx context.Context, m events.SQSMessage) error {
		event, err := procore.ParseEvent([]byte(m.Body))
		ctx = logging.WithEvent(ctx, event.ID)
		if err == nil {
			err = h.event(ctx, event, limited)
		}
		if err != nil {
			h.log.ErrorContext(ctx, "event failed, will be retried", slog.String("message_id", m.MessageId),
				slog.String("dedup_id", m.Attributes["MessageDeduplicationId"]), describe(event), slog.Any("error", err))
		}
		return err
	}), nil
}

func (h *handler) event(ctx context.Context, event procore.Event, limited map[int64]error) error {
	err := h.markSelf(ctx, &event)
	own := event.SelfOriginated != nil && *event.SelfOriginated
	if own && event.Resource != companyUsers { // a user who was removed by this app has left too
		h.log.InfoContext(ctx, "own change skipped", describe(event))
		return nil
	}
	var f found
	if err == nil {
		f, err = h.find(ctx, event, limited)
	}
	if event.SelfOriginated == nil && h.wrote.Made(event.CompanyID, f.resource) {
		own = true // it is as we left it
	}
	if err == nil {
		f.superseded = h.superseded(ctx, event)
		err = h.departed(ctx, event, f)
	}
	if errors.Is(err, procore.ErrRateLimited) {
		limited[event.CompanyID] = err // each further call would be rejected, and count
	}
	if err != nil {
		return fmt.Errorf("event %s of company %d: %w", event.ID, event.CompanyID, err)
	}
	if own {
		h.log.InfoContext(ctx, "own change skipped", describe(event))
		return nil
	}
	return h.work(ctx, event, f)
}

// markSelf marks a change that this app made: by the app that the event names, or in
// payload v4.0, which names none, by the user as whom the service account acts.
func (h *handler) markSelf(ctx context.Context, event *procore.Event) error {
	oauth, err := h.oauth.Get(ctx)
	if err != nil {
		return err
	}
	event.MarkSelf(oauth.ClientID)
	if event.SelfOriginated == nil && event.UserID != 0 {
		user, err := h.store.ServiceAccountUser(ctx, event.CompanyID)
		if err != nil {
			return err
		}
		event.MarkServiceAccount(user)
	}
	return nil
}

// A found is the resource as it is now, or why it is absent.
type found struct {
	resource   json.RawMessage // nil: see absent
	absent     string
	superseded bool // a newer event of the resource is stored, so your code may skip this one
}

// find reads the resource, unless that is useless.
func (h *handler) find(ctx context.Context, event procore.Event, limited map[int64]error) (found, error) {
	switch {
	case event.Type == "delete":
		return found{absent: "deleted"}, nil
	case limited[event.CompanyID] != nil:
		return found{}, limited[event.CompanyID]
	}
	resource, err := h.read(ctx, event)
	if unknown, ok := errors.AsType[*procore.UnknownResourceError](err); ok {
		// The next attempt would fail too. This is for the developer to see, not for the dead letters.
		h.log.WarnContext(ctx, "resource has no known path: read it with procore.Get or remove its trigger",
			describe(event), slog.Any("error", unknown))
		return found{absent: "unknown path"}, nil
	}
	switch {
	case errors.Is(err, procore.ErrNotConnected): // the client has recorded it; the next attempt takes the case below
		return found{}, err
	case disconnected(err):
		// Nothing of the company can be read until a user connects it again. Then replay the inbox, or read everything again.
		h.log.WarnContext(ctx, "company not connected", describe(event), slog.Any("error", err))
		return found{absent: "not connected"}, nil
	case errors.Is(err, procore.ErrNotFound):
		return found{absent: "not found"}, nil
	case errors.Is(err, procore.ErrForbidden):
		h.log.WarnContext(ctx, "user may not read the resource", describe(event), slog.Any("error", err))
		return found{absent: "not permitted"}, nil
	}
	return found{resource: resource}, err
}

// disconnected reports whether no connection of the company is left or waits for its user.
func disconnected(err error) bool {
	return errors.Is(err, connections.ErrDisconnected) || errors.Is(err, connections.ErrEnded) || errors.Is(err, tokens.ErrRevoked)
}

// superseded reports whether a newer event of the resource is stored. Both read the
// resource as it is now, so expensive work can be left to the newer one.
func (h *handler) superseded(ctx context.Context, event procore.Event) bool {
	if h.inbox == nil {
		return false
	}
	newer, err := h.inbox.Newer(ctx, event)
	if err != nil {
		h.log.WarnContext(ctx, "check for newer events failed", describe(event), slog.Any("error", err))
	}
	return newer
}

// read gets the resource with a token of the company.
func (h *handler) read(ctx context.Context, event procore.Event) (json.RawMessage, error) {
	c, err := h.store.ForCompany(ctx, event.CompanyID)
	if err != nil {
		return nil, err
	}
	return h.client(c.Key).Read(ctx, event)
}

// client returns the client of a connection. Write to Procore with it too: it remembers
// what it wrote, so that the event of that change can be recognised.
func (h *handler) client(k connections.Key) *procore.CompanyClient {
	return h.store.Client(k, procore.WithOwnWrites(&h.wrote))
}

// work is the place for your code. To be idempotent, write the event's id together
// with your own row, on the condition that the id is new: in DynamoDB a
// TransactWriteItems with a Put of the id under attribute_not_exists, in SQL an
// INSERT ... ON CONFLICT DO NOTHING in the same transaction. Code that only stores
// the resource as it is now is already idempotent.
func (h *handler) work(ctx context.Context, event procore.Event, f found) error {
	attrs := []any{describe(event), slog.Int("read_bytes", len(f.resource))} // a log must not contain people's names
	if f.absent != "" {
		attrs = append(attrs, slog.String("absent", f.absent))
	}
	if f.superseded {
		attrs = append(attrs, slog.Bool("superseded", true))
	}
	if !event.ReplayedAt.IsZero() {
		attrs = append(attrs, slog.Time("replayed_at", event.ReplayedAt))
	}
	h.log.InfoContext(ctx, "event handled", attrs...)
	return nil
}

func describe(e procore.Event) slog.Attr {
	return slog.Group("", slog.String("event_id", logging.Short(e.ID)), slog.Int64("company_id", e.CompanyID),
		slog.String("resource", e.Resource), slog.String("resource_id", string(e.ResourceID)), slog.String("type", e.Type))
}
