package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
)

func TestStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	payload := strings.Replace(payload, "{", `{"ulid":"01JMYXMZRBVKK0PC6XS8SA4QRE",`, 1)
	e := decode(t, payload)
	if got, err := w.Add(t.Context(), e, []byte(payload)); err != nil || got != (Outcome{Stored, "", true}) {
		t.Fatalf("Store = %v, %v, want stored", got, err)
	}
	envelope, err := procore.EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{{
		"resource":        "5678#Direct Cost Line Items#9007199254740993",
		"event_id":        "01JMYXMZRBVKK0PC6XS8SA4QRE",
		"group_id":        "5678%23Direct%20Cost%20Line%20Items%239007199254740993",
		"dedup_id":        "5678%2301JMYXMZRBVKK0PC6XS8SA4QRE",
		"company_id":      "5678",
		"envelope":        string(envelope),
		"body":            payload,
		"payload_version": "v2.0",
		"ulid":            "01JMYXMZRBVKK0PC6XS8SA4QRE",
		"happened_at_ms":  "1793534400000",
		"received_at_ms":  "1790000000123",
		"ttl":             strconv.Itoa(1_790_000_000 + 14*24*3600),
	}}
	if diff := cmp.Diff(want, w.items(t)); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	back, err := procore.ParseEvent([]byte(w.items(t)[0]["envelope"]))
	if diff := cmp.Diff(e, back); err != nil || diff != "" {
		t.Errorf("envelope: %v (-want +got):\n%s", err, diff)
	}
}

// The envelope has text that SQS accepts, whatever the delivery has. A refused message
// would hold up all that follow it. The consumer reads the same text.
func TestEnvelopeIsWhatAQueueTakes(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]string{
		"U+FFFE": "\uFFFE", "U+FFFF": "\uFFFF", "escaped": `\uffff`, "NUL": `\u0000`, "a lone surrogate": `\ud800`, "no UTF-8": "\xff",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			body := strings.Replace(payload, `"user_id":`, `"data":{"title":"`+odd+`"},"related_resources":[{"id":1,"name":"x`+odd+`x"}],"user_id":`, 1)
			e, err := procore.DecodeEvent([]byte(body))
			if err != nil {
				body = strings.Replace(payload, `"user_id":`, `"data":{"title":"`+odd+`"},"user_id":`, 1)
				e = decode(t, body)
			}
			if got, err := w.Add(t.Context(), e, []byte(body)); err != nil || got.Word != Stored {
				t.Fatalf("Store = %v, %v, want stored", got, err)
			}
			envelope := w.items(t)[0]["envelope"]
			q, err := awstest.NewQueues().Create("q.fifo", awstest.QueueOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := q.Send(awstest.Message{Body: envelope, Group: "g", Dedup: "d"}); err != nil {
				t.Error(err)
			}
			back, err := procore.ParseEvent([]byte(envelope))
			var got, want struct{ Title string }
			if json.Unmarshal(back.Data, &got) != nil || json.Unmarshal(e.Data, &want) != nil || got != want || err != nil {
				t.Errorf("data %q, want %q, %v", got.Title, want.Title, err)
			}
			if diff := cmp.Diff(e.Related, back.Related); diff != "" {
				t.Errorf("related (-want +got):\n%s", diff)
			}
		})
	}
}

// An event is stored once, even if many deliveries of it arrive together. The first
// one does not change.
func TestStoreOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	stored := 0
	for range 20 {
		all.Go(func() {
			got, err := w.Add(t.Context(), decode(t, payload), []byte(payload))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if got.New {
				stored++
			}
		})
	}
	all.Wait()
	if stored != 1 {
		t.Errorf("stored %d times, want once", stored)
	}
	before := w.items(t)
	w.now = w.now.Add(time.Hour)
	again := strings.Replace(payload, "update", "delete", 1) // Procore would not, but the first counts
	if got, err := w.Add(t.Context(), decode(t, again), []byte(again)); err != nil || got != (Outcome{Word: Duplicate}) {
		t.Errorf("Store = %v, %v, want a duplicate", got, err)
	}
	if diff := cmp.Diff(before, w.items(t)); diff != "" || len(before) != 1 {
		t.Errorf("a duplicate changed %d items (-before +after):\n%s", len(before), diff)
	}
}

// Neither another company's event with the same id nor another event of the same
// resource is a duplicate.
func TestNotDuplicates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, change := range [][2]string{{"", ""}, {`"company_id":5678`, `"company_id":5679`}, {`"id":42,`, `"id":43,`},
		{`"resource_id":9007199254740993`, `"resource_id":9007199254740992`}, {"Direct Cost Line Items", "Direct Costs"}} {
		body := strings.Replace(payload, change[0], change[1], 1)
		if got, err := w.Add(t.Context(), decode(t, body), []byte(body)); err != nil || got.Word != Stored {
			t.Errorf("%q: Store = %v, %v, want stored", change[1], got, err)
		}
	}
}

