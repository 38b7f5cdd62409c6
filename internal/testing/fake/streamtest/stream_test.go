package streamtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/procore"
)

// world is an inbox, its stream and a function, over the wire of the real SDK.
type world struct {
	t       *testing.T
	db      *dynamodb.Client
	table   string
	mapping StreamMapping // to be copied

	mu      sync.Mutex
	batches []string // the numbers of the records that the function received
	changed chan struct{}
	answer  func(batch int, numbers []string) (failed string, err error)
	reports []string
	late    time.Duration // of the mapping's clock
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, changed: make(chan struct{}, 20_000)}
	dynamo := os.Getenv("DYNAMODB_ENDPOINT")
	if dynamo == "" {
		memory := dynamotest.New()
		server := httptest.NewServer(&awstest.Services{DynamoDB: memory, Streams: Streams(memory)})
		t.Cleanup(server.Close)
		dynamo = server.URL
	}
	w.db = dynamotest.Client(dynamo)
	w.table = tables.CreateForTest(t, w.db).Inbox
	o := w.db.Options()
	w.mapping = StreamMapping{
		Streams: dynamodbstreams.New(dynamodbstreams.Options{BaseEndpoint: &dynamo, Region: o.Region, Credentials: o.Credentials}),
		Table:   w.table, Function: function(w.invoke), Report: w.report, BatchSize: 100,
		Clock: procore.Clock{
			Time: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return time.Now().Add(w.late) },
			Wait: func(ctx context.Context, _ time.Duration) error { return procore.Clock{}.Sleep(ctx, time.Millisecond) },
		},
	}
	return w
}

// invoke is the function. It names as failed what answer returns.
func (w *world) invoke(_ context.Context, payload []byte) ([]byte, error) {
	var in events.DynamoDBEvent
	if err := json.Unmarshal(payload, &in); err != nil {
		w.t.Error(err)
	}
	var numbers []string
	sequences := map[string]string{"unknown": "unknown", "empty": ""}
	for _, r := range in.Records {
		n := r.Change.Keys["event_id"].String()
		numbers, sequences[n] = append(numbers, n), r.Change.SequenceNumber
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batches = append(w.batches, strings.Join(numbers, " "))
	w.changed <- struct{}{}
	var out events.DynamoDBEventResponse
	if w.answer != nil {
		failed, err := w.answer(len(w.batches), numbers)
		if err != nil {
			return nil, err
		}
		for f := range strings.FieldsSeq(failed) {
			out.BatchItemFailures = append(out.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: sequences[f]})
		}
	}
	return json.Marshal(out)
}

func (w *world) report(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reports = append(w.reports, text)
}

func (w *world) reported(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.reports, func(r string) bool { return strings.Contains(r, text) })
}

// start runs a mapping until the test ends or end is called.
func (w *world) start(m StreamMapping) (end func()) {
	w.t.Helper()
	if err := m.Begin(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				w.t.Error(err)
			}
		})
	}
	w.t.Cleanup(end)
	return end
}

type item = map[string]types.AttributeValue

func text(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

func (w *world) put(n int, attributes item) {
	w.t.Helper()
	i := item{"resource": text("5678#RFIs#1"), "event_id": text(fmt.Sprint(n)), "company_id": text("5678")}
	maps.Copy(i, attributes)
	if _, err := w.db.PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &w.table, Item: i}); err != nil {
		w.t.Fatal(err)
	}
}

// want waits until the function has received a record with this number last.
func (w *world) want(last int) []string {
	w.t.Helper()
	timeout := time.After(time.Minute)
	for {
		w.mu.Lock()
		batches := slices.Clone(w.batches)
		w.mu.Unlock()
		if n := len(batches); n > 0 && slices.Contains(strings.Fields(batches[n-1]), fmt.Sprint(last)) {
			return batches
		}
		select {
		case <-w.changed:
		case <-timeout:
			w.t.Fatalf("after %v nothing more", batches)
		}
	}
}

func (w *world) wantBatches(want ...string) {
	w.t.Helper()
	last := strings.Fields(want[len(want)-1])
	var number int
	if _, err := fmt.Sscan(last[len(last)-1], &number); err != nil {
		w.t.Fatal(err)
	}
	for timeout := time.After(10 * time.Second); w.received() < len(want); {
		select {
		case <-w.changed:
		case <-timeout:
			w.t.Fatalf("after %d batches nothing more, want %d", w.received(), len(want))
		}
	}
	if d := cmp.Diff(w.want(number), want); d != "" {
		w.t.Errorf("batches (-got +want):\n%s", d)
	}
}

// received returns how many batches the function received.
func (w *world) received() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.batches)
}

const insertsWithEnvelope = `{"eventName":["INSERT"],"dynamodb":{"NewImage":{"envelope":{"S":[{"exists":true}]}}}}`

func TestStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(1, item{"envelope": text("{}")}) // before it begins
	w.put(2, item{"reason": text("quarantined")})
	w.put(1, item{"envelope": text("{1}")}) // a MODIFY
	w.put(3, item{"envelope": text("{}")})
	w.mapping.Filters = []string{insertsWithEnvelope}
	w.start(w.mapping)
	w.wantBatches("1 3")
}

func TestStreamFromNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(1, nil)
	w.mapping.FromNow = true
	w.start(w.mapping)
	w.put(2, nil)
	w.wantBatches("2")
}

// Only what the function did not name, or did not see, is repeated, and in order.
func TestStreamFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		first string // of the function's answer
		err   error
		want  []string
	}{
		"one":            {"3", nil, []string{"1 2 3 4", "3 4"}},
		"the first":      {"1", nil, []string{"1 2 3 4", "1 2 3 4"}},
		"several":        {"4 2", nil, []string{"1 2 3 4", "2 3 4"}},
		"an error":       {"", errors.New("timed out"), []string{"1 2 3 4", "1 2", "3 4"}},
		"an unknown one": {"unknown", nil, []string{"1 2 3 4", "1 2", "3 4"}},
		"an empty one":   {"empty", nil, []string{"1 2 3 4", "1 2", "3 4"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.answer = func(batch int, _ []string) (string, error) {
				if batch == 1 {
					return test.first, test.err
				}
				return "", nil
			}
			for n := range 4 {
				w.put(n+1, nil)
			}
			w.start(w.mapping)
			w.wantBatches(test.want...)
			if !w.reported("are repeated") {
				t.Errorf("reports %q, want the failure", w.reports)
			}
		})
	}
}

// A record that the function does not survive fails alone until it is too old. Then its
// position goes to the failure destination.
func TestStreamTooOld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mapping.MaxAge = 22 * time.Hour
	tries := 0
	w.answer = func(_ int, numbers []string) (string, error) {
		if !slices.Contains(numbers, "2") {
			return "", nil
		}
		if tries++; tries == 4 {
			w.late = 23 * time.Hour
		}
		return "", errors.New("crashed")
	}
	w.put(1, nil)
	w.put(2, nil)
	dropped := make(chan string, 1)
	w.mapping.OnFailure = func(_ context.Context, message string) error { dropped <- message; return nil }
	w.start(w.mapping)
	var message failure
	if err := json.Unmarshal([]byte(<-dropped), &message); err != nil {
		t.Fatal(err)
	}
	if b := message.Batch; b.Size != 1 || b.StartSequence == "" || b.StartSequence != b.EndSequence || b.ShardID == "" || b.First.IsZero() {
		t.Errorf("failure destination has %+v, want the position of the second record", message)
	}
	w.wantBatches("1 2", "1", "2", "2", "2")
}

// memory is a storage that ends with the test.
type memory struct{ sync.Map }

func (m *memory) Load() map[string][]byte {
	values := map[string][]byte{}
	for key, value := range m.Range {
		values[key.(string)] = value.([]byte)
	}
	return values
}

func (m *memory) Append(changes map[string][]byte) {
	for key, value := range changes {
		m.Store(key, value)
	}
}

// The next mapping continues where the last one saved its position.
func TestStreamContinues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mapping.Storage = &memory{}
	saved := make(chan struct{})
	first := w.mapping
	wait := first.Clock.Wait
	first.Clock.Wait = func(ctx context.Context, d time.Duration) error { // the mapping waits when it has read everything
		if at, err := load(first.Storage); err == nil && at.Sequence != "" {
			select {
			case <-saved:
			default:
				close(saved)
			}
		}
		return wait(ctx, d)
	}
	end := w.start(first)
	w.put(1, nil)
	w.want(1)
	<-saved
	end()
	w.put(2, nil)
	w.start(w.mapping)
	w.wantBatches("1", "2")
}

// A mapping that ends while the function fails has not saved a position behind the failure.
func TestStreamEndsDuringAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mapping.Storage = &memory{}
	var recovered atomic.Bool
	w.answer = func(int, []string) (string, error) {
		if !recovered.Load() {
			return "", errors.New("crashed")
		}
		return "", nil
	}
	w.put(1, nil)
	end := w.start(w.mapping)
	w.want(1)
	end()
	recovered.Store(true)
	all := slices.Repeat([]string{"1"}, w.received()+1)
	w.start(w.mapping)
	w.wantBatches(all...)
}

func TestStreamPositionCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mapping.Storage = &memory{}
	w.mapping.Storage.Append(map[string][]byte{positionKey: []byte("half")})
	if err := w.mapping.Begin(t.Context()); err == nil {
		t.Error("begins, want an error")
	}
}

func TestStreamOfATableWithoutOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mapping.Table = "other"
	if err := w.mapping.Run(t.Context()); err == nil {
		t.Error("runs, want an error")
	}
}

