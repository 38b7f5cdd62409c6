package procoretest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hooked starts a fake with one hook for updates of RFIs, on a clock that only
// Advance moves.
func hooked(t *testing.T, version string, answer func(n int, w http.ResponseWriter), o Options) (*Server, *receiver, string) {
	t.Helper()
	start := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return start }
	p := Start(t, o)
	rec := receive(t, answer)
	token := p.Token(t, Joe, redirect).AccessToken
	hook := newHook(t, p, token, rec.URL, version)
	addTrigger(t, p, token, hook, "RFIs", "update")
	return p, rec, fmt.Sprintf("%s/%d/deliveries", hooksPath, hook)
}

func emitUpdate(t *testing.T, p *Server, copies int) string {
	t.Helper()
	got, err := p.Emit(Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", ResourceID: "77", EventType: "update",
		UserID: Joe, Copies: copies, Related: []RelatedResource{{1234, "Direct Costs"}}, Data: json.RawMessage(`{"a":1}`)})
	if err != nil || len(got.EventIDs) != 1 || got.ResourceID != "77" {
		t.Fatalf("emitted %+v, %v", got, err)
	}
	return got.EventIDs[0]
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	numbers := map[string]any{
		"timestamp": "2026-06-01T12:00:00.000000Z", "user_id": 1234567.0, "company_id": 5678.0, "project_id": 2001.0,
		"event_type": "update", "resource_name": "RFIs", "resource_id": 77.0,
		"metadata": map[string]any{"source_user_id": 1234567.0, "source_project_id": 2001.0, "source_operation_id": nil,
			"source_company_id": 5678.0, "source_application_id": nil},
	}
	with := func(more map[string]any) map[string]any {
		m := maps.Clone(numbers)
		maps.Copy(m, more)
		return m
	}
	related := []any{map[string]any{"id": 1234.0, "name": "Direct Costs"}}
	for version, want := range map[string]map[string]any{
		"v2":   with(map[string]any{"api_version": "v2"}),
		"v2.0": with(map[string]any{"api_version": "v2.0", "ulid": ""}),
		"v3.0": with(map[string]any{"api_version": "v3.0", "ulid": "", "related_resources": related}),
		"v4.0": {"timestamp": "2026-06-01T12:00:00.000000Z", "reason": "update", "company_id": "5678", "project_id": "2001",
			"user_id": "1234567", "resource_type": "RFIs", "resource_id": "77", "data": map[string]any{"a": 1.0}},
	} {
		p, rec, _ := hooked(t, version, nil, Options{})
		id := emitUpdate(t, p, 1)
		d := rec.next(t)
		var got map[string]any
		if err := json.Unmarshal([]byte(d.body), &got); err != nil {
			t.Fatal(err)
		}
		want["id"] = id
		if version != "v4.0" { // a number
			if !strings.Contains(d.body, id) {
				t.Errorf("%s: %s lacks id %s", version, d.body, id)
			}
			want["id"] = got["id"]
		}
		if ulid, ok := got["ulid"].(string); ok && len(ulid) == 26 {
			got["ulid"] = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", version, diff)
		}
		if d.header.Get("Content-Type") != "application/json" || d.header.Get("Authorization") != "Bearer hook-secret" {
			t.Errorf("%s: headers %v", version, d.header)
		}
	}
}

// Failures pause the hook with a backoff that doubles. Nothing overtakes the event
// that failed. One success resets the backoff.
func TestBackoffAndOrder(t *testing.T) {
	t.Parallel()
	p, rec, list := hooked(t, "v2.0", func(n int, w http.ResponseWriter) {
		if n <= 3 || n == 5 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}, Options{})
	first, second := emitUpdate(t, p, 1), emitUpdate(t, p, 1)
	attempt := func(n int, want string) {
		t.Helper()
		if d := rec.next(t); !strings.Contains(d.body, `"`+want+`"`) {
			t.Fatalf("attempt %d delivered %s, want event %s", n, d.body, want)
		}
		eventually(t, p, "attempt recorded", func(st State) bool { return len(st.Deliveries) == n })
	}
	attempt(1, first)
	for n, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		h := p.State().Hooks[0]
		if got := h.NextAttempt.Sub(p.Now()); got != wait || !h.Paused || h.Waiting != 2 {
			t.Fatalf("after attempt %d: next in %v, want %v; %+v", n+1, got, wait, h)
		}
		p.Advance(wait - time.Millisecond)
		p.Advance(time.Millisecond)
		if n < 2 {
			attempt(n+2, first)
		}
	}
	for _, want := range []string{first, second} { // attempt 4 succeeds, 5 fails
		if d := rec.next(t); !strings.Contains(d.body, `"`+want+`"`) {
			t.Fatalf("delivered %s, want event %s", d.body, want)
		}
	}
	st := eventually(t, p, "attempt 5 recorded", func(st State) bool { return len(st.Deliveries) == 5 })
	if got := st.Hooks[0].NextAttempt.Sub(st.Now); got != time.Second {
		t.Errorf("after a success and a failure the backoff is %v, want 1s", got)
	}
	p.Advance(time.Second)
	attempt(6, second)
	var outcomes []string
	for _, d := range p.State().Deliveries {
		outcomes = append(outcomes, d.Outcome)
	}
	if diff := cmp.Diff([]string{"retried", "retried", "retried", "ok", "retried", "ok"}, outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	token := p.Token(t, Joe, redirect).AccessToken
	for filter, want := range map[string]int{
		"": 2, "?filter[status]=succeeded": 2, "?filter[status]=retrying": 0, "?filter[status]=discarded": 0, "?filter[resource_name]=RFIs": 2,
		"?filter[event_type]=delete": 0, "?filter[start]=2000-01-01": 2, "?filter[end]=2000-01-01": 0,
	} {
		var got struct {
			Data []struct{ DeliveryAttempts []any }
		}
		api(t, p, token, MyConstruction, "GET", list+filter, "").wants(t, 200, "").into(t, &got)
		if len(got.Data) != want {
			t.Errorf("%q: %d deliveries, want %d", filter, len(got.Data), want)
		}
	}
	api(t, p, token, MyConstruction, "GET", list+"?filter[status]=any", "").wants(t, 400, "filter")
}

