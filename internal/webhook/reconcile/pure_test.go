package reconcile

import (
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

// An event covers a change that is not after it, without any tolerance.
func TestJudge(t *testing.T) {
	t.Parallel()
	never := func(func(inbox.Trace, error) bool) {}
	of := func(all ...inbox.Trace) iter.Seq2[inbox.Trace, error] {
		return func(yield func(inbox.Trace, error) bool) {
			for _, e := range all {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
	for name, tt := range map[string]struct {
		events iter.Seq2[inbox.Trace, error]
		skew   time.Duration
		want   verdict
	}{
		"no event":                        {never, 0, verdict{}},
		"happened at the change":          {of(inbox.Trace{HappenedAt: noon}), unknown, verdict{covered: true, known: true}},
		"happened a millisecond before":   {of(inbox.Trace{HappenedAt: at(-0.001), ReceivedAt: at(-0.001)}), 0, verdict{moved: true, known: true}},
		"received at the change":          {of(inbox.Trace{HappenedAt: at(-9), ReceivedAt: noon}), 0, verdict{covered: true, known: true}},
		"received, by a clock behind":     {of(inbox.Trace{HappenedAt: at(-9), ReceivedAt: at(-5)}), 5 * time.Second, verdict{covered: true, known: true}},
		"received, by a clock ahead":      {of(inbox.Trace{HappenedAt: at(-9), ReceivedAt: at(4)}), -5 * time.Second, verdict{moved: true, known: true}},
		"received, by an unknown clock":   {of(inbox.Trace{HappenedAt: at(-9), ReceivedAt: at(4)}), unknown, verdict{moved: true, known: true}},
		"an app's, received after":        {of(inbox.Trace{HappenedAt: at(-9), ReceivedAt: at(4), ByApp: true}), 0, verdict{moved: true, known: true}},
		"an app's, happened after":        {of(inbox.Trace{HappenedAt: at(1), ReceivedAt: at(4), ByApp: true}), 0, verdict{covered: true, known: true}},
		"five minutes before":             {of(inbox.Trace{HappenedAt: at(-300)}), 0, verdict{moved: true, known: true}},
		"longer before":                   {of(inbox.Trace{HappenedAt: at(-301)}), 0, verdict{known: true}},
		"without a time, received before": {of(inbox.Trace{ReceivedAt: at(-301)}), 0, verdict{known: true}},
		"the second one": {of(inbox.Trace{HappenedAt: at(-900)}, inbox.Trace{HappenedAt: at(-900), ReceivedAt: at(2)}), 0,
			verdict{covered: true, known: true}},
	} {
		if got, err := judge(noon, tt.events, tt.skew); got != tt.want || err != nil {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, tt.want)
		}
	}
}

// A time in whole seconds is that of the last moment which it can mean.
func TestLatest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		item procore.Changed
		want time.Time
	}{
		{procore.Changed{UpdatedAt: noon, Whole: true}, at(0.999)},
		{procore.Changed{UpdatedAt: noon}, noon},
		{procore.Changed{UpdatedAt: noon.Add(1234567)}, at(0.001)},
		{procore.Changed{Whole: true}, time.Time{}},
	} {
		if got := latest(tt.item); !got.Equal(tt.want) {
			t.Errorf("%+v: got %v, want %v", tt.item, got, tt.want)
		}
	}
}

func TestTypeOf(t *testing.T) {
	t.Parallel()
	created := func(c, u float64) procore.Changed { return procore.Changed{CreatedAt: at(c), UpdatedAt: at(u)} }
	both, creates, updates := subject{creates: true, updates: true}, subject{creates: true}, subject{updates: true}
	for _, tt := range []struct {
		s     subject
		item  procore.Changed
		known bool
		want  string
	}{
		{both, created(1, 5), false, "create"},
		{both, created(1, 5), true, "update"},
		{both, created(-1, 5), false, "update"},
		{both, procore.Changed{UpdatedAt: noon}, false, "update"},
		{creates, created(1, 5), false, "create"},
		{creates, created(1, 5), true, ""},
		{creates, created(-1, 5), false, ""},
		{updates, created(1, 5), false, "update"},
		{updates, created(5, 5), false, ""},
		{updates, created(5, 5), true, "update"},
	} {
		if got := tt.s.typeOf(tt.item, tt.known, noon); got != tt.want {
			t.Errorf("%+v: got %q", tt, got)
		}
	}
}

// An event's id follows from the item and its change alone, and sorts by time.
func TestEventOf(t *testing.T) {
	t.Parallel()
	s := subjects([]procore.Trigger{{Resource: "RFIs", EventType: "update"}, {Resource: "Projects", EventType: "update"}, {Resource: "Company Users", EventType: "update"}})
	e := eventOf(5678, 7, s[0], "42", noon)
	want := procore.Event{Version: "1", ID: e.ID, CompanyID: 5678, ProjectID: 7, Resource: "RFIs", ResourceID: "42", Timestamp: noon, Reconciled: true}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !procoreULID(e.ID) || e.ID != eventOf(5678, 8, s[0], "42", noon).ID {
		t.Errorf("got the id %s", e.ID)
	}
	ids := map[string]bool{e.ID: true}
	for _, other := range []procore.Event{eventOf(5679, 7, s[0], "42", noon), eventOf(5678, 7, s[0], "43", noon), eventOf(5678, 7, s[0], "42", at(0.001)), eventOf(5678, 7, s[1], "42", noon)} {
		if ids[other.ID] {
			t.Errorf("%+v has another's id", other)
		}
		ids[other.ID] = true
	}
	if a, b := eventOf(1, 1, s[0], "1", noon).ID, eventOf(1, 1, s[0], "1", at(0.001)).ID; a[:10] >= b[:10] {
		t.Errorf("%s is not before %s", a, b)
	}
	if e := eventOf(5678, ofCompany, s[1], "42", noon); e.ProjectID != 42 {
		t.Errorf("a project: %+v", e)
	}
	if e := eventOf(5678, ofCompany, s[2], "42", noon); e.ProjectID != 0 {
		t.Errorf("a user: %+v", e)
	}
}

func procoreULID(id string) bool { return len(id) == 26+len("-reconciled") && id[:2] == "01" }

func TestHalf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ from, to, want float64 }{{0, 100, 50}, {0, 3, 1}, {0, 2, 1}, {0, 1, 1}, {0.5, 3, 1}, {0.5, 1, 1}, {0.7, 1.7, 1}} {
		if got := half(at(tt.from), at(tt.to)); !got.Equal(at(tt.want)) {
			t.Errorf("%v: got %v", tt, got)
		}
	}
}

