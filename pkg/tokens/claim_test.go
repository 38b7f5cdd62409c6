package tokens

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
)

// hold claims the connection and stops there, as a process that is then killed
// or frozen.
func (w *world) hold(s *Store, key Key) *refresh {
	w.t.Helper()
	c := w.row(key)
	pair, keys, err := s.open(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &refresh{Store: s, key: key, pair: pair, keys: keys, oauth: w.oauth, end: w.clock.Now().Add(maxWork)}
	if err := r.takeClaim(w.t.Context(), w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestDeadHolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(2 * time.Hour)
	held := w.hold(s, c.Key)

	w.clock.Advance(maxWork + skew + time.Second)
	if _, err := w.store().Token(t.Context(), c.Key); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if got := w.row(c.Key); got.Generation != 1 || got.attempt != held.claimed.attempt {
		t.Errorf("got generation %d, attempt %q; want those of the claim, 1 and %q", got.Generation, got.attempt, held.claimed.attempt)
	}

	// The holder was not dead: what it brings home late still lands.
	fresh, err := w.oauth.Refresh(t.Context(), held.pair.RefreshToken, redirectURI, w.clock.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.store(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	if got := w.row(c.Key); got.State != Active || got.Generation != 2 {
		t.Errorf("got %s, generation %d; want active, 2", got.State, got.Generation)
	}
	if _, err := w.store().Token(t.Context(), c.Key); err != nil {
		t.Error(err)
	}
	w.presented()
}

// R8: a late refresh does not overwrite a newer authorization.
func TestNewAuthorizationOvertakesRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(2 * time.Hour)
	held := w.hold(s, c.Key)
	fresh, err := w.oauth.Refresh(t.Context(), held.pair.RefreshToken, redirectURI, w.clock.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	newer := w.connect(w.store())
	if _, err := held.store(t.Context(), fresh); !errors.Is(err, errNotYet) {
		t.Errorf("got error %v, want errNotYet", err)
	}
	if diff := cmp.Diff(newer.pair, w.row(c.Key).pair); diff != "" {
		t.Errorf("the newer pair was overwritten (-want +got):\n%s", diff)
	}
}

// R8: a late refresh does not revive a connection that was disconnected.
func TestDisconnectedStaysDisconnected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(2 * time.Hour)
	held := w.hold(s, c.Key)
	if err := w.store().Disconnect(t.Context(), c.Key, c.Generation); err != nil {
		t.Fatal(err)
	}
	fresh, err := w.oauth.Refresh(t.Context(), held.pair.RefreshToken, redirectURI, w.clock.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	held.store(t.Context(), fresh)
	if got := w.row(c.Key); got.State != Disconnected {
		t.Errorf("got %s, want disconnected", got.State)
	}
	if _, err := w.store().Token(t.Context(), c.Key); !errors.Is(err, ErrDisconnected) {
		t.Errorf("got error %v, want ErrDisconnected", err)
	}
}

// backup copies a connection's row; what it gives puts the copy back.
func (w *world) backup(key Key) (restore func()) {
	w.t.Helper()
	copied, err := w.db.GetItem(w.t.Context(), &dynamodb.GetItemInput{TableName: &w.names.Connections, Key: key.primaryKey()})
	if err != nil {
		w.t.Fatal(err)
	}
	return func() {
		w.t.Helper()
		if _, err := w.db.PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &w.names.Connections, Item: copied.Item}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// R1: a row that comes back from a backup holds a token that was sent; the
// ledger refuses it.
func TestRestoredRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	restore := w.backup(c.Key)
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), c.Key); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Hour)
	restore()
	if _, err := w.store().Token(t.Context(), c.Key); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// A row that comes back from a backup as claimed is in doubt of a token that is
// being spent by another. Its successor settles the doubt.
func TestSuccessorOfARestoredRow(t *testing.T) {
	t.Parallel()
	for _, givenUp := range []bool{false, true} {
		w := newWorld(t)
		s := w.store()
		c := w.connect(s)
		w.clock.Advance(89 * time.Minute)
		unsent := w.hold(s, c.Key)
		restore := w.backup(c.Key)
		if err := s.release(t.Context(), unsent.claimed, unsent.ledger()); err != nil {
			t.Fatal(err)
		}
		held := w.hold(w.store(), c.Key)
		restore()
		want := Uncertain
		w.clock.Advance(maxWork + skew + time.Second)
		if givenUp {
			w.clock.Advance(2 * time.Minute)
			want = Reauthorize
		}
		w.store().Token(t.Context(), c.Key)
		if got := w.row(c.Key).State; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		fresh, err := w.oauth.Refresh(t.Context(), held.pair.RefreshToken, redirectURI, w.clock.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := held.store(t.Context(), fresh); !errors.Is(err, errNotYet) {
			t.Errorf("got error %v, want errNotYet: the row is another", err)
		}
		if got := w.row(c.Key); got.State != Active {
			t.Errorf("got %s, want active: the pair is home, and was never sent", got.State)
		}
		w.clock.Advance(2 * time.Hour)
		if _, err := w.store().Token(t.Context(), c.Key); err != nil {
			t.Error(err)
		}
		w.presented()
	}
}

// The ledger knows a token whichever keys the processes of a rotation know.
func TestLedgerSurvivesKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	old := w.keys
	both := ring(t, "k2", "k2")
	both.material["k1"] = old.material["k1"]
	w.hold(w.store(), c.Key)
	w.keys = both
	// The claim is taken off by hand, as a restore from a backup would.
	row := w.row(c.Key)
	free := row
	free.attempt, free.claimUntil = "", time.Time{}
	if _, err := w.store().swap(t.Context(), row, free); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), c.Key); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if got, want := w.presented(), 0; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

func TestCopiedPairDoesNotOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	item, err := w.db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &w.names.Connections, Key: c.Key.primaryKey()})
	if err != nil {
		t.Fatal(err)
	}
	item.Item["principal"] = &types.AttributeValueMemberS{Value: "user#42"}
	if _, err := w.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &w.names.Connections, Item: item.Item}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), Key{c.CompanyID, User(42)}); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
}

