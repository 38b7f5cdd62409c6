package tokens

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// live counts Procore's refresh tokens by state.
func (w *world) live() map[string]int {
	n := map[string]int{}
	for _, r := range w.procore.State().RefreshTokens {
		n[r.State]++
	}
	return n
}

func (w *world) refreshed(held *refresh) procore.Token {
	w.t.Helper()
	fresh, err := w.oauth.Refresh(w.t.Context(), held.pair.RefreshToken, redirectURI, w.clock.Now().Add(time.Minute))
	if err != nil {
		w.t.Fatal(err)
	}
	return fresh
}

// noRevocation makes Procore refuse the next revocation, of a pair whose
// successor Procore might end with it.
func (w *world) noRevocation() {
	w.t.Helper()
	if err := w.procore.Fault(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Status, Status: 500}); err != nil {
		w.t.Fatal(err)
	}
}

// R2: storage refuses a new pair for longer than its process lives; the pair
// waits in the rescue queue and comes back late, twice and out of order.
func TestRescue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	w.clock.Advance(2 * time.Hour)
	var queue [][]byte
	s := w.store()
	s.Rescue = func(_ context.Context, r Rescued) error {
		message, err := json.Marshal(r)
		queue = append(queue, message)
		return err
	}
	held := w.hold(s, c.Key)
	fresh := w.refreshed(held)
	// A server of its own fails, so that a write under way at the deadline cannot land later.
	down := dynamotest.New()
	down.Intercept(func(string, []byte) dynamotest.Fault { return dynamotest.Fault{Code: "InternalServerError"} })
	s.DB = dynamotest.Client(down.Start(t))
	ctx, cancel := context.WithTimeout(t.Context(), rescueTime+300*time.Millisecond)
	defer cancel()
	if _, err := held.store(ctx, fresh); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	if len(queue) != 1 {
		t.Fatalf("%d pairs are in the rescue queue, want 1", len(queue))
	}
	w.clock.Advance(time.Minute)
	if _, err := w.store().Token(t.Context(), c.Key); !errors.Is(err, ErrReauthorize) {
		t.Errorf("before the rescue: got error %v, want ErrReauthorize", err)
	}
	for range 2 {
		r, err := ParseRescued(queue[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := w.store().Restore(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	a, err := w.store().Token(t.Context(), c.Key)
	if err != nil || a.Generation != 2 {
		t.Fatalf("got generation %d, %v; want 2", a.Generation, err)
	}
	if err := w.works(a); err != nil {
		t.Error(err)
	}
	// Another generation later the message comes once more.
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), c.Key); err != nil {
		t.Fatal(err)
	}
	r, err := ParseRescued(queue[0])
	if err != nil {
		t.Fatal(err)
	}
	w.noRevocation()
	if err := w.store().Restore(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := w.row(c.Key); got.Generation != 3 || got.State != Active {
		t.Errorf("got generation %d, %s; want 3, active", got.Generation, got.State)
	}
	w.presented()
}

// R2: neither a revocation that hangs nor storage that refuses takes the time
// that is kept for the rescue queue from a pair that was overtaken.
func TestRescueOfAnOvertakenPair(t *testing.T) {
	t.Parallel()
	for _, mode := range []procoretest.SecondAuthorization{procoretest.Return, procoretest.Keep} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if err := w.procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
				t.Fatal(err)
			}
			c := w.connect(w.store())
			w.clock.Advance(89 * time.Minute)
			rescued := 0
			s := w.store()
			s.Rescue = func(ctx context.Context, _ Rescued) error {
				rescued++
				return ctx.Err()
			}
			held := w.hold(s, c.Key)
			newer := w.authorization()
			fresh := w.refreshed(held)
			if _, _, err := w.store().Connect(t.Context(), newer); err != nil {
				t.Fatal(err)
			}
			var updates atomic.Int64
			w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
				if operation == "UpdateItem" && updates.Add(1) > 1 { // the first one shows that the row has moved on
					return dynamotest.Fault{Code: "InternalServerError"}
				}
				return dynamotest.Fault{}
			})
			if err := w.procore.Fault(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Delay, DelayMS: 60_000}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), rescueTime+300*time.Millisecond)
			defer cancel()
			if _, err := held.store(ctx, fresh); !errors.Is(err, ErrTryAgain) || rescued != 1 || ctx.Err() != nil {
				t.Errorf("got error %v, %d pairs rescued, %v; want ErrTryAgain, one, in time", err, rescued, ctx.Err())
			}
		})
	}
}