// Whichever end of a range Procore excludes, and if it cuts its times to seconds, the
// range is within what the query names.
func TestWidened(t *testing.T) {
	t.Parallel()
	from, to := widened(at(0.5), at(9))
	if !from.Equal(at(-1)) || !to.Equal(at(10)) {
		t.Errorf("got %v to %v", from, to)
	}
}

func TestCursor(t *testing.T) {
	t.Parallel()
	c := cursor{Resource: "RFIs", From: noon}
	if c.open(noon) || c.open(at(0.9)) || !c.To.IsZero() {
		t.Errorf("an empty window is open: %+v", c)
	}
	if !c.open(at(60.7)) || !c.To.Equal(at(60)) || c.open(at(90)) {
		t.Errorf("got %+v, want a window that stays as it is", c)
	}
	projects := []int64{3, 5, 9}
	var order []int64
	for id, more := c.next(projects); more; id, more = c.next(projects) {
		order = append(order, id)
		c.At = at(30)
		if c.done(id); !c.From.Equal(noon) || !c.At.IsZero() {
			t.Fatalf("after project %d: %+v", id, c)
		}
		projects = []int64{1, 3, 5, 7, 9} // others appear
	}
	if diff := cmp.Diff([]int64{3, 5, 7, 9}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	c.lower(at(40.2))
	if c.shut(); !c.From.Equal(at(40)) || !c.To.IsZero() || c.Project != 0 {
		t.Errorf("got %+v", c)
	}
	c.open(at(90))
	if c.lower(at(40.5)); !c.From.Equal(at(40)) || !c.To.IsZero() {
		t.Errorf("a window that ends before it begins: %+v", c)
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	all, err := procore.ParseTriggers("RFIs:create,update;rfi:delete;RFI Replies:create;Purchase Order Contract Line Items:update;Submittals:delete;Document Upload:Completed;Departments:update")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, s := range subjects(all) {
		if _, twice := got[s.Name]; twice {
			t.Errorf("%s twice", s.Name)
		}
		got[s.Name] = s.reason == ""
	}
	want := map[string]bool{"RFIs": true, "RFI Replies": false, "Purchase Order Contract Line Items": false, "Submittals": false, "Document Upload": false, "Departments": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("covered (-want +got):\n%s", diff)
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		a         account
		n, want   int
		used      int
		limit     int
		configure int
	}{
		"the first of an hour": {account{}, 20, 20, 20, 0, 60},
		"another hour's":       {account{hour: noon.Add(-time.Hour), used: 60}, 20, 20, 20, 0, 60},
		"the rest":             {account{hour: noon, used: 50}, 20, 10, 60, 0, 60},
		"nothing":              {account{hour: noon, used: 60}, 20, 0, 60, 0, 60},
		"a reported limit":     {account{hour: noon, used: 8, limit: 100}, 20, 2, 10, 0, 60},
		"a large limit":        {account{hour: noon, limit: 36_000}, 20, 20, 20, 0, 60},
		"a tiny limit":         {account{hour: noon, limit: 3}, 20, 1, 1, 0, 60},
		"used beyond it":       {account{hour: noon, used: 70}, 20, 0, 70, 0, 60},
		"blocked":              {account{hour: noon, blocked: at(61)}, 20, 0, 0, 0, 60},
		"no longer blocked":    {account{hour: noon, blocked: at(60)}, 20, 20, 20, 0, 60},
	} {
		if got, n := tt.a.reserve(tt.n, tt.configure, at(60)); n != tt.want || got.used != tt.used {
			t.Errorf("%s: got %d, %+v, want %d and %d used", name, n, got, tt.want, tt.used)
		}
	}
	a := account{hour: noon, used: 20}.settle(5, 3600, noon, at(90))
	if a.used != 15 || a.limit != 3600 || !a.blocked.Equal(at(90)) {
		t.Errorf("got %+v", a)
	}
	if a := a.settle(5, 0, noon.Add(-time.Hour), time.Time{}); a.used != 15 || a.limit != 3600 || !a.blocked.Equal(at(90)) {
		t.Errorf("another hour's rest is returned: %+v", a)
	}
}

// The service account reads, else the hook's creator, else the connection made last.
func TestReaders(t *testing.T) {
	t.Parallel()
	of := func(p tokens.Principal, connected float64, s connections.State) connections.Connection {
		return connections.Connection{Key: connections.Key{CompanyID: 1, Principal: p}, State: s, ConnectedAt: at(connected)}
	}
	paused := of("user#9", 9, connections.Connected)
	paused.PausedUntil = at(1)
	all := []connections.Connection{of("user#1", 1, connections.Connected), of("user#2", 2, connections.Connected), of("user#3", 3, connections.Disconnected),
		paused, of(tokens.App, 0, connections.Connected), of("user#4", 4, connections.Connected), of("user#5", 5, connections.Connected), of("user#6", 6, connections.Connected)}
	var got []tokens.Principal
	for _, c := range readers(all, "user#1", noon) {
		got = append(got, c.Principal)
	}
	if diff := cmp.Diff([]tokens.Principal{tokens.App, "user#1", "user#6", "user#5", "user#4"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	s := subjects([]procore.Trigger{{Resource: "RFIs", EventType: "update"}, {Resource: "RFI Replies", EventType: "update"}, {Resource: "Submittals", EventType: "update"}})
	var w row
	w.adopt(s[:2], noon, at(100))
	w.cursors[0].Found = 7
	w.adopt(s, noon, at(200))
	want := []cursor{{Resource: "RFIs", Begin: noon, From: noon, Found: 7}, {Resource: "Submittals", Begin: at(200), From: at(200)}}
	if diff := cmp.Diff(want, w.cursors); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if w.plan(time.Hour, at(300)); !w.due.Equal(noon.Add(time.Hour)) {
		t.Errorf("due at %v", w.due)
	}
	w.adopt(nil, noon, at(300))
	if w.plan(time.Hour, at(300)); len(w.cursors) != 0 || !w.due.Equal(at(3900)) {
		t.Errorf("without a resource: %+v", w)
	}
}
