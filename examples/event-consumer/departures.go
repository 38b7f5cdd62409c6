package main

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
func (h *handler) departed(ctx context.Context, event procore.Event, f found) error {
	user, ok := event.ResourceID.Int64()
	if event.Resource != companyUsers || !ok {
		return nil
	}
	c, err := h.store.Connection(ctx, connections.Key{CompanyID: event.CompanyID, Principal: tokens.User(user)})
	if errors.Is(err, connections.ErrNotFound) || err == nil && c.State == connections.Ended {
		return nil // not one of our users
	}
	if err != nil {
		return err
	}
	left, err := h.left(ctx, event, f, c)
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
func (h *handler) left(ctx context.Context, event procore.Event, f found, c connections.Connection) (bool, error) {
	if event.Type == "delete" && event.ReplayedAt.IsZero() && event.Timestamp.After(c.ConnectedAt) {
		return true, nil
	}
	var user struct {
		IsActive *bool `json:"is_active"`
	}
	if err := json.Unmarshal(f.resource, &user); err == nil && user.IsActive != nil {
		return !*user.IsActive, nil
	}
	left, err := h.departures.Left(ctx, c.Principal, c)
	if gone(err) {
		h.log.InfoContext(ctx, "departure check skipped, no usable token", describe(event), slog.Any("error", err))
		return false, nil
	}
	return len(left) > 0, err
}

// gone reports whether the user's grant has no token until the user is back.
func gone(err error) bool {
	return errors.Is(err, tokens.ErrReauthorize) || errors.Is(err, tokens.ErrNotFound) || disconnected(err)
}