// The answer to a store is lost, and before it is repeated the pair is refreshed
// by another process: it was stored, and is no orphan.
func TestStoreRepeatedLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	w.clock.Advance(2 * time.Hour)
	held := w.hold(w.store(), c.Key)
	fresh := w.refreshed(held)
	if _, err := held.store(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), c.Key); err != nil {
		t.Fatal(err)
	}
	w.noRevocation()
	if _, err := held.store(t.Context(), fresh); !errors.Is(err, errNotYet) {
		t.Errorf("got error %v, want errNotYet", err)
	}
}

// A pair whose row is gone waits for an operator who brings the row back from a
// backup: it is the successor of what that holds.
func TestRescueForALostRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	w.clock.Advance(2 * time.Hour)
	bringBack := w.backup(c.Key)
	var waits Rescued
	s := w.store()
	s.Rescue = func(_ context.Context, r Rescued) error {
		waits = r
		return nil
	}
	held := w.hold(s, c.Key)
	fresh := w.refreshed(held)
	if _, err := w.db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &w.names.Connections, Key: c.Key.primaryKey()}); err != nil {
		t.Fatal(err)
	}
	if _, err := held.store(t.Context(), fresh); !errors.Is(err, ErrTryAgain) {
		t.Errorf("storing: got error %v, want ErrTryAgain", err)
	}
	if err := w.store().Restore(t.Context(), waits); !errors.Is(err, ErrNotFound) {
		t.Errorf("without the row: got error %v, want ErrNotFound", err)
	}
	bringBack()
	if err := w.store().Restore(t.Context(), waits); err != nil {
		t.Error(err)
	}
	if a, err := w.store().Token(t.Context(), c.Key); err != nil || a.Generation != 2 || w.works(a) != nil {
		t.Errorf("got generation %d, %v; want 2, and a token that works", a.Generation, err)
	}
	w.presented()
}

// The token that a refresh spends is given to a new authorization meanwhile, and
// the new pair comes home by the rescue queue: it is that authorization's
// successor, also after a rotation of the keys. Another authorization's is not.
func TestRescueOfAReturnedToken(t *testing.T) {
	t.Parallel()
	for _, mode := range []procoretest.SecondAuthorization{procoretest.Return, procoretest.Keep} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if err := w.procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
				t.Fatal(err)
			}
			c := w.connect(w.store())
			w.clock.Advance(89 * time.Minute)
			var message []byte
			s := w.store()
			s.Rescue = func(_ context.Context, r Rescued) (err error) {
				message, err = json.Marshal(r)
				return err
			}
			held := w.hold(s, c.Key)
			newer := w.authorization()
			fresh := w.refreshed(held)
			w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
				if operation == "UpdateItem" {
					return dynamotest.Fault{Code: "InternalServerError"}
				}
				return dynamotest.Fault{}
			})
			ctx, cancel := context.WithTimeout(t.Context(), rescueTime+300*time.Millisecond)
			defer cancel()
			if _, err := held.store(ctx, fresh); !errors.Is(err, ErrTryAgain) {
				t.Errorf("got error %v, want ErrTryAgain", err)
			}
			w.dynamo.Intercept(nil)
			if _, _, err := w.store().Connect(t.Context(), newer); err != nil {
				t.Fatal(err)
			}
			w.keys = &Keys{current: "k2", material: map[string]procore.Secret{"k1": w.keys.material["k1"], "k2": procore.NewSecret(rand.Text() + rand.Text())}}
			r, err := ParseRescued(message)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := w.store().Restore(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			if want := map[procoretest.SecondAuthorization]int64{procoretest.Return: 3, procoretest.Keep: 2}[mode]; w.row(c.Key).Generation != want {
				t.Errorf("got generation %d, want %d", w.row(c.Key).Generation, want)
			}
			for range 2 {
				w.clock.Advance(2 * time.Hour)
				if _, err := w.store().Token(t.Context(), c.Key); err != nil {
					t.Error(err)
				}
			}
			w.presented()
			if got := w.live()["live"]; got != 1 {
				t.Errorf("%d pairs are alive at Procore, want the connection's alone", got)
			}
			if mode == procoretest.Return { // what was stored is not revoked, for Procore might end its successors with it
				w.noRevocation()
				if err := w.store().Restore(t.Context(), r); err != nil {
					t.Errorf("the message comes once more: %v", err)
				}
			}
		})
	}
}

