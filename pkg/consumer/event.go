package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/platform/logging"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// handler passes events to handle.
type handler struct {
	settings
	handle     Handle
	store      *connections.Store
	oauth      keys.Source[*procore.OAuth]
	inbox      *inbox.Store
	departures *departures.Watch
	log        *slog.Logger
	wrote      procore.OwnWrites
}

// batch handles the messages of a batch, and returns those to be redelivered.
func (h *handler) batch(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	limited := map[int64]error{} // companies that have no calls left: each further call would be rejected, and count
	return inOrder(ctx, e, func(ctx context.Context, m events.SQSMessage) bool {
		event, err := procore.ParseEvent([]byte(m.Body))
		ctx = logging.WithEvent(ctx, event.ID)
		if err == nil {
			err = limited[event.CompanyID]
		}
		r := again(err)
		if err == nil {
			r = h.safely(ctx, event)
		}
		if r.outcome == "" && errors.Is(r.err, procore.ErrRateLimited) {
			limited[event.CompanyID] = r.err
		}
		h.report(ctx, m, event, r)
		return r.outcome != ""
	}), nil
}

// safely is event, whose panic fails this event alone.
func (h *handler) safely(ctx context.Context, e procore.Event) (r result) {
	defer func() {
		if v := recover(); v != nil {
			r = again(&panicError{value: v, stack: string(debug.Stack())})
		}
	}()
	return h.event(ctx, e)
}

// event decides what an event needs before handle is called, or instead.
func (h *handler) event(ctx context.Context, e procore.Event) result {
	if err := h.mark(ctx, &e); err != nil {
		return again(err)
	}
	if err := h.departed(ctx, e); err != nil { // a user who was removed by this app has left too
		return again(err)
	}
	switch {
	case !h.own && isOwn(e):
		return result{outcome: Own}
	case !h.stale && h.superseded(ctx, e):
		return result{outcome: Stale}
	}
	return h.serve(ctx, e)
}

// A panicError replaces the panic of a handle. A stack has the addresses of arguments and
// not their content. The value of a panic may contain anything, so only the runtime's is
// part of the text.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string {
	if err, ok := e.value.(runtime.Error); ok {
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic with a %T; the stack has the line", e.value)
}