// A claim that did not reach storage is not confirmed by another's.
func TestAnothersClaimDoesNotConfirm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, other := w.store(), w.store()
	c := w.connect(s)
	w.clock.Advance(2 * time.Hour)
	var claims atomic.Int64
	w.dynamo.Intercept(func(operation string, _ []byte) (f dynamotest.Fault) {
		if operation == "TransactWriteItems" && claims.Add(1) == 1 {
			w.hold(other, c.Key) // the second claim, which lands
			f.Drop = true
		}
		return f
	})
	r := &refresh{Store: s, key: c.Key, keys: w.keys, oauth: w.oauth, end: w.clock.Now().Add(maxWork)}
	if err := r.takeClaim(t.Context(), t.Context(), c); !errors.Is(err, errNotYet) {
		t.Errorf("got error %v, want errNotYet: the claim is the other's", err)
	}
}

// A claim of which nothing is known is given back while there still is time:
// nothing was sent.
func TestClaimNotReadBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(2 * time.Hour)
	var transactions atomic.Int64
	w.dynamo.Intercept(func(operation string, body []byte) dynamotest.Fault {
		switch {
		case operation == "TransactWriteItems" && transactions.Add(1) == 1:
			return dynamotest.Fault{Drop: true, Applied: true}
		case operation == "GetItem" && transactions.Load() == 1 && bytes.Contains(body, []byte(s.Connections)):
			return dynamotest.Fault{Code: "InternalServerError"}
		}
		return dynamotest.Fault{}
	})
	ctx, cancel := context.WithTimeout(t.Context(), minWork+deadlineReserve+time.Second)
	defer cancel()
	_, err := Wrap(s, func(ctx context.Context, _ struct{}) (Access, error) { return s.Token(ctx, c.Key) })(ctx, struct{}{})
	if !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	if got := w.row(c.Key); got.claimed() || got.State != Active {
		t.Errorf("the row is %s, claimed %t; want active and free", got.State, got.claimed())
	}
	if a, err := w.store().Token(t.Context(), c.Key); err != nil || a.Generation != 2 {
		t.Errorf("got generation %d, %v; want a refresh", a.Generation, err)
	}
}

// A claim whose answer was lost is read back on a connection that was ended
// meanwhile: it is given back, for its token was not sent and may come back.
func TestClaimOfWhatWasDisconnected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(2 * time.Hour)
	var claimed, ended atomic.Bool
	w.dynamo.Intercept(func(operation string, body []byte) dynamotest.Fault {
		switch {
		case operation == "TransactWriteItems" && !claimed.Swap(true):
			return dynamotest.Fault{Drop: true, Applied: true}
		case operation == "GetItem" && claimed.Load() && bytes.Contains(body, []byte(s.Connections)) && !ended.Swap(true):
			if err := w.store().Disconnect(t.Context(), c.Key, c.Generation); err != nil {
				t.Error(err)
			}
		}
		return dynamotest.Fault{}
	})
	if _, err := s.Token(t.Context(), c.Key); !errors.Is(err, ErrDisconnected) {
		t.Errorf("got error %v, want ErrDisconnected", err)
	}
	if got := w.row(c.Key); got.claimed() || got.State != Disconnected {
		t.Errorf("the row is %s, claimed %t; want disconnected and free", got.State, got.claimed())
	}
	out, err := w.db.Scan(t.Context(), &dynamodb.ScanInput{TableName: &w.names.Spends})
	if err != nil || len(out.Items) != 0 {
		t.Errorf("the ledger has %v, %v; want nothing, for nothing was sent", out.Items, err)
	}
	if b, err := s.Breaker(t.Context()); err != nil || !b.AtRest() {
		t.Errorf("got breaker %+v, %v; want it at rest", b, err)
	}
}

