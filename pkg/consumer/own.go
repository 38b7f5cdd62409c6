package consumer

import (
	"context"
	"errors"

	"procore-connect/pkg/procore"
)

// mark marks a change that this app made: by the app that the event names, or in payload
// v4.0, which names none, by the user as whom the service account acts.
func (h *handler) mark(ctx context.Context, e *procore.Event) error {
	oauth, err := h.oauth.Get(ctx)
	if err != nil {
		return err
	}
	e.MarkSelf(oauth.ClientID)
	if e.SelfOriginated == nil && e.UserID != 0 {
		user, err := h.store.ServiceAccountUser(ctx, e.CompanyID)
		if err != nil {
			return err
		}
		e.MarkServiceAccount(user)
	}
	return nil
}

func isOwn(e procore.Event) bool { return e.SelfOriginated != nil && *e.SelfOriginated }

// asWeLeftIt reports whether the resource is in the state in which this process left it. It
// is for events whose origin is unknown, as that of reconciled ones always is. The read is
// needed only if this process wrote the resource.
func (h *handler) asWeLeftIt(ctx context.Context, e procore.Event, c *procore.CompanyClient) (bool, error) {
	if e.SelfOriginated != nil || e.Type == deleted || !h.wrote.Knows(e.CompanyID, e.ResourceID) {
		return false, nil
	}
	resource, err := c.Read(ctx, e)
	switch _, unknown := errors.AsType[*procore.UnknownResourceError](err); {
	case unknown, errors.Is(err, procore.ErrNotFound), errors.Is(err, procore.ErrForbidden) && !errors.Is(err, procore.ErrNotConnected):
		return false, nil // handle meets the same, and decides
	case err != nil:
		return false, err
	}
	return h.wrote.Made(e.CompanyID, resource), nil
}
