package connections_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// example stands in for a test, so that the fakes run in an example.
type example struct{ ends []func() }

func (e *example) Helper()                           {}
func (e *example) Context() context.Context          { return context.Background() }
func (e *example) Cleanup(f func())                  { e.ends = append(e.ends, f) }
func (e *example) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
func (e *example) Logf(format string, args ...any)   { log.Printf(format, args...) }

func (e *example) end() {
	for i := range e.ends {
		e.ends[len(e.ends)-1-i]()
	}
}

// newStore returns a store with a DynamoDB and a Procore. In that, Joe has authorized the
// app, and no company is connected yet. A deployed function has its store from the
// environment.
func newStore() (store *connections.Store, stop func()) {
	e := new(example)
	fake := procoretest.Start(e)
	db := dynamotest.Start(e)
	names := tables.CreateForTest(e, db)
	env := procore.Environment{Name: "custom", LoginURL: fake.URL, APIURL: fake.URL}
	ring, err := keys.Parse(`{"current":"k1","k1":"fake-seal-key-0123456789-0123456789-0123456789"}`)
	if err != nil {
		log.Fatal(err)
	}
	store = &connections.Store{DB: db, Table: names.Connections, Log: slog.New(slog.DiscardHandler), Tokens: &tokens.Store{
		DB: db, Grants: names.Grants, Spends: names.Spends, Environment: env, Keys: secrettest.Constant(ring), Log: slog.New(slog.DiscardHandler),
		OAuth: secrettest.Constant(&procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret")}),
	}}
	const redirectURI = "http://localhost/oauth/callback"
	pair := fake.Token(e, procoretest.Joe, redirectURI)
	_, err = store.Tokens.Authorize(context.Background(), tokens.Authorization{Principal: joe, RedirectURI: redirectURI, Pair: procore.Token{
		AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
		IssuedAt: time.Unix(pair.CreatedAt, 0), Expiry: time.Now().Add(time.Duration(pair.ExpiresIn) * time.Second),
	}})
	if err != nil {
		log.Fatal(err)
	}
	return store, e.end
}

var joe = tokens.User(procoretest.Joe)

// newConnectedStore is newStore in which Joe has connected a company.
func newConnectedStore() (store *connections.Store, stop func()) {
	store, stop = newStore()
	if _, err := store.Connect(context.Background(), connections.New{Key: connections.Key{CompanyID: procoretest.MyConstruction, Principal: joe}}); err != nil {
		log.Fatal(err)
	}
	return store, stop
}

// A client for a company reads its projects, as the user who connected the company.
func Example() {
	store, stop := newConnectedStore()
	defer stop()
	ctx := context.Background()

	c, err := store.ForCompany(ctx, procoretest.MyConstruction)
	if err != nil {
		fmt.Println(err)
		return
	}
	for project, err := range store.Client(c.Key).Projects(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(project.ID, project.Name)
	}
	// Output:
	// 2001 Riverside School
	// 2002 Station Square, Lot 4
}

// Each error of a call that a person has to act on matches a sentinel.
func ExampleStore_ForCompany() {
	store, stop := newConnectedStore()
	defer stop()

	_, err := store.ForCompany(context.Background(), procoretest.HarborHill)
	switch {
	case err == nil:
		fmt.Println("call Procore")
	case errors.Is(err, tokens.ErrTryAgain):
		fmt.Println("try again later")
	case errors.Is(err, connections.ErrPaused):
		fmt.Println("is the app installed?")
	default: // ErrNotFound, ErrDisconnected, ErrEnded, tokens.ErrReauthorize, tokens.ErrRevoked
		fmt.Println("a user has to connect the company:", err)
	}
	// Output:
	// a user has to connect the company: connections: company 4294967311: not connected yet; a user has to connect the company, or its administrator to install the app
}

// A user connects two companies by one grant, and ends both. The last one to end revokes
// the grant.
func ExampleStore_Connect() {
	store, stop := newStore()
	defer stop()
	ctx := context.Background()

	mine := connections.Key{CompanyID: procoretest.MyConstruction, Principal: joe}
	harbor := connections.Key{CompanyID: procoretest.HarborHill, Principal: joe}
	for _, k := range []connections.Key{mine, harbor} {
		c, err := store.Connect(ctx, connections.New{Key: k, UserName: "Joe Builder", Webhooks: connections.WebhooksOff})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(c.Key, "is", c.State)
	}
	for _, k := range []connections.Key{mine, harbor} {
		if err := store.End(ctx, k, "the user asked for it"); err != nil {
			fmt.Println(err)
			return
		}
		grant, err := store.Tokens.Grant(ctx, joe)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(k, "has ended, and the grant is", grant.State)
	}
	// Output:
	// company 5678, user#1234567 is connected
	// company 4294967311, user#1234567 is connected
	// company 5678, user#1234567 has ended, and the grant is active
	// company 4294967311, user#1234567 has ended, and the grant is revoked
}
