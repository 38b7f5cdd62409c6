package announce

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"golang.org/x/sync/errgroup"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// state is what became of a tenant's connection. docs/HOST-APPLICATION.md describes the
// announcement.
type state string

const (
	connected    state = "connected"    // it has this reference, was made again, or works again
	needsUser    state = "needs_user"   // its user has to authorize again
	disconnected state = "disconnected" // an admin disconnected the app
	ended        state = "ended"        // or the connection has another reference
)

// tenant is an announcement to the host application.
type tenant struct {
	Reference string    `json:"reference"`
	State     state     `json:"state"`
	CompanyID int64     `json:"company_id"`
	Principal string    `json:"principal"`
	At        time.Time `json:"at,omitzero"` // of the change, to the second
	Rev       int64     `json:"rev"`         // of the connection, for two in one second
}

// tell announces a change to the host application, if the connection has a reference.
func (a *Announcer) tell(ctx context.Context, r Record) error {
	if r.Change.image().Grant.S != "" {
		return a.tellHolders(ctx, r)
	}
	for _, t := range r.tenants() {
		if err := a.publishTenant(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// tenants returns what a change of a connection announces. A connection that is restored
// or erased is announced too.
func (r Record) tenants() (all []tenant) {
	now, was := r.Change.NewImage, r.Change.OldImage
	if was.reference() != "" && was.reference() != now.reference() {
		all = append(all, r.tenant(was.reference(), ended))
	}
	begins := was.reference() != now.reference() || was.State != now.State || was.ConnectedAt != now.ConnectedAt
	switch s := connections.State(now.State.S); {
	case now.reference() == "" || !begins:
	case s == connections.Connected:
		all = append(all, r.tenant(now.reference(), connected))
	case s == connections.Disconnected:
		all = append(all, r.tenant(now.reference(), disconnected))
	}
	return all
}

// reference returns the tenant that the connection serves. One that has ended serves none.
func (i image) reference() string {
	if i.State.S == string(connections.Ended) || connections.CheckReference(i.Reference.S) != nil {
		return ""
	}
	return i.Reference.S
}

func (r Record) tenant(reference string, s state) tenant {
	i := r.Change.image()
	_, company, _ := strings.Cut(i.Company.S, "#")
	id, _ := strconv.ParseInt(company, 10, 64) // only connections have references, and their ids are numbers
	rev, _ := strconv.ParseInt(i.Rev.N, 10, 64)
	return tenant{Reference: reference, State: s, CompanyID: id, Principal: i.Principal.S, At: r.at(), Rev: rev}
}

func (r Record) at() time.Time {
	if r.Change.At.IsZero() {
		return time.Time{}
	}
	return r.Change.At.UTC()
}

// atOnce is how many holders of a grant are announced at once.
const atOnce = 8

// tellHolders announces that a grant serves its holders no longer, or again. Their
// references are in their own rows.
func (a *Announcer) tellHolders(ctx context.Context, r Record) error {
	now, was := r.Change.NewImage, r.Change.OldImage
	var s state
	switch dead := string(tokens.Reauthorize); {
	case r.Name != "MODIFY":
		return nil
	case now.State.S == dead && was.State.S != dead:
		s = needsUser
	case now.State.S == string(tokens.Active) && was.State.S == dead:
		s = connected
	default:
		return nil
	}
	environment, principal, _ := strings.Cut(now.Grant.S, "#")
	store := &connections.Store{DB: a.DB, Table: a.Connections, Log: a.Log, Tokens: &tokens.Store{Environment: procore.Environment{Name: environment}}}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, holder := range now.Holders.SS {
		g.Go(func() error {
			c, err := a.holder(ctx, store, tokens.Principal(principal), holder)
			if err != nil || connections.CheckReference(c.Reference) != nil || c.State != connections.Connected {
				return err
			}
			return a.publishTenant(ctx, tenant{
				Reference: c.Reference, State: s, CompanyID: c.CompanyID, Principal: principal, At: r.at(), Rev: c.Rev,
			})
		})
	}
	return g.Wait()
}

// holder reads the connection of a holder. A row that cannot be understood would keep all
// announcements back, and so it is reported and has no reference.
func (a *Announcer) holder(ctx context.Context, store *connections.Store, p tokens.Principal, holder string) (connections.Connection, error) {
	var none connections.Connection
	id, _ := strconv.ParseInt(holder, 10, 64) // what is no number is no company either
	c, err := store.Connection(ctx, connections.Key{CompanyID: id, Principal: p})
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, tokens.ErrTryAgain):
		return none, err
	case !errors.Is(err, connections.ErrNotFound):
		a.Log.ErrorContext(ctx, "connection not read, its tenant is not told", slog.Any("error", err))
	}
	return none, nil
}

// publishTenant publishes for the host application, which subscribes by the attributes.
//
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
func (a *Announcer) publishTenant(ctx context.Context, t tenant) error {
	text := func(s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &s}
	}
	err := a.publish(ctx, t, &sns.PublishInput{MessageAttributes: map[string]types.MessageAttributeValue{
		"reference": text(t.Reference), "state": text(string(t.State)),
	}})
	if err == nil {
		a.Log.InfoContext(ctx, "announced", slog.String("reference", t.Reference), slog.String("state", string(t.State)),
			slog.Int64("company_id", t.CompanyID), slog.String("principal", t.Principal))
	}
	return err
}
