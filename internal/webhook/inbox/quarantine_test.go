package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	if diff := cmp.Diff(want, w.items(t)); diff != "" { // no envelope: the dispatcher has nothing to send
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

// Over the quota nothing of a company is quarantined until the next hour. Its events,
// and other companies, are not affected.
func TestQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Quota = 3
	for n := range 3 {
		if _, err := w.quarantine(t, 5678, strconv.Itoa(n)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := w.quarantine(t, 5678, "3"); err != nil || got != (Outcome{Word: OverQuota, Reason: "not a JSON object"}) {
		t.Errorf("Quarantine = %v, %v, want it over the quota", got, err)
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

// Of deliveries that arrive at once, the quota is kept.
func TestQuotaTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Quota = 7
	var all sync.WaitGroup
	var kept, over atomic.Int32
	for n := range 20 {
		all.Go(func() {
			switch got, err := w.quarantine(t, 5678, strconv.Itoa(n)); {
			case err != nil:
				t.Error(err)
			case got.Word == OverQuota:
				over.Add(1)
			default:
				kept.Add(1)
			}
		})
	}
	all.Wait()
	if kept.Load() != 7 || over.Load() != 13 || len(w.items(t)) != 7 {
		t.Errorf("%d kept, %d over the quota, %d items; want 7, 13, 7", kept.Load(), over.Load(), len(w.items(t)))
	}
}

// What cannot be counted is stored, also if the count gets no answer: it leaves time.
func TestQuarantineWithoutCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done := make(chan struct{})
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "UpdateItem" {
			<-done
		}
		return dynamotest.Fault{}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
	defer cancel()
	got, err := w.Quarantine(ctx, 5678, "odd", []byte("x"))
	close(done)
	if err != nil || got != (Outcome{Quarantined, "odd", true}) || len(w.items(t)) != 1 {
		t.Errorf("Quarantine = %v, %v, want it stored", got, err)
	}
}
