package tokens

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"procore-connect/pkg/procore"
)

// R1: a row that is restored from a backup has a token that was sent. The ledger refuses
// it, also while the old access token is still valid.
func TestRestoredRow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		refreshed, restored time.Duration // after the backup
		first, then         error         // of Token, and when the restored access token has expired
	}{
		"expired":     {2 * time.Hour, 4 * time.Hour, ErrReauthorize, ErrReauthorize},
		"still valid": {89 * time.Minute, 89 * time.Minute, ErrReauthorize, ErrReauthorize},
		"fresh":       {10 * time.Minute, 11 * time.Minute, nil, ErrReauthorize},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.authorize(w.store()).Principal
			restore, begin := w.backup(p), w.clock.Now()
			w.clock.Set(begin.Add(test.refreshed))
			if _, err := w.store().Upkeep().Refresh(t.Context(), p, 2*time.Hour); err != nil {
				t.Fatal(err)
			}
			w.clock.Set(begin.Add(test.restored))
			restore()
			for _, want := range []error{test.first, test.then} {
				if _, err := w.store().Token(t.Context(), p); !errors.Is(err, want) {
					t.Errorf("got error %v, want %v", err, want)
				}
				w.clock.Advance(2 * time.Hour)
			}
			if got := w.row(p); got.State != Reauthorize || got.Reason != sentBefore {
				t.Errorf("got %s, %q; want reauthorize, %q", got.State, got.Reason, sentBefore)
			}
			if got, want := w.presented(), 1; got != want {
				t.Errorf("got %d refreshes, want %d", got, want)
			}
			w.authorize(w.store()) // heals it
			if a, err := w.store().Token(t.Context(), p); err != nil || w.works(a) != nil {
				t.Errorf("authorized again: got error %v, want a token that works", err)
			}
		})
	}
}

// A row that is restored as it was claimed is uncertain of a token that another attempt
// sends. That attempt's pair is not the one it waits for, and the token is not sent again.
func TestRowRestoredAsClaimed(t *testing.T) {
	t.Parallel()
	for _, givenUp := range []bool{false, true} {
		w := newWorld(t)
		s := w.store()
		p := w.authorize(s).Principal
		w.clock.Advance(2 * time.Hour)
		unsent := w.claim(s)
		restore := w.backup(p)
		if err := s.release(t.Context(), unsent.claimed, unsent.ledger); err != nil {
			t.Fatal(err)
		}
		held := w.claim(w.store())
		restore()
		w.clock.Advance(maxWork + skew + time.Second)
		want := Uncertain
		if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
		if givenUp {
			want = Reauthorize
			w.clock.Advance(uncertainFor)
			w.store().Token(t.Context(), p)
		}
		if got := w.row(p).State; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		if _, again, err := held.store(t.Context(), w.refreshed(held)); !again {
			t.Errorf("got error %v, want that the grant is read again: the row is another", err)
		}
		w.clock.Advance(2 * time.Hour)
		if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrReauthorize) {
			t.Errorf("got error %v, want ErrReauthorize", err)
		}
		w.authorize(w.store())
		w.clock.Advance(2 * time.Hour)
		if _, err := w.store().Token(t.Context(), p); err != nil {
			t.Errorf("authorized again: %v", err)
		}
		w.presented()
	}
}

// A row is restored while its token is sent, and Procore refuses it. The restored row is
// read for what it is: its token is in the ledger.
func TestRowRestoredDuringARefusedRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	restore := w.backup(p)
	w.clock.Advance(2 * time.Hour)
	held := w.claim(s)
	restore()
	if again, err := held.settle(t.Context(), &procore.TokenError{Outcome: procore.Refused, Code: "invalid_grant"}); !again {
		t.Errorf("got error %v, want that the grant is read again", err)
	}
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrReauthorize) || !strings.Contains(err.Error(), sentBefore) {
		t.Errorf("got error %v, want ErrReauthorize because of the ledger", err)
	}
}

// R1: a row that is restored from a backup after the ledger has forgotten its token does
// not send it again.
func TestRestoredRowOlderThanTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	restore := w.backup(p)
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(LedgerLife + 24*time.Hour)
	w.forget()
	restore()
	if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrReauthorize) || !strings.Contains(err.Error(), olderThanTheLedger) {
		t.Errorf("got error %v, want ErrReauthorize with its reason", err)
	}
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// forget empties the ledger, as its TTL does.
func (w *world) forget() {
	w.t.Helper()
	for _, item := range w.spends() {
		key := map[string]types.AttributeValue{"fingerprint": item["fingerprint"]}
		if _, err := w.db.DeleteItem(w.t.Context(), &dynamodb.DeleteItemInput{TableName: &w.names.Spends, Key: key}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// The ledger knows a token whichever keys the processes of a rotation know.
func TestLedgerSurvivesKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.claim(w.store())
	w.ring = newRing("k2", "k1", "k2")
	// The claim is removed by hand, as a restore from a backup would.
	row := w.row(p)
	free := row
	free.attempt, free.claimUntil = "", time.Time{}
	if _, _, err := w.store().swap(t.Context(), row, free); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if got, want := w.presented(), 0; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// The ledger names the grant, for the operator, and forgets a token after its time.
func TestLedgerEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	w.authorize(s)
	held := w.claim(s)
	all := w.spends()
	if len(all) != 1 {
		t.Fatalf("the ledger has %d rows, want 1", len(all))
	}
	for name, want := range map[string]types.AttributeValue{
		"grant":   &types.AttributeValueMemberS{Value: "custom#user#1234567"},
		"attempt": &types.AttributeValueMemberS{Value: held.claimed.attempt},
		"ttl":     &types.AttributeValueMemberN{Value: strconv.FormatInt(w.clock.Now().Add(LedgerLife).Unix(), 10)},
	} {
		if diff := cmp.Diff(all[0][name], want, cmpopts.IgnoreUnexported(types.AttributeValueMemberS{}, types.AttributeValueMemberN{})); diff != "" {
			t.Errorf("%s (-got +want):\n%s", name, diff)
		}
	}
}

// A seal binds a pair to its row: a copy for another principal does not open.
func TestCopiedPairDoesNotOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	item, err := w.db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &w.names.Grants, Key: s.rowKey(string(p))})
	if err != nil {
		t.Fatal(err)
	}
	item.Item["grant"] = s.rowKey(string(User(42)))["grant"]
	if _, err := w.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &w.names.Grants, Item: item.Item}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), User(42)); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if _, err := s.Current(t.Context(), User(42)); !errors.Is(err, ErrReauthorize) {
		t.Errorf("Current: got error %v, want ErrReauthorize", err)
	}
}