func TestParseRescuedRefuses(t *testing.T) {
	t.Parallel()
	for _, message := range []string{``, `{}`, `[]`, `{"key":{"CompanyID":1,"Principal":"app"},"generation":1,"attempt":"a"}`} {
		if _, err := ParseRescued([]byte(message)); err == nil {
			t.Errorf("%q: got no error", message)
		}
	}
}

// A second authorization keeps, kills or returns the first pair, at rest and in
// the middle of a refresh: no token is sent twice, and the connection works or
// says truthfully why not.
func TestSecondAuthorization(t *testing.T) {
	t.Parallel()
	for _, mode := range []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Kill, procoretest.Return} {
		t.Run(string(mode)+" at rest", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if err := w.procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
				t.Fatal(err)
			}
			c := w.connect(w.store())
			w.connect(w.store())
			for range 3 {
				w.clock.Advance(2 * time.Hour)
				if _, err := w.store().Token(t.Context(), c.Key); err != nil {
					t.Error(err)
				}
			}
			w.presented()
		})
		t.Run(string(mode)+" during a refresh", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if err := w.procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
				t.Fatal(err)
			}
			s := w.store()
			c := w.connect(s)
			w.clock.Advance(89 * time.Minute)
			held := w.hold(s, c.Key)
			newer := w.authorization() // before the refresh is answered
			if _, _, err := w.store().Connect(t.Context(), newer); err != nil {
				t.Fatal(err)
			}
			fresh, err := w.oauth.Refresh(t.Context(), held.pair.RefreshToken, redirectURI, w.clock.Now().Add(time.Minute))
			if err != nil {
				held.settle(t.Context(), err) // killed meanwhile
			} else if _, err := held.store(t.Context(), fresh); !errors.Is(err, errNotYet) {
				t.Errorf("got error %v, want errNotYet", err)
			}
			for range 2 {
				w.clock.Advance(2 * time.Hour)
				if _, err := w.store().Token(t.Context(), c.Key); err != nil {
					t.Error(err)
				}
			}
			w.presented()
			if got := w.live()["live"]; got != 1 {
				t.Errorf("%d pairs are alive at Procore, want the connection's alone", got)
			}
		})
		t.Run(string(mode)+" for another company", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if err := w.procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
				t.Fatal(err)
			}
			first := w.connect(w.store())
			a := w.authorization()
			a.Key.CompanyID = 42
			if _, _, err := w.store().Connect(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			w.clock.Advance(2 * time.Hour)
			for _, k := range []Key{first.Key, a.Key} {
				if _, err := w.store().Token(t.Context(), k); err != nil && !errors.Is(err, ErrReauthorize) {
					t.Error(err)
				}
			}
			w.presented()
		})
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	for range 2 {
		if err := w.store().Revoke(t.Context(), c.Key, "asked for"); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.row(c.Key); got.State != Revoked || got.pair.Ciphertext != nil {
		t.Errorf("got %s, with a pair: %t; want revoked, without", got.State, got.pair.Ciphertext != nil)
	}
	if _, err := w.store().Token(t.Context(), c.Key); !errors.Is(err, ErrRevoked) {
		t.Errorf("got error %v, want ErrRevoked", err)
	}
	if got := w.live()["live"]; got != 0 {
		t.Errorf("%d pairs are alive at Procore, want none", got)
	}
	if got := w.connect(w.store()); got.Generation != 2 || got.State != Active {
		t.Errorf("connected again: got generation %d, %s; want 2, active", got.Generation, got.State)
	}
}

