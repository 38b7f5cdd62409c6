package tokens_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const redirectURI = "http://localhost/callback"

// start returns a store on fake servers, and a pair that Joe just granted.
func start() (store *tokens.Store, joe tokens.Authorization, stop func()) {
	fake, db := procoretest.New(procoretest.Options{}), dynamotest.New()
	login, storage := httptest.NewServer(fake), httptest.NewServer(db)
	client := dynamotest.Client(storage.URL)
	if err := tables.Create(context.Background(), client, tables.Names{Grants: "grants", Connections: "connections", Spends: "spends", Sessions: "sessions", Inbox: "inbox"}); err != nil {
		log.Fatal(err)
	}
	ring, err := keys.Parse(`{"current": "k1", "k1": "a random text of 64 characters, as Secrets Manager generates it."}`)
	if err != nil {
		log.Fatal(err)
	}
	env := procore.Environment{Name: "custom", LoginURL: login.URL, APIURL: login.URL}
	app := &procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret")}
	store = &tokens.Store{
		DB: client, Grants: "grants", Spends: "spends", Environment: env,
		Keys: secrettest.Constant(ring), OAuth: secrettest.Constant(app), Log: slog.New(slog.DiscardHandler),
	}
	pair := fake.Token(fatal{}, procoretest.Joe, redirectURI)
	joe = tokens.Authorization{Principal: tokens.User(procoretest.Joe), RedirectURI: redirectURI, Pair: procore.Token{
		AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
		Expiry: time.Now().Add(time.Duration(pair.ExpiresIn) * time.Second), IssuedAt: time.Unix(pair.CreatedAt, 0),
	}}
	return store, joe, func() {
		login.Close()
		storage.Close()
		fake.Close()
	}
}

// fatal ends an example that cannot go on.
type fatal struct{}

func (fatal) Helper()                           {}
func (fatal) Cleanup(func())                    {}
func (fatal) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }

// An API client asks the store for the user's token at each request.
func Example() {
	store, joe, stop := start()
	defer stop()
	ctx := context.Background()
	if _, err := store.Authorize(ctx, joe); err != nil {
		fmt.Println(err)
		return
	}
	user := tokens.User(1234567)
	hc := &http.Client{Transport: store.Transport(user)}
	client := procore.NewCompanyClient(store.Environment, hc, 5678, store.Options(string(user))...)
	for project, err := range client.Projects(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(project.Name)
	}
	// Output:
	// Riverside School
	// Station Square, Lot 4
}

// A caller branches on what it can do about an error.
func ExampleStore_Token() {
	store, _, stop := start()
	defer stop()
	access, err := store.Token(context.Background(), tokens.User(42))
	switch {
	case err == nil:
		fmt.Println("a token until", access.Expiry)
	case errors.Is(err, tokens.ErrNotFound), errors.Is(err, tokens.ErrReauthorize), errors.Is(err, tokens.ErrRevoked):
		fmt.Println("send the user to /oauth/start:", err)
	default: // tokens.ErrTryAgain, tokens.ErrRejected
		fmt.Println("later:", err)
	}
	// Output: send the user to /oauth/start: tokens: user#42: not authorized yet
}

// The grant of a user who connected two companies has two holders. It is revoked when the
// last one no longer needs it.
func ExampleStore_Hold() {
	store, joe, stop := start()
	defer stop()
	ctx := context.Background()
	grant, err := store.Authorize(ctx, joe)
	for _, company := range []string{"5678", "4294967311"} {
		if err == nil {
			grant, err = store.Hold(ctx, joe.Principal, company)
		}
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(grant.State, grant.Holders)

	for _, company := range grant.Holders {
		if _, err := store.Release(ctx, joe.Principal, company); err != nil {
			fmt.Println(err)
		}
		fmt.Println(store.Revoke(ctx, joe.Principal, "its company was disconnected"))
	}
	_, err = store.Token(ctx, joe.Principal)
	fmt.Println(errors.Is(err, tokens.ErrRevoked))
	// Output:
	// active [4294967311 5678]
	// tokens: user#1234567: the authorization is in use
	// <nil>
	// true
}