// Whatever a delivery of at most 128 KB contains, the item is far below 400 KB, has
// keys that DynamoDB accepts, and is stored at once.
func TestItemSize(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("\u6f22", 66) // 198 bytes, three each
	id := strings.Repeat("\u00e9", 100)
	fixed := fmt.Sprintf(`{"id":%q,"ulid":%q,"company_id":9223372036854775807,"resource_name":%q,"resource_id":9223372036854775807,"event_type":"update"`, id, id, name)
	fill := func(unit string) string {
		return strings.Repeat(unit, (MaxBody-len(fixed)-100)/len(unit))
	}
	for what, tt := range map[string]struct {
		body        string
		quarantined bool
	}{
		"data":              {fixed + `,"data":{"a":"` + fill("x") + `"}}`, false},
		"data to escape":    {fixed + `,"data":{"a":"` + fill("<&>") + `"}}`, false},
		"line separators":   {fixed + `,"data":{"a":"` + fill("\u2028") + `"}}`, false},
		"broken UTF-8":      {fixed + `,"data":{"a":"` + fill("\xff") + `"}}`, false},
		"related resources": {fixed + `,"related_resources":[` + fill(`{"id":1},`) + `{"id":1}]}`, true},
		"related names":     {fixed + `,"related_resources":[` + fill(`{"name":"`+name+`"},`) + `{"id":1}]}`, false},
		"broken names":      {fixed + `,"related_resources":[` + fill(`{"name":"`+strings.Repeat("\xff", 66)+`"},`) + `{"id":1}]}`, true},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			body := tt.body
			if len(body) > MaxBody {
				t.Fatalf("%d bytes", len(body))
			}
			w := newWorld(t)
			want := Outcome{Stored, "", true}
			if tt.quarantined {
				want = Outcome{Quarantined, "its item would be too large", true}
			}
			if got, err := w.Add(t.Context(), decode(t, body), []byte(body)); err != nil || got != want {
				t.Fatalf("Store = %v, %v, want %v", got, err, want)
			}
			item, size := w.items(t)[0], 0
			for name, value := range item {
				size += len(name) + len(value)
			}
			if quarantined := item["envelope"] == ""; quarantined != tt.quarantined {
				t.Errorf("quarantined = %v, want %v", quarantined, tt.quarantined)
			}
			if limit := 400 << 10; size > limit {
				t.Errorf("%d bytes, want at most %d", size, limit)
			}
		})
	}
}

// A body that is too large is not part of an event's item.
func TestStoreLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := payload + strings.Repeat(" ", MaxBody)
	if got, err := w.Add(t.Context(), decode(t, body), []byte(body)); err != nil || got.Word != Quarantined || !got.New {
		t.Fatalf("Store = %v, %v, want it quarantined", got, err)
	}
	if item := w.items(t)[0]; item["resource"] != "5678#quarantine" || len(item["body"]) != quarantineBody {
		t.Errorf("stored as %q with %d bytes, want it quarantined", item["resource"], len(item["body"]))
	}
}

func TestStorageFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := decode(t, payload)
	for _, fault := range []dynamotest.Fault{{Code: "ThrottlingException"}, {Code: "InternalServerError"}, {Drop: true}, {Drop: true, Applied: true}} {
		w.dynamo.Intercept(func(string, []byte) dynamotest.Fault { return fault })
		if got, err := w.Add(t.Context(), e, []byte(payload)); err == nil || got != (Outcome{}) {
			t.Errorf("%+v: Store = %v, %v, want an error", fault, got, err)
		}
		if got, err := w.Quarantine(t.Context(), 5678, "x", []byte("x")); err == nil || got != (Outcome{}) {
			t.Errorf("%+v: Quarantine = %v, %v, want an error", fault, got, err)
		} else if strings.Contains(err.Error(), "Direct Cost") {
			t.Errorf("the delivery shows: %v", err)
		}
	}
	w.dynamo.Intercept(nil)
	// The last answer was lost, not the event: its repetition is a duplicate.
	if got, err := w.Add(t.Context(), e, []byte(payload)); err != nil || got.Word != Duplicate {
		t.Errorf("repeated: Store = %v, %v, want a duplicate", got, err)
	}
	// An item that would be refused each time must not be delivered again and again.
	w.dynamo.Intercept(func(_ string, body []byte) dynamotest.Fault {
		if strings.Contains(string(body), `"envelope"`) {
			return dynamotest.Fault{Code: "ValidationException"}
		}
		return dynamotest.Fault{}
	})
	if got, err := w.Add(t.Context(), e, []byte(payload)); err != nil || got != (Outcome{Quarantined, "storage refuses its item", true}) {
		t.Errorf("Store = %v, %v, want it quarantined", got, err)
	}
	w.dynamo.Intercept(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Add(ctx, e, []byte(payload)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, want context.Canceled", err)
	}
}
