package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/clocktest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const testRedirect = "https://app.example/oauth/callback"

// testCode is the code of all exchanges.
var testCode = procore.NewSecret("fake-code-1")

// world is a DynamoDB, a Procore, a clock and a key ring with the two stores in it.
type world struct {
	*Store
	Handover
	t       *testing.T
	clock   *clocktest.Clock
	dynamo  *dynamotest.Server
	procore *procoretest.Server
	url     string
	ring    *keys.Ring
	next    *keys.Ring // the ring after a reread; nil: the same
	oauth   *procore.OAuth
	user    int64 // who authorizes
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clocktest.New(), dynamo: dynamotest.New(), ring: newRing(t, 1), user: procoretest.Joe}
	w.procore = procoretest.Start(t, procoretest.Options{Now: w.clock.Now})
	env, err := procore.ParseEnvironment("custom", w.procore.URL, w.procore.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.oauth = &procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret"), Clock: w.clock.Seam()}
	w.url = w.dynamo.Start(t)
	db := dynamotest.Client(w.url)
	names := tables.CreateForTest(t, db)
	ring := secrettest.Func[*keys.Ring](func(_ context.Context, reread bool) (*keys.Ring, error) {
		if reread && w.next != nil {
			w.ring = w.next
		}
		return w.ring, nil
	})
	oauth := secrettest.Func[*procore.OAuth](func(context.Context, bool) (*procore.OAuth, error) { return w.oauth, nil })
	w.Store = &Store{DB: db, Table: names.Sessions, Keys: ring, OAuth: oauth, Clock: w.clock.Seam()}
	w.Handover = Handover{w.Store, &tokens.Store{
		DB: db, Grants: names.Grants, Spends: names.Spends, Environment: env, Keys: ring, OAuth: oauth, Clock: w.clock.Seam(), Log: logtest.New(t),
	}}
	return w
}

// newRing returns the keys k1 to kn, of which the last is current. k1 is the same in all.
func newRing(t *testing.T, n int) *keys.Ring {
	t.Helper()
	secret := fmt.Sprintf(`{"current":"k%d","k1":"one and the same in every ring of the tests"`, n)
	for i := 2; i <= n; i++ {
		secret += fmt.Sprintf(`,"k%d":%q`, i, rand.Text()+rand.Text())
	}
	ring, err := keys.Parse(secret + "}")
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// joe and ann are users of Procore.
var joe, ann = tokens.User(procoretest.Joe), tokens.User(procoretest.Ann)

// pair returns the pair of an authorization by the user.
func (w *world) pair() procore.Token {
	w.t.Helper()
	p := w.procore.Token(w.t, w.user, testRedirect)
	return procore.Token{AccessToken: procore.NewSecret(p.AccessToken), RefreshToken: procore.NewSecret(p.RefreshToken),
		IssuedAt: time.Unix(p.CreatedAt, 0), Expiry: w.clock.Now().Add(time.Duration(p.ExpiresIn) * time.Second)}
}

// begin starts a flow.
func (w *world) begin() Start {
	w.t.Helper()
	st, err := w.Begin(w.t.Context(), Opening{RedirectURI: testRedirect})
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

// exchanging brings a new flow to the exchange.
func (w *world) exchanging() Session {
	w.t.Helper()
	st := w.begin()
	s, _, err := w.Consume(w.t.Context(), st.State, st.Cookie)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// authorized brings a new flow to where it has a pair, and returns its cookie.
func (w *world) authorized() (Session, procore.Secret) {
	w.t.Helper()
	s := w.exchanging()
	cookie, err := w.StorePair(w.t.Context(), s, testCode, w.pair())
	if err != nil {
		w.t.Fatal(err)
	}
	return w.find(s.Flow, cookie), cookie
}

// pending brings a new flow to where it waits for the choice, and returns its cookie.
func (w *world) pending() (Session, procore.Secret) {
	w.t.Helper()
	s, cookie := w.authorized()
	w.move(s)
	return w.find(s.Flow, cookie), cookie
}

// move moves a session's pair.
func (w *world) move(s Session) Session {
	w.t.Helper()
	moved, err := w.Move(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	return moved
}

// chosen brings a new flow to a choice, and returns its cookie.
func (w *world) chosen(company int64) (Session, procore.Secret) {
	w.t.Helper()
	s, cookie := w.pending()
	if _, err := w.Choose(w.t.Context(), s, company); err != nil {
		w.t.Fatal(err)
	}
	return w.find(s.Flow, cookie), cookie
}

// finish ends a chosen session as the connecting transaction does.
func (w *world) finish(s Session) error {
	_, err := w.Store.DB.TransactWriteItems(w.t.Context(), &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{w.Finish(s)},
	})
	return err
}

func (w *world) find(flow string, cookie procore.Secret) Session {
	w.t.Helper()
	s, err := w.Find(w.t.Context(), flow, cookie)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// grant reads a grant.
func (w *world) grant(p tokens.Principal) tokens.Grant {
	w.t.Helper()
	g, err := w.Tokens.Grant(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// item returns the row as it is stored.
func (w *world) item(flow string) map[string]types.AttributeValue {
	w.t.Helper()
	out, err := w.Store.DB.GetItem(w.t.Context(), &dynamodb.GetItemInput{
		TableName: &w.Table, Key: map[string]types.AttributeValue{"session": dynamo.Text(flow)}, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Item
}

func (w *world) status(flow string) Status {
	w.t.Helper()
	var s Session
	if err := s.read(w.item(flow)); err != nil {
		w.t.Fatal(err)
	}
	return s.Status
}

// overwrite changes attributes of a stored row.
func (w *world) overwrite(flow string, changes map[string]types.AttributeValue) {
	w.t.Helper()
	item := w.item(flow)
	maps.Copy(item, changes)
	if _, err := w.Store.DB.PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &w.Table, Item: item}); err != nil {
		w.t.Fatal(err)
	}
}

// wants checks the row's status, TTL, index and seal.
func (w *world) wants(flow string, status Status, ttl, held, sealed bool) {
	w.t.Helper()
	item := w.item(flow)
	if got := w.status(flow); got != status {
		w.t.Errorf("status = %q, want %q", got, status)
	}
	for name, want := range map[string]bool{"ttl": ttl, "held_shard": held, "sealed": sealed, "seal_key": sealed} {
		if _, got := item[name]; got != want {
			w.t.Errorf("%s: has %s = %v, want %v", status, name, got, want)
		}
	}
}

// stale returns the flows that are stale.
func (w *world) stale() []string {
	w.t.Helper()
	flows := []string{}
	for s, err := range w.Stale(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		flows = append(flows, s.Flow)
	}
	return flows
}
