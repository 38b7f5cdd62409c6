package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"procore-connect/internal/upkeep/departures"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// companyUsers is the resource of the people in a company's directory.
const companyUsers = "Company Users"

// departed ends the connection of a user who left the company. Procore requires that the
// tokens are revoked, which happens with the user's last connection. Without it, the
// schedule notices a day later.
func (h *handler) departed(ctx context.Context, e procore.Event) error {
	user, ok := e.ResourceID.Int64()
	if e.Resource != companyUsers || !ok {
		return nil
	}
	c, err := h.store.Connection(ctx, connections.Key{CompanyID: e.CompanyID, Principal: tokens.User(user)})
	if errors.Is(err, connections.ErrNotFound) || err == nil && c.State == connections.Ended {
		return nil // not one of our users
	}
	if err != nil {
		return err
	}
	left, err := h.left(ctx, e, c)
	if err != nil || !left {
		return err
	}
	err = h.departures.End(ctx, c.Key)
	if errors.Is(err, departures.ErrWithheld) {
		return nil // the schedule ends it after an operator's acknowledgement
	}
	return err
}

// left reports whether the event's user left the company. A deletion proves it, unless
// it is older than the connection: then the user may be back. Otherwise the
// directory decides, if it can be read, or else Procore is asked as that user.
func (h *handler) left(ctx context.Context, e procore.Event, c connections.Connection) (bool, error) {
	if e.Type == deleted && e.ReplayedAt.IsZero() && e.Timestamp.After(c.ConnectedAt) {
		return true, nil
	}
	active, err := h.active(ctx, e)
	if err != nil || active != nil {
		return err == nil && !*active, err
	}
	left, err := h.departures.Left(ctx, c.Principal, c)
	if gone(err) {
		h.log.InfoContext(ctx, "departure check skipped, no usable token", describe(e), slog.Any("error", err))
		return false, nil
	}
	return len(left) > 0, err
}

// active returns what the company's directory has about the event's user, or nil if it
// cannot be read, or has nothing.
func (h *handler) active(ctx context.Context, e procore.Event) (*bool, error) {
	if e.Type == deleted {
		return nil, nil
	}
	c, err := h.store.ForCompany(ctx, e.CompanyID)
	var text json.RawMessage
	if err == nil {
		text, err = h.store.Client(c.Key).Read(ctx, e)
	}
	switch {
	case errors.Is(err, procore.ErrNotConnected): // the client has recorded it; the next attempt takes the case below
		return nil, err
	case disconnected(err), errors.Is(err, procore.ErrNotFound), errors.Is(err, procore.ErrForbidden):
		return nil, nil
	case err != nil:
		return nil, err
	}
	var user struct {
		IsActive *bool `json:"is_active"`
	}
	_, _ = procore.Unmarshal(text, &user) // what is not a user has no is_active
	return user.IsActive, nil
}

// gone reports whether the user's grant has no token until the user is back.
func gone(err error) bool {
	return errors.Is(err, tokens.ErrReauthorize) || errors.Is(err, tokens.ErrNotFound) || disconnected(err)
}
