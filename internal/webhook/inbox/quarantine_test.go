package inbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
)

func (w *world) quarantine(t *testing.T, company int64, body string) (Outcome, error) {
	t.Helper()
	return w.Quarantine(t.Context(), company, "not a JSON object", []byte(body))
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := strings.Repeat("not JSON ", 100_000)
	for _, isNew := range []bool{true, false} {
		want := Outcome{Quarantined, "not a JSON object", isNew}
		if got, err := w.quarantine(t, 5678, body); err != nil || got != want {
			t.Errorf("Quarantine = %v, %v, want %v", got, err, want)
		}
	}
	sum := sha256.Sum256([]byte(body))
	want := []map[string]string{{
		"resource":       "5678#quarantine",
		"event_id":       hex.EncodeToString(sum[:]),
		"company_id":     "5678",
		"reason":         "not a JSON object",
		"size":           "900000",
		"body":           body[:4096],
		"received_at_ms": "1790000000123",
		"ttl":            strconv.Itoa(1_790_000_000 + 14*24*3600),
	}}
	if diff := cmp.Diff(want, w.items(t)); diff != "" { // no envelope: the pipe has nothing to send
		t.Errorf("items (-want +got):\n%s", diff)
	}
	for _, other := range []struct {
		company int64
		body    string
	}{{5679, body}, {5678, body + " "}, {5678, ""}} {
		if got, err := w.quarantine(t, other.company, other.body); err != nil || !got.New {
			t.Errorf("company %d, %d bytes: Quarantine = %v, %v, want it new", other.company, len(other.body), got, err)
		}
	}
}

// A body that is small enough for an event is kept whole, to be decoded again.
func TestQuarantineWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := strings.Repeat("x", MaxBody)
	if _, err := w.quarantine(t, 5678, body); err != nil {
		t.Fatal(err)
	}
	if got := w.items(t)[0]["body"]; got != body {
		t.Errorf("%d bytes are kept, want %d", len(got), len(body))
	}
}

// Over the quota a company's deliveries are refused until the next hour. Deliveries
// already in quarantine, its events, and other companies are not.
func TestQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Quota = 3
	for n := range 3 {
		for range 2 { // a repetition does not count
			if _, err := w.quarantine(t, 5678, strconv.Itoa(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := w.quarantine(t, 5678, "3"); !errors.Is(err, ErrOverQuota) || got != (Outcome{}) {
		t.Errorf("Quarantine = %v, %v, want ErrOverQuota", got, err)
	}
	if got, err := w.quarantine(t, 5678, "0"); err != nil || got.New {
		t.Errorf("of what is kept: Quarantine = %v, %v, want it known", got, err)
	}
	if got, err := w.Add(t.Context(), decode(t, payload), []byte(payload)); err != nil || got.Word != Stored {
		t.Errorf("Store = %v, %v, want it stored", got, err)
	}
	if _, err := w.quarantine(t, 5679, "3"); err != nil {
		t.Errorf("another company: %v", err)
	}
	if got := len(w.items(t)); got != 5 {
		t.Errorf("%d items, want 5", got)
	}
	w.now = w.now.Add(time.Hour)
	if got, err := w.quarantine(t, 5678, "3"); err != nil || !got.New {
		t.Errorf("an hour later: Quarantine = %v, %v, want it new", got, err)
	}
}

// Of deliveries that arrive at once, at most the quota is kept.
func TestQuotaTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Quota = 7
	var all sync.WaitGroup
	var kept, refused atomic.Int32
	for n := range 20 {
		all.Go(func() {
			switch _, err := w.quarantine(t, 5678, strconv.Itoa(n)); {
			case err == nil:
				kept.Add(1)
			case errors.Is(err, ErrOverQuota):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if kept.Load() != 7 || refused.Load() != 13 || len(w.items(t)) != 7 {
		t.Errorf("%d kept, %d refused, %d items; want 7, 13, 7", kept.Load(), refused.Load(), len(w.items(t)))
	}
}

// A conflict with another delivery's count is temporary.
func TestQuarantineConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conflict := dynamotest.Fault{Reasons: []string{"None", "TransactionConflict"}}
	w.dynamo.Intercept(dynamotest.Nth(1, "TransactWriteItems", conflict))
	if got, err := w.quarantine(t, 5678, "x"); err != nil || !got.New {
		t.Errorf("Quarantine = %v, %v, want it new", got, err)
	}
	w.dynamo.Intercept(func(string, []byte) dynamotest.Fault { return conflict })
	if got, err := w.quarantine(t, 5678, "y"); err == nil || errors.Is(err, ErrOverQuota) {
		t.Errorf("without end: Quarantine = %v, %v, want an error of storage", got, err)
	}
	w.dynamo.Intercept(func(string, []byte) dynamotest.Fault {
		return dynamotest.Fault{Reasons: []string{"ValidationError", "None"}}
	})
	if _, err := w.quarantine(t, 5678, "z"); err == nil {
		t.Error("no error for an item that is not valid")
	}
}
