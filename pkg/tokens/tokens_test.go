package tokens

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/clocktest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	redirectURI = "http://127.0.0.1:3000/oauth/callback"
	joe         = 1234567
	acme        = "5678" // a holder
)

// world has a fake Procore, a DynamoDB and a clock, and makes stores for them.
type world struct {
	t       *testing.T
	clock   *clocktest.Clock
	procore *procoretest.Server
	db      *dynamodb.Client
	dynamo  *dynamotest.Server // nil if the test runs against another one
	names   tables.Names
	ring    *keys.Ring
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
	w.ring = newRing("k1", "k1")
	return w
}

// newRing returns a ring of keys, each made of its id.
func newRing(current string, ids ...string) *keys.Ring {
	r, err := keys.Parse(ringSecret(current, ids...))
	if err != nil {
		panic(err)
	}
	return r
}

func ringSecret(current string, ids ...string) string {
	secret := `{"current":"` + current + `"`
	for _, id := range ids {
		secret += `,"` + id + `":"` + strings.Repeat(id, 20) + `"`
	}
	return secret + "}"
}

// forged returns a ring with the id k1, and another key under it.
func forged() *keys.Ring {
	r, err := keys.Parse(`{"current":"k1","k1":"` + strings.Repeat("forged", 10) + `"}`)
	if err != nil {
		panic(err)
	}
	return r
}

// store returns the store of another process.
func (w *world) store() *Store {
	return &Store{
		DB: w.db, Grants: w.names.Grants, Spends: w.names.Spends, Environment: w.oauth.Environment,
		Keys:  secrettest.Constant(w.ring),
		OAuth: secrettest.Constant(w.oauth),
		Clock: w.clock.Seam(),
		Log:   logtest.New(w.t),
	}
}

// authorizeOnly stores an authorization of Joe, without a holder.
func (w *world) authorizeOnly(s *Store) Grant {
	w.t.Helper()
	g, err := s.Authorize(w.t.Context(), w.authorization())
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// authorize stores an authorization of Joe, for a holder.
func (w *world) authorize(s *Store) Grant {
	w.t.Helper()
	w.authorizeOnly(s)
	g, err := s.Hold(w.t.Context(), User(joe), acme)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// authorization returns a new pair of Joe.
func (w *world) authorization() Authorization {
	w.t.Helper()
	pair := w.procore.Token(w.t, joe, redirectURI)
	return Authorization{Principal: User(joe), RedirectURI: redirectURI, Pair: procore.Token{
		AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
		IssuedAt: time.Unix(pair.CreatedAt, 0), Expiry: w.clock.Now().Add(time.Duration(pair.ExpiresIn) * time.Second),
	}}
}

// row reads a grant.
func (w *world) row(p Principal) Grant {
	w.t.Helper()
	g, err := w.store().Grant(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
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

// works returns an error if Procore does not accept the token.
func (w *world) works(a Access) error {
	_, err := procore.NewUserClient(w.oauth.Environment, w.oauth.Environment.Bearer(a.Bearer(), nil), procore.WithAttempts(1)).Me(w.t.Context())
	return err
}

// modes are what Procore may do with a user's earlier pair at a second authorization.
var modes = []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Kill, procoretest.Return}

// inModes runs a test in each mode.
func inModes(t *testing.T, test func(*world)) {
	t.Helper()
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.options(procoretest.OptionsPatch{SecondAuthorization: &mode})
			test(w)
		})
	}
}

// options changes options of the fake Procore.
func (w *world) options(p procoretest.OptionsPatch) {
	w.t.Helper()
	if err := w.procore.UpdateOptions(p); err != nil {
		w.t.Fatal(err)
	}
}

// fault makes an endpoint of the fake Procore fail.
func (w *world) fault(endpoint string, f procoretest.Fault) {
	w.t.Helper()
	f.Endpoint = endpoint
	if err := w.procore.Fault(f); err != nil {
		w.t.Fatal(err)
	}
}

// live returns how many refresh tokens of Joe Procore would accept.
func (w *world) live() (n int) {
	w.t.Helper()
	for _, r := range w.procore.State().RefreshTokens {
		if r.UserID == joe && r.State == procoretest.Live {
			n++
		}
	}
	return n
}
