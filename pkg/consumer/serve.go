package consumer

import (
	"cmp"
	"context"
	"errors"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// deleted is the type of an event whose resource need not be read.
const deleted = "delete"

// serve calls handle with the client of the connection that serves the company's work, and
// of the next one if that turns out to be unusable.
func (h *handler) serve(ctx context.Context, e procore.Event) result {
	var r result
	for tried := map[connections.Key]bool{}; ; {
		k, err := h.connection(ctx, e)
		if err != nil {
			return h.judge(err)
		}
		if tried[k] {
			return r
		}
		tried[k] = true
		r, err = h.with(ctx, e, k)
		if !unusable(err) {
			return r
		}
	}
}

// with calls handle with the client of a connection. It also returns handle's own error.
func (h *handler) with(ctx context.Context, e procore.Event, k connections.Key) (result, error) {
	c := h.store.Client(k, procore.WithOwnWrites(&h.wrote))
	own, err := h.asWeLeftIt(ctx, e, c)
	if own {
		if !h.own {
			return result{outcome: Own}, nil
		}
		e.SelfOriginated = new(true)
	}
	if err == nil {
		err = h.handle(ctx, e, c)
	}
	return h.judge(err), err
}

// connection returns the connection that serves the company's work. A deletion needs no
// call, so it has one that is not usable rather than none.
func (h *handler) connection(ctx context.Context, e procore.Event) (connections.Key, error) {
	c, err := h.store.ForCompany(ctx, e.CompanyID)
	if failed, ok := errors.AsType[*connections.Error](err); ok && e.Type == deleted {
		return connections.Key{CompanyID: e.CompanyID, Principal: cmp.Or(failed.Key.Principal, tokens.App)}, nil
	}
	return c.Key, err
}

// unusable reports whether another connection of the company may have a better answer. The
// client has recorded the trouble, so that the next choice is another one.
func unusable(err error) bool {
	_, ours := errors.AsType[*connections.Error](err)
	return ours || errors.Is(err, procore.ErrNotConnected) || errors.Is(err, procore.ErrUnauthorized)
}
