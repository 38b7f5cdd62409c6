package repo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// recorded is a database whose changes are read from the streams.
type recorded struct {
	t      *testing.T
	server *dynamotest.Server
	db     *dynamodb.Client
	names  tables.Names
}

func newRecorded(t *testing.T) *recorded {
	t.Helper()
	server := dynamotest.New()
	db := dynamotest.Client(server.Start(t))
	r := &recorded{t: t, server: server, db: db, names: tables.CreateForTest(t, db)}
	r.names.Grants, r.names.Connections = "grants-with-a-stream", "connections-with-a-stream"
	for _, in := range []*dynamodb.CreateTableInput{tables.Grants(r.names.Grants), tables.Connections(r.names.Connections)} {
		// As on AWS; old images are added by records.
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage}
		if _, err := db.CreateTable(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// records returns all changes of a table so far, with the images before and after.
func (r *recorded) records(table string) (all []map[string]any) {
	r.t.Helper()
	now, cancel := context.WithCancel(r.t.Context())
	cancel() // Feed does not wait for a first change
	feed, err := r.server.Feed(now, table, 0)
	if err != nil && !errors.Is(err, context.Canceled) {
		r.t.Fatal(err)
	}
	last := make(map[string]json.RawMessage)
	for _, change := range feed {
		record, err := json.Marshal(map[string]any{"eventName": change.Event, "dynamodb": map[string]any{
			"Keys": change.Keys, "NewImage": change.NewImage, "OldImage": last[string(change.Keys)],
		}})
		if err != nil {
			r.t.Fatal(err)
		}
		last[string(change.Keys)] = change.NewImage
		all = append(all, object(r.t, string(record)))
	}
	return all
}

// The pipe sends each event once, and sends nothing that is quarantined.
func TestEventsPipe(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	box := &inbox.Store{DB: r.db, Table: r.names.Inbox}
	body := []byte(read(t, "events/payloads/webhook-v2.json"))
	event, err := procore.DecodeEvent(body)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := box.Add(t.Context(), event, body); err != nil {
			t.Fatal(err)
		}
		if _, err := box.Quarantine(t.Context(), event.CompanyID, "a reason", []byte("?")); err != nil {
			t.Fatal(err)
		}
	}
	p := pipeOf(t, "EventsPipe")
	var got []string
	for _, record := range r.records(r.names.Inbox) {
		if message, ok := p.message(record); ok {
			got = append(got, message)
		}
	}
	want, err := procore.EncodeEvent(event)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, []string{string(want)}); d != "" {
		t.Errorf("messages (-got +want):\n%s", d)
	}
}

// announced is a user who authorizes, and the companies that the user connects, with the announcements that follow.
type announced struct {
	*recorded
	fake        *procoretest.Server
	tokens      *tokens.Store
	connections *connections.Store
	now         time.Time
	pipes       map[string]*pipe // by the name of the table
	told        map[string]int   // how many of a table's records the pipes have seen
}

const redirectURI = "http://127.0.0.1:3000/oauth/callback"

var joe = tokens.User(procoretest.Joe)

func newAnnounced(t *testing.T) *announced {
	t.Helper()
	r := newRecorded(t)
	a := &announced{recorded: r, fake: procoretest.Start(t), now: time.Now(), told: map[string]int{}, pipes: map[string]*pipe{
		r.names.Grants: pipeOf(t, "GrantAnnouncementsPipe"), r.names.Connections: pipeOf(t, "ConnectionAnnouncementsPipe"),
	}}
	env, err := procore.ParseEnvironment("custom", a.fake.URL, a.fake.URL)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Parse(`{"current":"k1","k1":"fake-seal-key-0123456789-0123456789-0123456789"}`)
	if err != nil {
		t.Fatal(err)
	}
	a.tokens = &tokens.Store{
		DB: r.db, Grants: r.names.Grants, Spends: r.names.Spends, Environment: env, Log: slog.New(slog.DiscardHandler),
		Clock: procore.Clock{Time: func() time.Time { return a.now }},
		Keys:  secrettest.Constant(ring),
		OAuth: secrettest.Constant(&procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret")}),
	}
	a.connections = &connections.Store{DB: r.db, Table: r.names.Connections, Tokens: a.tokens, Log: slog.New(slog.DiscardHandler)}
	return a
}

func (a *announced) authorize() error {
	pair := a.fake.Token(a.t, procoretest.Joe, redirectURI)
	_, err := a.tokens.Authorize(a.t.Context(), tokens.Authorization{Principal: joe, RedirectURI: redirectURI, Pair: procore.Token{
		AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken), Expiry: a.now.Add(time.Hour), IssuedAt: a.now,
	}})
	return err
}