func TestBackoffGrowsToAnHour(t *testing.T) {
	t.Parallel()
	p, rec, _ := hooked(t, "v2.0", func(_ int, w http.ResponseWriter) { w.WriteHeader(500) }, Options{})
	emitUpdate(t, p, 1)
	var last time.Duration
	for n := 1; n <= 16; n++ {
		rec.next(t)
		st := eventually(t, p, "attempt recorded", func(st State) bool { return len(st.Deliveries) == n })
		last = st.Hooks[0].NextAttempt.Sub(st.Now)
		p.Advance(last)
	}
	if last != time.Hour {
		t.Errorf("backoff ends at %v", last)
	}
}

// After twelve hours the queue is flushed, and the hook delivers again.
func TestDiscardedAfterTwelveHours(t *testing.T) {
	t.Parallel()
	p, rec, list := hooked(t, "v2.0", func(n int, w http.ResponseWriter) {
		if n == 1 {
			w.WriteHeader(500)
		}
	}, Options{})
	first, second := emitUpdate(t, p, 1), emitUpdate(t, p, 1)
	rec.next(t)
	eventually(t, p, "paused", func(st State) bool { return st.Hooks[0].Paused })
	p.Advance(12 * time.Hour)
	eventually(t, p, "discarded", func(st State) bool { return len(st.Deliveries) == 3 && !st.Hooks[0].Paused })
	token := p.Token(t, Joe, redirect).AccessToken
	got := api(t, p, token, MyConstruction, "GET", list+"?filter[status]=discarded", "").wants(t, 200, `"status":"discarded"`)
	for _, id := range []string{first, second} {
		if !strings.Contains(got.body, id) {
			t.Errorf("event %s is not among the discarded: %s", id, got.body)
		}
	}
	for _, part := range []string{"ulid", "metadata", `"response_status":500`} {
		if !strings.Contains(got.body, part) {
			t.Errorf("deliveries lack %s: %s", part, got.body)
		}
	}
	third := emitUpdate(t, p, 1)
	if d := rec.next(t); !strings.Contains(d.body, third) {
		t.Errorf("delivered %s after the flush, want %s", d.body, third)
	}
}

func TestWhatFailsADelivery(t *testing.T) {
	t.Parallel()
	elsewhere := receive(t, nil)
	for _, tt := range []struct {
		name      string
		answer    func(n int, w http.ResponseWriter)
		status    int
		wantError string
		paused    bool
	}{
		{"204", func(_ int, w http.ResponseWriter) { w.WriteHeader(204) }, 204, "", false},
		{"404", func(_ int, w http.ResponseWriter) { w.WriteHeader(404) }, 404, "", true},
		{"redirect", func(_ int, w http.ResponseWriter) { w.Header().Set("Location", elsewhere.URL); w.WriteHeader(307) }, 307, "", true},
		{"too slow", nil, 0, "exceeded", true},
		{"closed", func(_ int, w http.ResponseWriter) { panic(http.ErrAbortHandler) }, 0, "EOF", true},
		{"long answer", func(_ int, w http.ResponseWriter) { fmt.Fprint(w, strings.Repeat("x", 10*maxAnswer)) }, 200, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "too slow" {
				stop := make(chan struct{})
				defer close(stop)
				tt.answer = func(int, http.ResponseWriter) { <-stop }
			}
			p, _, _ := hooked(t, "v2.0", tt.answer, Options{DeliveryTimeout: 100 * time.Millisecond})
			emitUpdate(t, p, 1)
			st := eventually(t, p, "attempt recorded", func(st State) bool { return len(st.Deliveries) > 0 })
			d := st.Deliveries[0]
			if d.ResponseStatus != tt.status || !strings.Contains(d.ResponseError, tt.wantError) || st.Hooks[0].Paused != tt.paused || len(d.ResponseBody) > maxAnswer {
				t.Errorf("delivery %+v, paused %t", d, st.Hooks[0].Paused)
			}
		})
	}
	if len(elsewhere.got) != 0 {
		t.Error("a redirect was followed")
	}
}

