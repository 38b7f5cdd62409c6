package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// maxLogged bounds what is logged of a resource.
const maxLogged = 4 << 10

// handler handles events. They come at least once and, per resource, in order:
// be idempotent by the event's id.
type handler struct {
	environment procore.Environment
	store       *tokens.Store
	oauth       func(ctx context.Context, reread bool) (*procore.OAuth, error)
	log         *slog.Logger
}

// handle answers with the messages to be handed on again. After the first
// failure of a group the rest of the group is left for later too, so that the
// order of a resource's events is kept.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func (h *handler) handle(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	var out events.SQSEventResponse
	stopped := map[string]bool{}
	for _, m := range e.Records {
		group := m.Attributes["MessageGroupId"]
		if !stopped[group] {
			err := h.message(ctx, m)
			if err == nil {
				continue
			}
			stopped[group] = true
			h.log.ErrorContext(ctx, "event failed, to be tried again", slog.String("message_id", m.MessageId), slog.Any("error", err))
		}
		out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
	}
	return out, nil
}

func (h *handler) message(ctx context.Context, m events.SQSMessage) error {
	event, err := procore.ParseEvent([]byte(m.Body))
	if err != nil {
		return err
	}
	oauth, err := h.oauth(ctx, false)
	if err != nil {
		return err
	}
	event.MarkSelf(oauth.ClientID)
	if event.SelfOriginated != nil && *event.SelfOriginated {
		h.log.InfoContext(ctx, "own change skipped", describe(event))
		return nil
	}
	read, err := h.read(ctx, event)
	if err != nil {
		return fmt.Errorf("event %s of company %d: %w", event.ID, event.CompanyID, err)
	}
	return h.work(ctx, event, read)
}

// read gets the resource as it is now. It is nil when there is nothing to see:
// deleted since, or not visible to the connection's user.
func (h *handler) read(ctx context.Context, event procore.Event) (json.RawMessage, error) {
	if event.Type == "delete" {
		return nil, nil
	}
	c, err := h.store.ForCompany(ctx, event.CompanyID)
	if err != nil {
		return nil, err
	}
	access, err := h.store.Token(ctx, c.Key) // fresh: a refresh makes a new generation
	if err != nil {
		return nil, err
	}
	resource, err := h.store.Client(h.environment, c.Key).Read(ctx, event)
	switch {
	case errors.Is(err, procore.ErrNotConnected):
		return nil, h.store.Report(ctx, c.Key, access.Generation, err)
	case errors.Is(err, procore.ErrNotFound), errors.Is(err, procore.ErrForbidden):
		return nil, nil
	}
	return resource, err
}

// work is where yours goes. resource is nil if it is gone or cannot be seen.
func (h *handler) work(ctx context.Context, event procore.Event, resource json.RawMessage) error {
	if len(resource) > maxLogged {
		resource = fmt.Appendf(nil, `"%d bytes"`, len(resource))
	}
	h.log.InfoContext(ctx, "event handled", describe(event), slog.Any("read", resource))
	return nil
}

func describe(e procore.Event) slog.Attr {
	return slog.Group("", slog.String("event_id", e.ID), slog.Int64("company_id", e.CompanyID),
		slog.String("resource", e.Resource), slog.Int64("resource_id", e.ResourceID), slog.String("type", e.Type))
}
