package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
)

func TestWaves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pending, want string
		size          int
	}{
		{"a1 b1 a2 c1 a3 b2", "a1 b1 c1; a2 b2; a3", 1},
		{"a1 b1 c1 d1 e1 f1 g1 h1 i1 j1 k1", "a1 b1 c1 d1 e1 f1 g1 h1 i1 j1; k1", 1},
		{"a1 b1 c1 a2", "a1 b1; c1; a2", 128 << 10},
		{"a1 b1 c1", "a1; b1; c1", 128<<10 + 1},
		{"", "", 1},
	} {
		var pending []entry
		for at, name := range strings.Fields(tt.pending) {
			pending = append(pending, entry{at: at, id: name, group: name[:1], body: strings.Repeat("x", tt.size)})
		}
		var got []string
		for len(pending) > 0 {
			var heads []entry
			heads, pending = wave(pending, nil)
			for _, batch := range batches(heads) {
				var names []string
				for _, e := range batch {
					names = append(names, e.id)
				}
				got = append(got, strings.Join(names, " "))
			}
		}
		if got := strings.Join(got, "; "); got != tt.want {
			t.Errorf("requests for %s: %s, want %s", tt.pending, got, tt.want)
		}
	}
}

func TestPoison(t *testing.T) {
	t.Parallel()
	good := entry{body: "{}\t\r\n\uFFFD\U0001F3D7", group: "5678#RFIs#1", dedup: "5678#1"}
	if reason := poison(good); reason != "" {
		t.Errorf("a good event: %s", reason)
	}
	for name, e := range map[string]entry{
		"too large":      {body: strings.Repeat("x", 256<<10+1), group: "g", dedup: "d"},
		"not UTF-8":      {body: "\xff", group: "g", dedup: "d"},
		"NUL":            {body: "a\x00", group: "g", dedup: "d"},
		"U+FFFE":         {body: "\uFFFE", group: "g", dedup: "d"},
		"U+FFFF":         {body: "\uFFFF", group: "g", dedup: "d"},
		"long group":     {body: "{}", group: strings.Repeat("g", 129), dedup: "d"},
		"blank in group": {body: "{}", group: "g g", dedup: "d"},
		"no group":       {body: "{}", dedup: "d"},
		"dedup":          {body: "{}", group: "g", dedup: "é"},
	} {
		if poison(e) == "" {
			t.Errorf("%s is not poison", name)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := eventsOf("a1", "b1", "a2", "a3", "b2")
	modified, quarantined := event("a9"), record("a8", "")
	modified.Name = "MODIFY"
	in.Records = append(in.Records, modified, quarantined)
	if got := w.handle(t.Context(), in); got != "" {
		t.Errorf("repeated from %s, want none", got)
	}
	if got := w.bodies(); got != "a1a2a3 b1b2" {
		t.Errorf("sent %s", got)
	}
	if d := cmp.Diff(w.requests, [][]string{{"a", "b"}, {"a", "b"}, {"a"}}); d != "" {
		t.Errorf("requests (-got +want):\n%s", d)
	}
	lines := w.lines("event dispatched")
	if len(lines) != 5 || lines[0]["event_id"] != "a1" || lines[0]["company_id"] != 5678.0 {
		t.Errorf("lines %v, want one per event with its id", lines)
	}
}

// What the queue refuses is repeated, whatever the code, and nothing of its group
// overtakes it.
func TestRefusedGroupStops(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"RequestThrottled", "KmsThrottled", "KmsAccessDenied", "AccessDenied", "InvalidParameterValue", "InvalidMessageContents", "InternalError"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			refused := true
			w.refuse = func(m awstest.Message) error {
				if refused && m.Body == `"a2"` {
					return &awstest.Error{Code: code, Message: "on purpose"}
				}
				return nil
			}
			in := eventsOf("a1", "b1", "a2", "b2", "a3", "b3")
			if got := w.handle(t.Context(), in); got != "seq-a2" {
				t.Errorf("repeated from %q, want a2", got)
			}
			if got := w.bodies(); got != "a1 b1b2b3" {
				t.Errorf("sent %s, want nothing behind a2 of its group", got)
			}
			if lines := w.lines("event not sent, will be repeated"); len(lines) != 1 || lines[0]["event_id"] != "a2" || !strings.Contains(fmt.Sprint(lines[0]["error"]), code) {
				t.Errorf("lines %v, want one with the event and %s", lines, code)
			}
			w.mu.Lock()
			refused, w.requests = false, nil
			w.mu.Unlock()
			if got := w.handle(t.Context(), Event{in.Records[2:]}); got != "" {
				t.Errorf("then repeated from %q, want none", got)
			}
			if got := w.bodies(); got != "a1a2a3 b1b2b3" {
				t.Errorf("then sent %s", got)
			}
			if d := cmp.Diff(w.requests, [][]string{{"a"}, {"a"}}); d != "" {
				t.Errorf("what was sent before is sent again (-got +want):\n%s", d)
			}
		})
	}
}

// A request that fails as a whole ends the run, because the next one would fail too.
func TestRequestFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail = func(request int) bool { return request == 2 }
	if got := w.handle(t.Context(), eventsOf("a1", "a2", "a3")); got != "seq-a2" {
		t.Errorf("repeated from %q, want a2", got)
	}
	if got := w.bodies(); got != "a1" || len(w.requests) != 2 {
		t.Errorf("sent %s in %d requests, want a1 in 2", got, len(w.requests))
	}
	if len(w.lines("events not sent, will be repeated")) != 1 {
		t.Error("no line about it")
	}
}