// Revoking waits for the refresh in flight and revokes what it brings home.
func TestRevokeDuringRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(2 * time.Hour)
	held := w.hold(s, c.Key)
	fresh := w.refreshed(held)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var begun atomic.Bool
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if begun.Load() {
			cancel() // it waits for the refresh
		}
		begun.CompareAndSwap(false, operation == "UpdateItem")
		return dynamotest.Fault{}
	})
	if err := w.store().Revoke(ctx, c.Key, "asked for"); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain while a refresh is in flight", err)
	}
	w.dynamo.Intercept(nil)
	if got := w.row(c.Key); got.State != Revoking {
		t.Errorf("got %s, want revoking", got.State)
	}
	if _, err := held.store(t.Context(), fresh); !errors.Is(err, errNotYet) {
		t.Errorf("got error %v, want errNotYet", err)
	}
	if got := w.row(c.Key); got.State != Revoking || got.Generation != 2 {
		t.Errorf("got %s, generation %d; want revoking and the new pair's, 2", got.State, got.Generation)
	}
	if err := w.store().Revoke(t.Context(), c.Key, ""); err != nil {
		t.Error(err)
	}
	if got := w.row(c.Key); got.State != Revoked {
		t.Errorf("got %s, want revoked", got.State)
	}
	if got := w.live()["live"]; got != 0 {
		t.Errorf("%d pairs are alive at Procore, want none", got)
	}
}

// A pair that comes home after the connection was revoked is revoked, too.
func TestLatePairOfARevokedConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	w.clock.Advance(2 * time.Hour)
	held := w.hold(s, c.Key)
	fresh := w.refreshed(held)
	w.clock.Advance(time.Minute) // the claim has expired: nobody waits for it
	if err := w.store().Revoke(t.Context(), c.Key, "asked for"); err != nil {
		t.Fatal(err)
	}
	held.store(t.Context(), fresh)
	if got := w.row(c.Key); got.State != Revoked || got.pair.Ciphertext != nil {
		t.Errorf("got %s, with a pair: %t; want revoked, without", got.State, got.pair.Ciphertext != nil)
	}
	if got := w.live()["live"]; got != 0 {
		t.Errorf("%d pairs are alive at Procore, want none", got)
	}
}

func TestRevokeGoesOnAfterAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	if err := w.procore.Fault(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Reset}); err != nil {
		t.Fatal(err)
	}
	if err := w.store().Revoke(t.Context(), c.Key, "asked for"); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	if got := w.row(c.Key); got.State != Revoking || got.CheckAt.IsZero() {
		t.Errorf("got %s, housekeeping looks at %v; want revoking and a time", got.State, got.CheckAt)
	}
	if err := w.store().Revoke(t.Context(), c.Key, ""); err != nil {
		t.Error(err)
	}
}

// One fetch of a service account's token serves many callers and processes.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := Key{w.company(), App}
	if err := w.store().AddServiceAccount(t.Context(), key.CompanyID, "A Company", WebhooksOff); err != nil {
		t.Fatal(err)
	}
	for generation := int64(2); generation < 4; generation++ {
		stores := []*Store{w.store(), w.store(), w.store()}
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() {
				if a, err := stores[i%3].Token(t.Context(), key); err != nil || a.Generation != generation {
					t.Errorf("got generation %d, %v; want %d", a.Generation, err, generation)
				}
			})
		}
		all.Wait()
		w.clock.Advance(2 * time.Hour)
	}
	w.fault(procoretest.Fault{Kind: procoretest.Status, Status: 503})
	if _, err := w.store().Token(t.Context(), key); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	if _, err := w.store().Token(t.Context(), key); err != nil {
		t.Errorf("after an outage: %v", err)
	}
	if got, err := w.store().ForCompany(t.Context(), key.CompanyID); err != nil || got.Principal != App {
		t.Errorf("got %v, %v; want the service account", got.Principal, err)
	}
}

