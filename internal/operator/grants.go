package operator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/upkeep/departures"
	"procore-connect/pkg/tokens"
)

// Always is a time within which every access token expires: a refresh of it is sent now.
const Always = 366 * 24 * time.Hour

// Principal reads the name of a grant as a person types it: user#1234567, 1234567, app, or a grant of this stack's
// environment as the announcements name it, such as production#user#1234567.
func (o *Operator) Principal(typed string) (tokens.Principal, error) {
	name := strings.ToLower(strings.TrimSpace(typed))
	own := o.Connections.Tokens.Environment.Name + "#"
	name = strings.TrimPrefix(strings.TrimPrefix(name, own), "user#")
	if name == string(tokens.App) || name == ServiceAccount {
		return tokens.App, nil
	}
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil || id <= 0 {
		return "", fmt.Errorf("%.60q is not a grant of this stack: want a user's id such as 1234567, user#1234567, or app", typed)
	}
	return tokens.User(id), nil
}

// Refresh is what a refresh of a grant would do, or did.
type Refresh struct {
	Principal  string    `json:"principal"`
	State      string    `json:"state"`
	Generation int64     `json:"generation"`
	Expires    time.Time `json:"token_expires,omitzero"`
	Send       bool      `json:"send"` // the refresh token would be sent
	Reason     string    `json:"reason"`
	Usable     bool      `json:"-"` // the grant needs no person
}

// PlanRefresh returns what [Operator.Refresh] would do now. A token that expires within the given time is refreshed.
func (o *Operator) PlanRefresh(ctx context.Context, p tokens.Principal, within time.Duration) (Refresh, error) {
	plan, err := o.Connections.Tokens.Upkeep().Plan(ctx, p, within)
	if errors.Is(err, tokens.ErrNotFound) {
		return Refresh{}, fmt.Errorf("%w. The user opens %s", err, o.Link())
	}
	g := plan.Grant
	return Refresh{string(p), string(g.State), g.Generation, g.Expiry, plan.Send, plan.Reason, g.Usable()}, err
}

// Refresh refreshes a grant, as the schedule does.
func (o *Operator) Refresh(ctx context.Context, p tokens.Principal, within time.Duration) (Refresh, error) {
	a, err := o.Connections.Tokens.Upkeep().Refresh(ctx, p, within)
	if err != nil {
		return Refresh{}, err
	}
	return Refresh{string(p), string(tokens.Active), a.Generation, a.Expiry, false, "refreshed", true}, nil
}

// Probe asks Procore's token endpoint whether it and the app's credentials work, and opens or closes the breaker. It
// returns the breaker, also beside the error of the probe.
func (o *Operator) Probe(ctx context.Context) (Breaker, error) {
	probed := o.Connections.Tokens.Upkeep().Probe(ctx)
	b, err := o.Breaker(ctx)
	return b, errors.Join(probed, err)
}

// Usable counts the users' grants that [Operator.Restored] would end. The error is about rows that could not be read.
func (o *Operator) Usable(ctx context.Context) (int, error) {
	grants, unread := all(ctx, o.Connections.Tokens.Upkeep().All(ctx))
	n := 0
	for _, g := range grants {
		if g.Usable() {
			n++
		}
	}
	return n, unread
}

// Restored ends all users' grants, see [tokens.Upkeep.Restored].
func (o *Operator) Restored(ctx context.Context, by string) (ended int, err error) {
	return o.Connections.Tokens.Upkeep().Restored(ctx, By("marked", by))
}

// Brake is what is known of the endings of departed users' connections.
type Brake struct {
	Engaged   bool      `json:"engaged"`
	EngagedAt time.Time `json:"engaged_at,omitzero"`
	Endings   int       `json:"endings"`  // within a day, at most
	Withheld  int64     `json:"withheld"` // checks since it was engaged that found a departed user
}

// Brake reads the brake on departures.
func (o *Operator) Brake(ctx context.Context) (Brake, error) {
	return brake(o.Departures.Brake(ctx))
}

// Acknowledge releases the brake on departures, and returns it as it was.
func (o *Operator) Acknowledge(ctx context.Context) (Brake, error) {
	return brake(o.Departures.Acknowledge(ctx))
}

func brake(b departures.Brake, err error) (Brake, error) {
	return Brake{b.Engaged(), b.EngagedAt, b.Endings(), b.Withheld}, err
}
