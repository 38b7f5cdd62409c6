package connections

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/invariants"
	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/clocktest"
	"procore-connect/internal/testing/kit/invarianttest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const redirectURI = "http://127.0.0.1:3000/oauth/callback"

// The companies of the tests. All users belong to them.
const (
	acme int64 = 501 + iota
	brick
	crane
	dune
	elm
)

var (
	joe = tokens.User(procoretest.Joe)
	ann = tokens.User(procoretest.Ann)
	guy = tokens.User(procoretest.Max)
)

// world has a fake Procore, a DynamoDB and a clock, and makes stores for them.
type world struct {
	t       *testing.T
	clock   *clocktest.Clock
	procore *procoretest.Server
	db      *dynamodb.Client
	dynamo  *dynamotest.Server
	names   tables.Names
	keys    *keys.Ring
	oauth   *procore.OAuth

	tampered bool // a test wrote rows itself

	mu    sync.Mutex
	fault func(operation, body string) dynamotest.Fault
	seen  []string // operations and tables
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clocktest.New(), dynamo: dynamotest.New()}
	w.clock.Advance(123456789) // no time is whole
	w.procore = procoretest.Start(t, procoretest.Options{Now: w.clock.Now})
	for id := acme; id <= elm; id++ {
		c := procoretest.NewCompany(id, fmt.Sprintf("Company %d", id), procoretest.Joe, procoretest.Ann, procoretest.Max)
		c.Installed, c.ServiceAccount = true, true
		if err := w.procore.AddCompany(c); err != nil {
			t.Fatal(err)
		}
	}
	w.db = dynamotest.Client(w.dynamo.Start(t))
	w.names = tables.CreateForTest(t, w.db)
	w.dynamo.Intercept(w.intercept)
	t.Cleanup(func() {
		w.dynamo.Intercept(nil)
		if !w.tampered {
			w.wantConsistent()
		}
	})
	env, err := procore.ParseEnvironment("custom", w.procore.URL, w.procore.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.oauth = &procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret"), Clock: w.clock.Seam()}
	if w.keys, err = keys.Parse(`{"current":"k1","k1":"fake-seal-key-0123456789-0123456789-0123456789"}`); err != nil {
		t.Fatal(err)
	}
	return w
}

// intercept records each operation with its table, and misbehaves as a test demands.
func (w *world) intercept(operation string, body []byte) dynamotest.Fault {
	what := operation
	for name, table := range map[string]string{"Grants": w.names.Grants, "Connections": w.names.Connections} {
		if operation != "TransactWriteItems" && strings.Contains(string(body), `"`+table+`"`) {
			what += " " + name
		}
	}
	w.mu.Lock()
	w.seen = append(w.seen, what)
	f := w.fault
	w.mu.Unlock()
	if f == nil {
		return dynamotest.Fault{}
	}
	return f(operation, string(body))
}

// faults makes storage misbehave as f decides, until it is nil.
func (w *world) faults(f func(operation, body string) dynamotest.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// once calls f before the n-th operation with this name from now on, which misbehaves as f
// decides.
func (w *world) once(n int, operation string, f func() dynamotest.Fault) {
	var mu sync.Mutex
	w.faults(func(name, _ string) dynamotest.Fault {
		mu.Lock()
		if name == operation {
			n--
		}
		met := name == operation && n == 0
		mu.Unlock()
		if met {
			return f()
		}
		return dynamotest.Fault{}
	})
}

// storage returns the operations since the last call of storage.
func (w *world) storage() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

// wantStorage fails the test if other operations reached storage.
func (w *world) wantStorage(what string, want ...string) {
	w.t.Helper()
	if got := w.storage(); !slices.Equal(got, want) {
		w.t.Errorf("%s: storage got %q, want %q", what, got, want)
	}
}

// store returns the store of another process.
func (w *world) store() *Store {
	return &Store{DB: w.db, Table: w.names.Connections, Log: logtest.New(w.t), Tokens: &tokens.Store{
		DB: w.db, Grants: w.names.Grants, Spends: w.names.Spends, Environment: w.oauth.Environment,
		Keys: secrettest.Constant(w.keys), OAuth: secrettest.Constant(w.oauth), Clock: w.clock.Seam(), Log: logtest.New(w.t),
	}}
}

// mode chooses what a second authorization of a user does.
func (w *world) mode(m procoretest.SecondAuthorization) {
	w.t.Helper()
	if err := w.procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &m}); err != nil {
		w.t.Fatal(err)
	}
}

// modes runs a test in each mode of a second authorization.
func modes(t *testing.T, test func(*world)) {
	t.Helper()
	for _, m := range []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Kill, procoretest.Return} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.mode(m)
			test(w)
		})
	}
}

var users = map[tokens.Principal]int64{joe: procoretest.Joe, ann: procoretest.Ann, guy: procoretest.Max}