func TestDefaultDeliveryTimeout(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	defer s.Close()
	if s.delivery.Timeout != 5*time.Second {
		t.Errorf("timeout %v", s.delivery.Timeout)
	}
}

// Shuffled events all arrive, in another order, and none overtakes the one in delivery.
func TestShuffle(t *testing.T) {
	t.Parallel()
	const events = 50
	p, rec, _ := hooked(t, "v2.0", func(n int, w http.ResponseWriter) {
		if n == 1 {
			w.WriteHeader(503) // the other events have to wait
		}
	}, Options{Shuffle: 20})
	var sent, got []string
	for range events {
		sent = append(sent, emitUpdate(t, p, 1))
	}
	first := rec.next(t)
	eventually(t, p, "paused", func(st State) bool { return st.Hooks[0].Paused })
	p.Advance(time.Second)
	for len(got) < events {
		var body struct{ ULID string }
		if err := json.Unmarshal([]byte(rec.next(t).body), &body); err != nil {
			t.Fatal(err)
		}
		if got = append(got, body.ULID); len(got) == 1 && !strings.Contains(first.body, got[0]) {
			t.Errorf("%s overtook %s", got[0], first.body)
		}
	}
	if slices.Equal(got, sent) {
		t.Error("the order is that of the changes")
	}
	slices.Sort(sent)
	slices.Sort(got)
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Errorf("events (-sent +got):\n%s", diff)
	}
}

func TestCopiesAreTheSameEvent(t *testing.T) {
	t.Parallel()
	p, rec, _ := hooked(t, "v3.0", nil, Options{})
	emitUpdate(t, p, 3)
	first := rec.next(t)
	for range 2 {
		if d := rec.next(t); d.body != first.body {
			t.Errorf("a copy differs: %s, %s", first.body, d.body)
		}
	}
	if r := p.State().Resources; r[len(r)-1].Revision != 1 {
		t.Errorf("resource %+v", r[len(r)-1])
	}
}

func TestWhichHooksAreTold(t *testing.T) {
	t.Parallel()
	for _, one := range []bool{false, true} {
		p, _, _ := hooked(t, "v2.0", nil, Options{OneEventID: one})
		rec := receive(t, nil)
		token := p.Token(t, Joe, redirect).AccessToken
		addTrigger(t, p, token, newHook(t, p, token, rec.URL, "v2.0"), "RFIs", "update")
		changed := newHook(t, p, token, rec.URL+"/changed", "v2.0")
		addTrigger(t, p, token, changed, "RFIs", "update") // will be a trigger of another version
		api(t, p, token, MyConstruction, "PATCH", fmt.Sprintf("%s/%d", hooksPath, changed), `{"payload_version":"v4.0"}`).wants(t, 200, "v4.0")
		event := Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "update"}
		got, err := p.Emit(event)
		if err != nil || len(got.EventIDs) != 2 || (got.EventIDs[0] == got.EventIDs[1]) != one {
			t.Errorf("one id %t: emitted %+v, %v", one, got, err)
		}
		for _, other := range []Event{
			{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create"},
			{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "Submittals", EventType: "update"},
			{CompanyID: HarborHill, ProjectID: 4294968001, ResourceName: "RFIs", EventType: "update"},
		} {
			if got, err := p.Emit(other); err != nil || len(got.EventIDs) != 0 {
				t.Errorf("%+v reached %v, %v", other, got, err)
			}
		}
	}
}

func TestCloseEndsTheWorkers(t *testing.T) {
	t.Parallel()
	p, rec, _ := hooked(t, "v2.0", nil, Options{})
	emitUpdate(t, p, 1)
	rec.next(t)
	p.Close()
	emitUpdate(t, p, 1)
	if n := p.State().Hooks[0].Waiting; n == 0 {
		t.Error("a delivery was made after Close")
	}
}

// A hook that is disabled during a delivery has discarded its event, whatever the answer is.
func TestDisabledDuringADelivery(t *testing.T) {
	t.Parallel()
	arrived, answer, disabled := make(chan struct{}, 2), make(chan struct{}), true
	p, rec, _ := hooked(t, "v3.0", func(int, http.ResponseWriter) {
		arrived <- struct{}{}
		<-answer
	}, Options{})
	emitUpdate(t, p, 1)
	<-arrived
	hook := p.State().Hooks[0].ID
	if err := p.UpdateHook(hook, HookPatch{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	close(answer)
	rec.next(t)
	disabled = false
	if err := p.UpdateHook(hook, HookPatch{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	second := emitUpdate(t, p, 1)
	st := eventually(t, p, "the next delivery succeeds", func(st State) bool {
		return slices.ContainsFunc(st.Deliveries, func(d Delivery) bool { return d.Outcome == OutcomeOK })
	})
	if len(st.Deliveries) != 2 || st.Deliveries[0].Outcome != OutcomeDiscarded || st.Deliveries[1].EventID != second {
		t.Errorf("deliveries %+v", st.Deliveries)
	}
}