// A release gives the token back for use, and fences the claim.
func TestRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(2 * time.Hour)
	before := w.row(c.Key)
	held := w.hold(s, c.Key)
	if err := s.release(t.Context(), held.claimed, held.ledger()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.claim(t.Context(), before, held.ledger(), w.clock.Now().Add(time.Minute)); !errors.As(err, new(*changedError)) {
		t.Errorf("a claim on the revision before the release: got error %v, want *changedError", err)
	}
	if _, err := w.store().Token(t.Context(), c.Key); err != nil {
		t.Error(err)
	}
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// Nor does a claim land that was still on its way when it was released.
func TestReleaseBeforeTheClaimLands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	before := w.connect(s)
	r := &refresh{Store: s, key: before.Key, keys: w.keys, pair: procore.Token{RefreshToken: procore.NewSecret("fake-refresh-on-its-way")}}
	wanted := before
	wanted.attempt, wanted.claimUntil = "on-its-way", w.clock.Now().Add(time.Minute)
	if err := s.release(t.Context(), wanted, r.ledger()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.claim(t.Context(), before, r.ledger(), w.clock.Now().Add(time.Minute)); !errors.As(err, new(*changedError)) {
		t.Errorf("the late claim: got error %v, want *changedError", err)
	}
}

func TestTransportRefreshesAfter401Once(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	first, err := s.Token(t.Context(), c.Key)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(10 * time.Minute)
	s.Invalidate(c.Key, first.Generation)
	second, err := s.Token(t.Context(), c.Key)
	if err != nil || second.Generation != first.Generation+1 {
		t.Fatalf("got generation %d, error %v; want a refresh", second.Generation, err)
	}
	s.Invalidate(c.Key, second.Generation)
	if _, err := s.Token(t.Context(), c.Key); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("got error %v, want ErrNotInstalled", err)
	}
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

func TestTransport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(10 * time.Minute)
	pair, _, err := s.open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	client := s.Client(w.oauth.Environment, c.Key)
	if _, err := procore.Collect(client.Projects(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := w.oauth.Revoke(t.Context(), pair); err != nil {
		t.Fatal(err)
	}
	// The refresh token went with it: the caller sees the 401, and one refresh was tried.
	_, err = procore.Collect(client.Projects(t.Context()))
	if e, ok := errors.AsType[*procore.Error](err); !ok || e.Status != http.StatusUnauthorized {
		t.Errorf("got error %v, want Procore's 401", err)
	}
	if _, err := s.Token(t.Context(), c.Key); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// A plain http.Client follows a redirect, as to the storage of a file. The token
// stays.
func TestTransportKeepsItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called a foreign host") }))
	t.Cleanup(foreign.Close)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			t.Error("the API got no token")
		}
		http.Redirect(w, r, foreign.URL+"/file", http.StatusFound)
	}))
	t.Cleanup(api.Close)
	hc := &http.Client{Transport: s.Transport(procore.Environment{APIURL: api.URL}, c.Key)}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL+"/rest/v1.0/file", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := hc.Do(r); err == nil {
		resp.Body.Close()
		t.Error("no error")
	}
}

func TestForCompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	if _, err := s.ForCompany(t.Context(), w.company()); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
	a := w.authorization()
	for _, p := range []Principal{User(1), User(2), User(3)} {
		a.Key.Principal = p
		w.clock.Advance(time.Minute)
		if _, _, err := s.Connect(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Disconnect(t.Context(), Key{w.company(), User(3)}, 1); err != nil {
		t.Fatal(err)
	}
	got, err := s.ForCompany(t.Context(), w.company())
	if err != nil || got.Principal != User(2) {
		t.Errorf("got %s, %v; want the last that is usable, %s", got.Principal, err, User(2))
	}
	// Of those that are not, the error is of the one whose user is waited for.
	for _, p := range []Principal{User(1), User(2)} {
		if err := s.Disconnect(t.Context(), Key{w.company(), p}, 1); err != nil {
			t.Fatal(err)
		}
	}
	waiting := w.row(Key{w.company(), User(2)})
	if _, err := s.apply(t.Context(), waiting, func(c Connection) (Connection, bool) {
		return c.enter(Reauthorize, "", "a test wants it", "", w.clock.Now()), true
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ForCompany(t.Context(), w.company()); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
}

// A transaction that met another one did not happen: it is tried again, and is
// no sign of bad storage to the breaker. What it saw of the ledger may be the
// other's, which has not written the row yet: it is no proof of a spent token.
func TestTransactionConflicts(t *testing.T) {
	t.Parallel()
	for _, ledger := range []string{"None", "ConditionalCheckFailed"} {
		t.Run(ledger, func(t *testing.T) {
			t.Parallel()
			testTransactionConflicts(t, []string{"TransactionConflict", ledger})
		})
	}
}

func testTransactionConflicts(t *testing.T, reasons []string) {
	t.Helper()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(2 * time.Hour)
	var claims atomic.Int64
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "TransactWriteItems" && claims.Add(1) <= tripAfter+1 {
			return dynamotest.Fault{Reasons: reasons}
		}
		return dynamotest.Fault{}
	})
	if a, err := s.Token(t.Context(), c.Key); err != nil || a.Generation != 2 {
		t.Errorf("got generation %d, %v; want a refresh", a.Generation, err)
	}
	if b, err := s.Breaker(t.Context()); err != nil || !b.AtRest() {
		t.Errorf("got breaker %+v, %v; want it at rest", b, err)
	}
	claims.Store(0)
	item := types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &w.names.Spends,
		Key:                 map[string]types.AttributeValue{"fingerprint": dynamo.Text("none")},
		ConditionExpression: aws.String("attribute_not_exists(fingerprint)")}}
	if _, _, err := s.Connect(t.Context(), w.authorization(), item); err != nil {
		t.Errorf("connecting: %v", err)
	}
}

// Revisions begin again when a row comes back from a backup; a step that was
// under way must not take the row for the one that it has read.
func TestRestoreDuringAWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	first := w.connect(s)
	restore := w.backup(first.Key)
	read, _, err := s.SetWebhooks(t.Context(), first, WebhooksActive, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	restore()
	if _, _, err := s.SetWebhooks(t.Context(), w.row(first.Key), WebhooksNeedsAdmin, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.swap(t.Context(), read, read); !errors.As(err, new(*changedError)) {
		t.Errorf("got error %v, want *changedError: the row has the revision that was read, and is another", err)
	}
}

// R1: a row that comes back from a backup after the ledger has forgotten its token does
// not send it again.
func TestRestoredRowOlderThanTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	restore := w.backup(c.Key)
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), c.Key); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(ledgerLife + 24*time.Hour)
	w.forget()
	restore()
	if _, err := w.store().Token(t.Context(), c.Key); !errors.Is(err, ErrReauthorize) || !strings.Contains(err.Error(), olderThanTheLedger) {
		t.Errorf("got error %v, want ErrReauthorize with its reason", err)
	}
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// forget empties the ledger, as its TTL does.
func (w *world) forget() {
	w.t.Helper()
	out, err := w.db.Scan(w.t.Context(), &dynamodb.ScanInput{TableName: &w.names.Spends})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, item := range out.Items {
		key := map[string]types.AttributeValue{"fingerprint": item["fingerprint"]}
		if _, err := w.db.DeleteItem(w.t.Context(), &dynamodb.DeleteItemInput{TableName: &w.names.Spends, Key: key}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// A changed PROCORE_ENVIRONMENT sends no token to the wrong environment.
func TestOtherEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	w.clock.Advance(2 * time.Hour)
	right := w.oauth.Environment.Name
	w.oauth.Environment.Name = "federal"
	for range 2 {
		if _, err := w.store().Token(t.Context(), c.Key); !errors.Is(err, ErrTryAgain) || !strings.Contains(err.Error(), "federal") {
			t.Errorf("got error %v, want ErrTryAgain that names the environment", err)
		}
	}
	if got := w.presented(); got != 0 || w.row(c.Key).Rev != c.Rev {
		t.Errorf("%d tokens were sent, and the row was written %d times; want none", got, w.row(c.Key).Rev-c.Rev)
	}
	w.oauth.Environment.Name = right
	if _, err := w.store().Token(t.Context(), c.Key); err != nil {
		t.Error(err)
	}
}
