package tokens

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
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
		DB: w.db, Grants: w.names.Grants, Spends: w.names.Spends, Environment: w.oauth.Environment,
		Keys:  secrettest.Constant(w.keys),
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

// claim claims Joe's grant and stops there, as a process that is then killed or frozen.
func (w *world) claim(s *Store) *refresh {
	w.t.Helper()
	g := w.row(User(joe))
	pair, keys, err := s.open(w.t.Context(), g)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &refresh{Store: s, principal: g.Principal, pair: pair, keys: keys, oauth: w.oauth, end: s.Clock.Now().Add(maxWork)}
	if err := r.takeClaim(w.t.Context(), g); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// refreshed sends the refresh token of a claim.
func (w *world) refreshed(held *refresh) procore.Token {
	w.t.Helper()
	fresh, err := w.oauth.Refresh(w.t.Context(), held.pair.RefreshToken, redirectURI, w.clock.Now().Add(time.Minute))
	if err != nil {
		w.t.Fatal(err)
	}
	return fresh
}

// revokedAtProcore revokes the grant's pair, as a user can in Procore.
func (w *world) revokedAtProcore(p Principal) {
	w.t.Helper()
	pair, _, err := w.store().open(w.t.Context(), w.row(p))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.oauth.Revoke(w.t.Context(), pair); err != nil {
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

// backup copies a grant's row. What it returns puts the copy back.
func (w *world) backup(p Principal) (restore func()) {
	w.t.Helper()
	copied, err := w.db.GetItem(w.t.Context(), &dynamodb.GetItemInput{TableName: &w.names.Grants, Key: w.store().rowKey(string(p))})
	if err != nil {
		w.t.Fatal(err)
	}
	return func() {
		w.t.Helper()
		if _, err := w.db.PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &w.names.Grants, Item: copied.Item}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// spends returns the rows of the ledger.
func (w *world) spends() []map[string]types.AttributeValue {
	w.t.Helper()
	out, err := w.db.Scan(w.t.Context(), &dynamodb.ScanInput{TableName: &w.names.Spends})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Items
}

// atRest fails the test if the breaker has anything on record.
func (w *world) atRest() {
	w.t.Helper()
	if b, err := w.store().Upkeep().Breaker(w.t.Context()); err != nil || !b.AtRest() {
		w.t.Errorf("got breaker %+v, %v; want it at rest", b, err)
	}
}

// remove deletes a grant's row.
func (w *world) remove(p Principal) {
	w.t.Helper()
	if _, err := w.db.DeleteItem(w.t.Context(), &dynamodb.DeleteItemInput{TableName: &w.names.Grants, Key: w.store().rowKey(string(p))}); err != nil {
		w.t.Fatal(err)
	}
}

// item is the write of another item, which is refused if it was made before.
func (w *world) item(name string) types.TransactWriteItem {
	return new(dynamo.Expression).Absent("session").Put(w.names.Sessions, dynamo.Item{"session": dynamo.Text(name)})
}

// get asks for Joe by a transport.
func (w *world) get(rt http.RoundTripper) (*http.Response, error) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.oauth.Environment.APIURL+"/rest/v1.0/me", http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: rt}).Do(req)
	if err == nil {
		resp.Body.Close()
	}
	return resp, err
}

// whileWaiting starts a step of a grant that has to wait for another process. When it
// waits, then is done. It returns what the step returned.
func (w *world) whileWaiting(step func(context.Context) (Grant, error), then func()) (Grant, error) {
	w.t.Helper()
	reads := make(chan struct{}, 1)
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "GetItem" {
			select {
			case reads <- struct{}{}:
			default:
			}
		}
		return dynamotest.Fault{}
	})
	type result struct {
		Grant
		error
	}
	done := make(chan result, 1)
	go func() {
		g, err := step(w.t.Context())
		done <- result{g, err}
	}()
	for range 4 { // it has read the grant again
		select {
		case <-reads:
		case r := <-done:
			w.t.Errorf("the step did not wait: %s, error %v", r.State, r.error)
			done <- r
		}
	}
	w.dynamo.Intercept(nil)
	then()
	r := <-done
	return r.Grant, r.error
}

// failingSecret returns the source of a secret that cannot be read.
func failingSecret[T any](err error) SecretSource[T] {
	return secrettest.Func[T](func(context.Context, bool) (none T, _ error) { return none, err })
}

// revoke ends Joe's grant.
func (w *world) revoke(s *Store) {
	w.t.Helper()
	if _, err := s.Release(w.t.Context(), User(joe), acme); err != nil {
		w.t.Fatal(err)
	}
	if err := s.Revoke(w.t.Context(), User(joe), "a test"); err != nil {
		w.t.Fatal(err)
	}
}

// countLogins counts the connections to the token and the revocation endpoint from now on.
func (w *world) countLogins() *atomic.Int64 {
	var n atomic.Int64
	w.oauth.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		n.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return &n
}

// outdated returns credentials whose secret changed, until they are read again.
func (w *world) outdated() SecretSource[*procore.OAuth] {
	current := *w.oauth
	current.ClientSecret = procore.NewSecret("an old one")
	return secrettest.Func[*procore.OAuth](func(_ context.Context, reread bool) (*procore.OAuth, error) {
		if reread {
			current = *w.oauth
		}
		return new(current), nil
	})
}

// unheld returns the grants without a holder.
func (w *world) unheld(s *Store) (all []Principal) {
	w.t.Helper()
	for shard := range Shards {
		for p, err := range s.Upkeep().Unheld(w.t.Context(), shard) {
			if err != nil {
				w.t.Fatal(err)
			}
			all = append(all, p)
		}
	}
	return all
}

// countReads counts the reads of rows from now on.
func (w *world) countReads() *atomic.Int64 {
	var n atomic.Int64
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "GetItem" {
			n.Add(1)
		}
		return dynamotest.Fault{}
	})
	return &n
}

// many makes n grants, of as many users, whose access tokens have expired.
func (w *world) many(n int) []Principal {
	w.t.Helper()
	s := w.store()
	all := make([]Principal, n)
	var wait sync.WaitGroup
	for i := range all {
		all[i] = User(int64(1000 + i))
		wait.Go(func() {
			a := w.authorization()
			a.Principal = all[i]
			if _, err := s.Authorize(w.t.Context(), a); err != nil {
				w.t.Error(err)
			}
		})
	}
	wait.Wait()
	w.clock.Advance(2 * time.Hour)
	return all
}

// states counts the states of grants.
func (w *world) states(all []Principal) map[State]int {
	w.t.Helper()
	n := map[State]int{}
	for _, p := range all {
		n[w.row(p).State]++
	}
	return n
}