// authorize stores a new authorization of a user.
func (w *world) authorize(p tokens.Principal) procoretest.Pair {
	w.t.Helper()
	pair := w.procore.Token(w.t, users[p], redirectURI)
	_, err := w.store().Tokens.Authorize(w.t.Context(), tokens.Authorization{Principal: p, RedirectURI: redirectURI, Pair: procore.Token{
		AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
		IssuedAt: time.Unix(pair.CreatedAt, 0), Expiry: w.clock.Now().Add(time.Duration(pair.ExpiresIn) * time.Second),
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	return pair
}

func newOf(k Key) New {
	return New{Key: k, CompanyName: fmt.Sprintf("Company %d", k.CompanyID), UserName: "A User", Webhooks: WebhooksOff}
}

// connect authorizes and connects companies, as users do one after the other.
func (w *world) connect(p tokens.Principal, companies ...int64) []Connection {
	w.t.Helper()
	var all []Connection
	for _, id := range companies {
		w.clock.Advance(time.Second)
		w.authorize(p)
		c, err := w.store().Connect(w.t.Context(), newOf(Key{id, p}))
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// row reads a connection.
func (w *world) row(k Key) Connection {
	w.t.Helper()
	c, err := w.store().Connection(w.t.Context(), k)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// grant reads a grant.
func (w *world) grant(p tokens.Principal) tokens.Grant {
	w.t.Helper()
	g, err := w.store().Tokens.Grant(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// wantHolders fails the test if a grant has other holders.
func (w *world) wantHolders(p tokens.Principal, want ...int64) {
	w.t.Helper()
	var all []string
	for _, id := range want {
		all = append(all, fmt.Sprint(id))
	}
	if got := w.grant(p); !slices.Equal(got.Holders, all) {
		w.t.Errorf("%s is held by %v, want %v", p, got.Holders, all)
	}
}

// call makes a call into a company.
func (w *world) call(s *Store, k Key) error {
	w.t.Helper()
	return call(w.t.Context(), s.Client(k, procore.WithAttempts(1)))
}

func call(ctx context.Context, client *procore.CompanyClient) error {
	_, err := procore.Collect(client.Projects(ctx))
	return err
}

// calls counts the API calls that reached Procore, of a path that begins so.
func (w *world) calls(path string) int {
	n := 0
	for _, c := range w.procore.State().Calls {
		if strings.HasPrefix(c.Path, path) {
			n++
		}
	}
	return n
}

// refreshes counts how often refresh tokens were presented in all. It fails the test if
// one was presented twice: R1.
func (w *world) refreshes() int {
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

// live counts the refresh tokens that Procore still accepts.
func (w *world) live() int {
	n := 0
	for _, r := range w.procore.State().RefreshTokens {
		if r.State == procoretest.Live {
			n++
		}
	}
	return n
}

// accepted reports whether Procore accepts an access token.
func (w *world) accepted(accessToken string) bool {
	hc := w.oauth.Environment.Bearer(procore.NewSecret(accessToken), nil)
	_, err := procore.NewUserClient(w.oauth.Environment, hc, procore.WithAttempts(1)).Me(w.t.Context())
	return err == nil
}

// procoreFails adds a fault of Procore.
func (w *world) procoreFails(f procoretest.Fault) {
	w.t.Helper()
	if err := w.procore.Fault(f); err != nil {
		w.t.Fatal(err)
	}
}

// backup returns what restores a table as it is now.
func (w *world) backup(table string) (restore func()) {
	w.t.Helper()
	saved := w.scan(table)
	return func() {
		w.t.Helper()
		for _, item := range w.scan(table) {
			w.delete(table, item)
		}
		for _, item := range saved {
			w.put(table, item)
		}
	}
}

func (w *world) scan(table string) []dynamo.Item {
	w.t.Helper()
	out, err := w.db.Scan(context.Background(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Items
}

func (w *world) put(table string, item dynamo.Item) {
	w.t.Helper()
	w.tampered = true
	if _, err := w.db.PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		w.t.Fatal(err)
	}
}

// putAll puts many items, which is faster than one after the other.
func (w *world) putAll(table string, all []dynamo.Item) {
	w.t.Helper()
	w.tampered = true
	for some := range slices.Chunk(all, 100) {
		var writes []types.TransactWriteItem
		for _, item := range some {
			writes = append(writes, new(dynamo.Expression).Put(table, item))
		}
		if err := dynamo.Transact(w.t.Context(), w.db, writes...); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) delete(table string, item dynamo.Item) {
	w.t.Helper()
	w.tampered = true
	key := dynamo.Item{}
	for _, name := range []string{"grant", "company", "principal"} {
		if v, ok := item[name]; ok {
			key[name] = v
		}
	}
	if _, err := w.db.DeleteItem(w.t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: key}); err != nil {
		w.t.Fatal(err)
	}
}

// wantConsistent fails the test if the holders of the grants are not the companies that
// are connected.
func (w *world) wantConsistent() {
	w.t.Helper()
	items := func(table string) (all []invariants.Item) {
		for _, i := range w.scan(table) {
			all = append(all, invariants.ItemOf(i))
		}
		return all
	}
	for _, problem := range invarianttest.CheckHolders(items(w.names.Connections), items(w.names.Grants)) {
		w.t.Error(problem)
	}
}
