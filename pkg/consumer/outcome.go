package consumer

import (
	"context"
	"errors"
	"log/slog"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/platform/logging"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// An Outcome names how an event was finished, in the attribute outcome of its log line.
type Outcome string

// The outcomes. An event that is not finished has none, and is delivered again.
const (
	Handled         Outcome = "handled"          // handle returned nil
	Own             Outcome = "own"              // this app made the change, and handle was not called
	Stale           Outcome = "stale"            // a newer event of the resource is stored, and handle was not called
	NotFound        Outcome = "not_found"        // handle met a 404: the resource was deleted, or the user may not see it
	Forbidden       Outcome = "forbidden"        // handle met a 403: the user may not do this
	NotConnected    Outcome = "not_connected"    // the company has no connection any more; replay the event after it has one
	UnknownResource Outcome = "unknown_resource" // CompanyClient.Read has no path for the resource, or the event lacks a part of it
)

// A result is the outcome of an event, and perhaps its cause. Without an outcome err is why
// the event is to be delivered again.
type result struct {
	outcome Outcome
	err     error
}

// again is the result of an event that is to be delivered again.
func again(err error) result { return result{err: err} }

// judge turns handle's error, or that of the choice of a connection, into the result. No
// other function does.
func (h *handler) judge(err error) result {
	_, unknown := errors.AsType[*procore.UnknownResourceError](err)
	switch {
	case err == nil:
		return result{outcome: Handled}
	case unknown: // the next attempt would fail too
		return result{UnknownResource, err}
	case disconnected(err):
		return result{NotConnected, err}
	case errors.Is(err, procore.ErrNotConnected): // not recorded yet
		return again(err)
	case errors.Is(err, procore.ErrNotFound) && !h.errors:
		return result{NotFound, err}
	case errors.Is(err, procore.ErrForbidden) && !h.errors:
		return result{Forbidden, err}
	}
	return again(err)
}

// disconnected reports whether no connection of the company is left, which only a person
// changes. A grant that needs a new authorization is another matter: its user was told, and
// the event is delivered again for some hours.
func disconnected(err error) bool {
	return errors.Is(err, connections.ErrDisconnected) || errors.Is(err, connections.ErrEnded) || errors.Is(err, tokens.ErrRevoked)
}

// report writes the event's line. docs/WEBHOOKS.md specifies it.
func (h *handler) report(ctx context.Context, m events.SQSMessage, e procore.Event, r result) {
	attrs := []slog.Attr{describe(e)}
	if r.outcome != "" {
		attrs = append(attrs, slog.String("outcome", string(r.outcome)))
	} else {
		attempt, _ := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
		attrs = append(attrs, slog.Int("attempt", attempt), slog.String("message_id", m.MessageId))
	}
	if r.err != nil {
		attrs = append(attrs, slog.Any("error", r.err))
	}
	if p, ok := errors.AsType[*panicError](r.err); ok {
		attrs = append(attrs, slog.String("stack", p.stack))
	}
	switch r.outcome {
	case "":
		h.log.LogAttrs(ctx, slog.LevelError, "not handled", attrs...)
	case Forbidden, NotConnected, UnknownResource:
		h.log.LogAttrs(ctx, slog.LevelWarn, "handled", attrs...)
	default:
		h.log.LogAttrs(ctx, slog.LevelInfo, "handled", attrs...)
	}
}

// describe returns the attributes that both lines have.
func describe(e procore.Event) slog.Attr {
	return slog.Group("", slog.String("event_id", logging.Short(e.ID)), slog.Int64("company_id", e.CompanyID),
		slog.String("resource", logging.Short(e.Resource)), slog.String("resource_id", logging.Short(string(e.ResourceID))), slog.String("type", logging.Short(e.Type)))
}