// When the time is up, the rest is for the next invocation.
func TestOutOfTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), answerMargin-time.Second)
	defer cancel()
	if got := w.handle(ctx, eventsOf("a1")); got != "seq-a1" || len(w.requests) > 0 {
		t.Errorf("repeated from %q after %d requests, want a1 after none", got, len(w.requests))
	}
}

func TestUndeliverable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	large, forbidden := record("a2", strings.Repeat("x", 256<<10+1)), record("b1", "\x00")
	w.put(large) // the other one has expired
	in := Event{[]Record{event("a1"), large, forbidden, event("a3")}}
	if got := w.handle(t.Context(), in); got != "" || w.bodies() != "a1a3" {
		t.Errorf("repeated from %q, sent %s, want a1 and a3", got, w.bodies())
	}
	if w.mark(large) == "" || w.mark(forbidden) != "" {
		t.Errorf("marks %q and %q, want one of the event that is stored", w.mark(large), w.mark(forbidden))
	}
	if lines := w.lines("undeliverable event skipped"); len(lines) != 2 || lines[0]["reason"] == "" {
		t.Errorf("lines %v, want two with their reasons", lines)
	}
}

// Poison that cannot be marked would be lost unseen.
func TestUndeliverableIsMarkedFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.Intercept(func(string, []byte) dynamotest.Fault { return dynamotest.Fault{Code: "ValidationException"} })
	if got := w.handle(t.Context(), Event{[]Record{record("a1", "\x00"), event("b1"), event("a2")}}); got != "seq-a1" || w.bodies() != "b1" {
		t.Errorf("repeated from %q, sent %s, want a1 and b1", got, w.bodies())
	}
}

// A heartbeat counts when everything before it was sent.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.UnixMilli(1_800_000_090_500)
	w.Clock = procore.Clock{Time: func() time.Time { return now }}
	beat := Record{ID: "beat", Name: "INSERT"}
	beat.Change.SequenceNumber, beat.Change.NewImage.Resource.S, beat.Change.NewImage.ReceivedMS.N = "seq-beat", inbox.Heartbeat, "1800000000000"
	w.fail = func(request int) bool { return request == 1 }
	in := Event{[]Record{event("a1"), beat}}
	if w.handle(t.Context(), in); len(w.lines("heartbeat dispatched")) > 0 {
		t.Error("a heartbeat overtakes an event")
	}
	w.handle(t.Context(), in)
	if lines := w.lines("heartbeat dispatched"); len(lines) != 1 || lines[0]["lag_s"] != 90.5 {
		t.Errorf("lines %v, want one of 90.5 s", lines)
	}
}

// The memory of what is sent is bounded, and has nothing of a batch that is done.
func TestMemory(t *testing.T) {
	t.Parallel()
	var m memory
	records := eventsOf("a1", "b1", "b2").Records
	m.keep(records, []bool{false, true, true}, 0)
	if len(m) != 2 || !m["id-b1"] {
		t.Errorf("%v, want what is behind a1", m)
	}
	m.keep(records, []bool{true, true, true}, 3)
	if len(m) != 0 {
		t.Errorf("%v, want nothing", m)
	}
	for n := range maxSent {
		m[fmt.Sprint(n)] = true
	}
	if m.keep(records, []bool{false, true, true}, 0); len(m) != 2 {
		t.Errorf("%d records, want the last two", len(m))
	}
}

// Any failures, and a process that dies at any time, change neither the order of a group
// nor what arrives.
func TestAnyFailures(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		dice := rand.New(rand.NewPCG(seed, 0))
		w := newWorld(t)
		w.fail = func(int) bool { return dice.IntN(6) == 0 }
		w.refuse = func(awstest.Message) error {
			if dice.IntN(4) == 0 {
				return errors.New("busy")
			}
			return nil
		}
		var names []string
		want := map[string][]string{}
		for n := range 30 {
			group := string(rune('a' + dice.IntN(5)))
			name := fmt.Sprint(group, n)
			names, want[group] = append(names, name), append(want[group], fmt.Sprintf("%q", name))
		}
		in := eventsOf(names...)
		for rounds := 0; len(in.Records) > 0; rounds++ {
			if dice.IntN(3) == 0 {
				w.sent = nil // another process
			}
			batch := Event{in.Records[:1+dice.IntN(len(in.Records))]}
			first := w.handle(t.Context(), batch)
			at := slices.IndexFunc(batch.Records, func(r Record) bool { return r.Change.SequenceNumber == first })
			if at < 0 {
				at = len(batch.Records)
			}
			in.Records = in.Records[at:]
			if rounds > 1000 {
				t.Fatalf("seed %d: no end", seed)
			}
		}
		if d := cmp.Diff(w.accepted, want); d != "" {
			t.Errorf("seed %d: accepted (-got +want):\n%s", seed, d)
		}
		for _, groups := range w.requests {
			slices.Sort(groups)
			if len(slices.Compact(slices.Clone(groups))) < len(groups) {
				t.Errorf("seed %d: a request has two events of a group: %v", seed, groups)
			}
		}
	}
}