// A service account that is added again is free, whoever held the claim before.
func TestServiceAccountAddedAgainDuringAClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	key := Key{w.company(), App}
	for range 2 {
		if err := s.AddServiceAccount(t.Context(), key.CompanyID, "A Company", WebhooksOff); err != nil {
			t.Fatal(err)
		}
		c := w.row(key)
		if c.claimed() {
			t.Error("the new row is claimed by nobody")
		}
		w.hold(s, key)
		if err := s.Disconnect(t.Context(), key, c.Generation); err != nil {
			t.Fatal(err)
		}
	}
}

// Rows sealed with an older key still open; new writes use the current one.
func TestSealKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	both := ring(t, "k2", "k2")
	both.material["k1"] = w.keys.material["k1"]
	old := w.keys
	w.keys = both
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), c.Key); err != nil {
		t.Fatal(err)
	}
	if got := w.row(c.Key).pair.KeyID; got != "k2" {
		t.Errorf("the new pair is sealed with %s, want k2", got)
	}
	// A warm process that knows only the old key reads the secret again.
	s := w.store()
	current := old
	s.Keys = secrettest.Func[*Keys](func(_ context.Context, reread bool) (*Keys, error) {
		if reread {
			current = both
		}
		return current, nil
	})
	if _, err := s.Token(t.Context(), c.Key); err != nil {
		t.Error(err)
	}
	// One that cannot read it has no verdict on the connection.
	s = w.store()
	s.Keys = secrettest.Constant(old)
	if _, err := s.Token(t.Context(), c.Key); !errors.Is(err, ErrTryAgain) || !errors.Is(err, ErrUnknownKey) {
		t.Errorf("got error %v, want ErrTryAgain and ErrUnknownKey", err)
	}
}

// A second authorization renews, also in the same second; a refresh does not, nor
// after so many that the authorization is forgotten.
func TestRenewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	if c.Renewed() {
		t.Error("the first authorization renewed something")
	}
	for range maxTransitions + 1 {
		w.clock.Advance(2 * time.Hour)
		if _, err := w.store().Token(t.Context(), c.Key); err != nil {
			t.Fatal(err)
		}
		if w.row(c.Key).Renewed() {
			t.Fatal("a refresh renewed something")
		}
	}
	w.connect(w.store())
	if !w.row(c.Key).Renewed() {
		t.Error("the second authorization renewed nothing")
	}
	again := newWorld(t)
	again.connect(again.store())
	if c := again.connect(again.store()); !c.Renewed() {
		t.Error("the second authorization in one second renewed nothing")
	}
}

// A pair that does not open cannot be revoked, by no later attempt either: the
// revocation ends.
func TestRevokeAPairThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(w.store())
	w.keys = ring(t, "k1", "k1") // another ring under the same key id
	if err := w.store().Revoke(t.Context(), c.Key, "asked for"); err != nil {
		t.Fatal(err)
	}
	if got := w.row(c.Key); got.State != Revoked || got.pair.Ciphertext != nil {
		t.Errorf("got %s, sealed %t; want revoked, without a pair", got.State, got.pair.Ciphertext != nil)
	}
}

// A revocation that a new authorization overtakes is an error: the connection is there.
func TestRevokeIsOvertaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	once := false
	w.dynamo.Intercept(func(operation string, body []byte) dynamotest.Fault {
		if operation == "UpdateItem" && bytes.Contains(body, []byte(`"revoked"`)) && !once {
			once = true
			a := w.authorization()
			a.Key = c.Key
			if _, _, err := w.store().Connect(t.Context(), a); err != nil {
				t.Error(err)
			}
		}
		return dynamotest.Fault{}
	})
	if err := s.Revoke(t.Context(), c.Key, "asked for"); !once || !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	if got := w.row(c.Key).State; got != Active {
		t.Errorf("the connection is %s, want active", got)
	}
}