// When the stream has lost records, the mapping reports that and continues with the rest.
func TestStreamFellBehind(t *testing.T) {
	t.Parallel()
	if os.Getenv("DYNAMODB_ENDPOINT") != "" {
		t.Skip("another DynamoDB remembers more")
	}
	w := newWorld(t)
	w.mapping.Storage = &memory{}
	w.put(1, nil)
	end := w.start(w.mapping)
	w.want(1)
	end()
	for n := range 10_010 {
		w.put(2, item{"n": text(fmt.Sprint(n))})
	}
	w.put(3, nil)
	w.start(w.mapping)
	w.want(3)
	if !w.reported("records are lost") {
		t.Errorf("reports %q, want the loss", w.reports)
	}
}

// What Lambda passes to the function has the images, with every type of value.
func TestStreamRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	payloads := make(chan string, 1)
	w.mapping.Function = function(func(_ context.Context, payload []byte) ([]byte, error) {
		payloads <- string(payload)
		return []byte(`{}`), nil
	})
	w.put(1, item{
		"b": &types.AttributeValueMemberB{Value: []byte("x")}, "n": &types.AttributeValueMemberN{Value: "1"}, "y": &types.AttributeValueMemberBOOL{Value: true},
		"ss": &types.AttributeValueMemberSS{Value: []string{"v"}}, "m": &types.AttributeValueMemberM{Value: item{"l": &types.AttributeValueMemberL{Value: []types.AttributeValue{text("e")}}}},
	})
	w.start(w.mapping)
	got := <-payloads
	for _, want := range []string{`"b":{"B":"eA=="}`, `"n":{"N":"1"}`, `"y":{"BOOL":true}`, `"ss":{"SS":["v"]}`, `"m":{"M":{"l":{"L":[{"S":"e"}]}}}`, `"eventName":"INSERT"`, `"ApproximateCreationDateTime":`, `"SequenceNumber":"`} {
		if !strings.Contains(got, want) {
			t.Errorf("payload lacks %s:\n%s", want, got)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	decode := func(text string) (v any) {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	record := decode(`{"a":{"b":"x"},"c":"y","l":["x"]}`)
	for _, tt := range []struct {
		pattern string
		want    bool
	}{
		{`{"a":{"b":["x"]}}`, true},
		{`{"a":{"b":["z","x"]},"c":["y"]}`, true},
		{`{"a":{"b":["x"]},"c":["x"]}`, false},
		{`{"a":{"b":["z"]}}`, false},
		{`{"a":{"b":[{"anything-but":["z"]}]}}`, true},
		{`{"a":{"b":[{"anything-but":["x","z"]}]}}`, false},
		{`{"a":{"absent":[{"anything-but":["z"]}]}}`, false},
		{`{"a":{"b":[{"exists":true}]}}`, true},
		{`{"d":{"b":[{"exists":true}]}}`, false},
		{`{"l":[{"exists":true}]}`, true},
	} {
		if got, err := Matches([]string{tt.pattern}, record); got != tt.want || err != nil {
			t.Errorf("%s: %v, %v, want %v", tt.pattern, got, err, tt.want)
		}
	}
	for _, bad := range []string{`{"a":"x"}`, `{"a":[{"prefix":"x"}]}`, `{"a":[{"exists":true}]}`, `{`} {
		if _, err := Matches([]string{bad}, record); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

// A change matches as its record does.
func TestMatchChange(t *testing.T) {
	t.Parallel()
	memory := dynamotest.New()
	server := httptest.NewServer(memory)
	t.Cleanup(server.Close)
	w := &world{t: t, db: dynamotest.Client(server.URL)}
	w.table = tables.CreateForTest(t, w.db).Inbox
	w.put(1, item{
		"n": &types.AttributeValueMemberN{Value: "7"}, "y": &types.AttributeValueMemberBOOL{Value: true},
		"m": &types.AttributeValueMemberM{Value: item{"in": text("x")}},
	})
	changes, err := memory.Changes(w.table, 0, 10)
	if err != nil || len(changes) != 1 {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	for pattern, want := range map[string]bool{
		`{"eventName":["INSERT"],"dynamodb":{"Keys":{"event_id":{"S":[{"exists":true}]}}}}`: true,
		`{"dynamodb":{"NewImage":{"n":{"N":["7"]},"y":{"BOOL":[true]}}}}`:                   true,
		`{"dynamodb":{"NewImage":{"m":{"M":{"in":{"S":["x"]}}}}}}`:                          true,
		`{"dynamodb":{"NewImage":{"n":{"N":[7]}}}}`:                                         false,
		`{"dynamodb":{"OldImage":{"n":{"N":[{"exists":true}]}}}}`:                           false,
		`{"eventName":["REMOVE"]}`:                                                          false,
	} {
		filters, err := ParseFilters([]string{pattern})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := filters.MatchChange(changes[0]); err != nil || got != want {
			t.Errorf("%s: %t, %v, want %t", pattern, got, err, want)
		}
	}
}
