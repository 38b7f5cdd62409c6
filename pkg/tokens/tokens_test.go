package tokens

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/clocktest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	redirectURI = "http://127.0.0.1:3000/oauth/callback"
	joe         = 1234567
)

// world has a fake Procore, a DynamoDB and a clock, and makes stores for them.
type world struct {
	t       *testing.T
	clock   *clocktest.Clock
	procore *procoretest.Server
	db      *dynamodb.Client
	dynamo  *dynamotest.Server // nil if the test runs against another one
	names   tables.Names
	keys    *Keys
	oauth   *procore.OAuth
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clocktest.New(), dynamo: dynamotest.New()}
	w.procore = procoretest.Start(t, procoretest.Options{Now: w.clock.Now})
	w.db = dynamotest.Client(w.dynamo.Start(t))
	w.names = tables.CreateForTest(t, w.db)
	env, err := procore.ParseEnvironment("custom", w.procore.URL, w.procore.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.oauth = &procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret"), Clock: w.clock.Seam()}
	w.keys = ring(t, "k1", "k1")
	return w
}

// ring returns keys of random material.
func ring(t *testing.T, current string, ids ...string) *Keys {
	t.Helper()
	k := &Keys{current: current, material: map[string]procore.Secret{}}
	for _, id := range ids {
		k.material[id] = procore.NewSecret(rand.Text() + rand.Text())
	}
	return k
}

// store returns the store of another process.
func (w *world) store() *Store {
	return &Store{
		DB: w.db, Connections: w.names.Connections, Spends: w.names.Spends,
		Keys:  secrettest.Constant(w.keys),
		OAuth: secrettest.Constant(w.oauth),
		Clock: w.clock.Seam(),
		Log:   logtest.New(w.t),
	}
}

// company returns a company that Joe belongs to.
func (w *world) company() int64 {
	w.t.Helper()
	for _, c := range w.procore.State().Companies {
		if c.UserInstalls {
			return c.ID
		}
	}
	w.t.Fatal("the fake has no company")
	return 0
}

// connect connects Joe's company, as a user would.
func (w *world) connect(s *Store) Connection {
	w.t.Helper()
	c, _, err := s.Connect(w.t.Context(), w.authorization())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) authorization() Authorization {
	pair := w.procore.Token(w.t, joe, redirectURI)
	return Authorization{
		Key: Key{w.company(), User(joe)}, Environment: w.oauth.Environment.Name,
		Pair: procore.Token{AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
			Expiry: w.clock.Now().Add(time.Duration(pair.ExpiresIn) * time.Second)},
		RedirectURI: redirectURI, CompanyName: "A Company", UserName: "Joe", Webhooks: WebhooksOff,
	}
}

// row reads a connection.
func (w *world) row(key Key) Connection {
	w.t.Helper()
	c, err := w.store().Connection(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// presented returns how often refresh tokens were presented in all. It fails the test
// if one was presented twice: R1.
func (w *world) presented() int {
	w.t.Helper()
	n := 0
	for _, r := range w.procore.State().RefreshTokens {
		if r.Presented > 1 {
			w.t.Errorf("refresh token %s was presented %d times", r.Fingerprint, r.Presented)
		}
		n += r.Presented
	}
	return n
}

// works reports whether Procore accepts the token.
func (w *world) works(a Access) error {
	key := Key{w.company(), User(joe)}
	client := procore.NewCompanyClient(w.oauth.Environment, w.oauth.Environment.Bearer(a.Bearer(), nil), key.CompanyID, procore.WithAttempts(1))
	_, err := client.Me(w.t.Context())
	return err
}