func keyOf(company int64) connections.Key { return connections.Key{CompanyID: company, Principal: joe} }

func (a *announced) connect(company int64) error {
	_, err := a.connections.Connect(a.t.Context(), connections.New{
		Key: keyOf(company), CompanyName: "A Company", UserName: "A User", Webhooks: connections.WebhooksPending,
	})
	return err
}

// on makes a step of a connection as it is stored.
func (a *announced) on(company int64, step func(connections.Connection) error) error {
	c, err := a.connections.Connection(a.t.Context(), keyOf(company))
	if err != nil {
		return err
	}
	return step(c)
}

func (a *announced) webhooks(company int64, w connections.Webhooks) error {
	a.now = a.now.Add(time.Minute)
	return a.on(company, func(c connections.Connection) error {
		_, _, err := a.connections.SetWebhooks(a.t.Context(), c, w, a.now)
		return err
	})
}

func (a *announced) disconnect(company int64) error {
	return a.on(company, func(c connections.Connection) error { return a.connections.Disconnect(a.t.Context(), c) })
}

// refresh is refused if refused is set.
func (a *announced) refresh(refused bool) error {
	a.now = a.now.Add(2 * time.Minute)
	if refused {
		err := a.fake.Fault(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`, Times: 1})
		if err != nil {
			return err
		}
	}
	_, err := a.tokens.Upkeep().Refresh(a.t.Context(), joe, 24*time.Hour)
	if refused && errors.Is(err, tokens.ErrReauthorize) {
		return nil
	}
	return err
}

// messages returns what the pipes send for the changes since the last call.
func (a *announced) messages() (all []map[string]any) {
	a.t.Helper()
	for _, table := range []string{a.names.Grants, a.names.Connections} {
		records := a.records(table)
		for _, record := range records[a.told[table]:] {
			if message, ok := a.pipes[table].message(record); ok {
				all = append(all, object(a.t, message))
			}
		}
		a.told[table] = len(records)
	}
	return all
}

// A connection is announced when it, or the grant that it holds, begins to need attention, and at no other change. The
// announcement lacks the pair.
func TestAnnouncementsPipes(t *testing.T) {
	t.Parallel()
	a := newAnnounced(t)
	const mine, other = procoretest.MyConstruction, procoretest.HarborHill
	connection := func(company int64, state, was, webhooks string) map[string]any {
		return map[string]any{"company": fmt.Sprint("custom#", company), "principal": string(joe), "state": state, "was": was, "webhooks": webhooks}
	}
	grant := func(generation, was string, companies ...any) map[string]any {
		return map[string]any{"grant": "custom#" + string(joe), "companies": companies, "state": "reauthorize", "was": was, "generation": generation}
	}
	for _, step := range []struct {
		what string
		do   func() error
		want map[string]any // nil: nothing is announced
	}{
		{"authorized", a.authorize, nil},
		{"refused while no company needs the grant", func() error { return a.refresh(true) }, nil},
		{"authorized again", a.authorize, nil},
		{"connected", func() error { return a.connect(mine) }, nil},
		{"another company", func() error { return a.connect(other) }, nil},
		{"an admin has to act", func() error { return a.webhooks(mine, connections.WebhooksNeedsAdmin) }, connection(mine, "connected", "connected", "needs_admin")},
		{"still", func() error { return a.webhooks(mine, connections.WebhooksNeedsAdmin) }, nil},
		{"no longer", func() error { return a.webhooks(mine, connections.WebhooksActive) }, nil},
		{"refreshed", func() error { return a.refresh(false) }, nil},
		{"disconnected", func() error { return a.disconnect(mine) }, connection(mine, "disconnected", "connected", "active")},
		{"checked", func() error { return a.webhooks(mine, connections.WebhooksActive) }, nil},
		{"connected again", func() error { return a.connect(mine) }, nil},
		{"refused", func() error { return a.refresh(true) }, grant("3", "active", fmt.Sprint(other), fmt.Sprint(mine))},
		{"disconnected while its grant is refused", func() error { return a.disconnect(other) }, connection(other, "disconnected", "connected", "pending")},
		{"ended while its grant is refused", func() error { return a.connections.End(t.Context(), keyOf(other), "on purpose") }, nil},
		{"authorized a third time", a.authorize, nil},
		{"the last one ended", func() error { return a.connections.End(t.Context(), keyOf(mine), "on purpose") }, nil},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		var want []map[string]any
		if step.want != nil {
			want = append(want, step.want)
		}
		if d := cmp.Diff(a.messages(), want); d != "" {
			t.Errorf("%s: messages (-got +want):\n%s", step.what, d)
		}
	}
}
