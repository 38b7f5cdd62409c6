package recovery

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const company = procoretest.MyConstruction

// world is a Recoverer with its surroundings.
type world struct {
	*functiontest.World
	*Recoverer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := functiontest.New(t)
	return &world{w, &Recoverer{
		Inbox: &inbox.Store{DB: w.DB, Table: w.Tables.Inbox, Clock: w.Clock.Seam()}, Log: w.Log.Logger,
	}}
}

// Deliveries that are not events, or another company's, are quarantined after the
// events are stored. An item of the list that is no delivery is skipped.
func TestStoreQuarantines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := func(id, company int64) procore.Delivery {
		return procore.Delivery{Payload: []byte(fmt.Sprintf(`{"id":%d,"company_id":%d,"resource_name":"RFIs","resource_id":1,"event_type":"update"}`, id, company))}
	}
	found := []procore.Delivery{event(1, company), {Payload: []byte(`{"id":2}`)}, event(3, 4711), {ID: "7"}, {}, event(4, company)}
	for _, want := range []Result{{Stored: 2, Quarantined: 3}, {Duplicates: 5}} {
		if got, err := w.store(t.Context(), company, found); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	out, err := w.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &w.Tables.Inbox})
	if err != nil {
		t.Fatal(err)
	}
	events, quarantined := 0, 0
	for _, item := range out.Items {
		if item["envelope"] != nil {
			events++
		}
		if item["reason"] != nil {
			quarantined++
		}
	}
	if events != 2 || quarantined != 3 {
		t.Errorf("%d are stored and %d in quarantine, want 2 and 3", events, quarantined)
	}
}

// Events are stored in the order in which they happened, even from a list that begins
// with the newest.
func TestStoreOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var found []procore.Delivery
	for i := range 5 {
		found = append(found, procore.Delivery{Payload: []byte(fmt.Sprintf(
			`{"id":%d,"company_id":5678,"resource_name":"RFIs","resource_id":1,"event_type":"update","timestamp":"2026-11-01T12:00:0%dZ"}`, 10+i, 5-i))})
	}
	var order []string
	w.Fault(func(operation string, body []byte) dynamotest.Fault {
		if operation == "PutItem" {
			_, id, _ := strings.Cut(string(body), `"event_id":{"S":"`)
			order = append(order, id[:2])
		}
		return dynamotest.Fault{}
	})
	if _, err := w.store(t.Context(), company, found); err != nil || !slices.Equal(order, []string{"14", "13", "12", "11", "10"}) {
		t.Errorf("stored in the order %v, %v", order, err)
	}
}

// Deliveries are read again for longer than Procore may have dated them back, and
// never from before what the inbox remembers.
func TestSince(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_790_000_000, 0)
	for mark, want := range map[time.Time]time.Duration{
		now:                           26 * time.Hour,
		now.Add(-6 * time.Hour):       32 * time.Hour,
		now.Add(-12 * 24 * time.Hour): 13 * 24 * time.Hour,
		{}:                            13 * 24 * time.Hour,
	} {
		if got := now.Sub(since(mark, now)); got != want {
			t.Errorf("mark %v ago: got %v, want %v", now.Sub(mark), got, want)
		}
	}
}
