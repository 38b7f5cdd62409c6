package procoretest

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// memory is a Storage that forgets nothing but what was not synced.
type memory struct {
	mu       sync.Mutex
	appended map[string][]byte
	durable  map[string][]byte
	bytes    int           // ever appended
	err      error         // of Sync
	syncs    chan struct{} // has an element after a Sync
}

func newMemory(values map[string][]byte) *memory {
	return &memory{appended: maps.Clone(values), durable: maps.Clone(values), syncs: make(chan struct{}, 1)}
}

func (m *memory) Load() map[string][]byte { return m.content() }

func (m *memory) Append(changes map[string][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.appended == nil {
		m.appended = map[string][]byte{}
	}
	for key, value := range changes {
		m.bytes += len(key) + len(value)
		if m.appended[key] = value; value == nil {
			delete(m.appended, key)
		}
	}
}

func (m *memory) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.durable = maps.Clone(m.appended)
	}
	select {
	case m.syncs <- struct{}{}:
	default:
	}
	return m.err
}

// content returns all that was appended.
func (m *memory) content() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.appended)
}

// written returns how many bytes were ever appended.
func (m *memory) written() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

// synced returns what a crash would leave.
func (m *memory) synced() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.durable)
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// startOn is Start on a storage. The returned function stops the server.
func startOn(t *testing.T, m *memory, o Options) *Server {
	t.Helper()
	o.Storage = m
	return Start(t, o)
}

// isKept fails the test unless the content is what s would store if all of it were new. It
// returns how much there is of each kind.
func isKept(t *testing.T, s *Server, content func() map[string][]byte) (kinds map[string]int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, kinds := content(), map[string]int{}
	markAll(s)
	now := s.mu.changes()
	for key, value := range now {
		empty := key == "options" && string(value) == "{}" || string(value) == "[]"
		if string(stored[key]) != string(value) && (!empty || stored[key] != nil) {
			t.Fatalf("a change is not stored: %s is\n%s, and stored is\n%s", key, value, stored[key])
		}
	}
	for key := range stored {
		if now[key] == nil {
			t.Fatalf("%s is stored, and is of nothing", key)
		}
		kind, _, _ := strings.Cut(key, "/")
		kinds[kind]++
	}
	return kinds
}

// isLoaded fails the test unless a server that starts on the content has all that s has now.
func isLoaded(t *testing.T, s *Server, content func() map[string][]byte) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	again, err := open(Options{ClientSecret: s.plain.ClientSecret, Now: s.plain.Now, Storage: newMemory(content())})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	diff := cmp.Diff(keptOf(s), keptOf(again), cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(Options{}, "Now", "Dial", "Storage", "Random", "Deliver", "Watch", "Transport"), cmpopts.IgnoreFields(hook{}, "wake", "ctx", "cancel"),
		cmpopts.SortSlices(func(a, b *shelf) bool { return a.name < b.name }))
	if diff != "" {
		t.Fatalf("a restart loses something (-server +next server):\n%s", diff)
	}
}

// keptOf returns the server's fields that are kept. The others are named here, so that a new
// field is either kept or named.
func keptOf(s *Server) map[string]any {
	others := []string{"URL", "ctx", "stop", "workers", "delivery", "mu", "advanced",
		"opts", "quirks", // these follow from plain
		"met", "limits", "calls", "called", "tokenLog", "tokenLogged"}
	kept, v := map[string]any{}, reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !slices.Contains(others, name) {
			kept[name] = reflect.NewAt(v.Field(i).Type(), v.Field(i).Addr().UnsafePointer()).Elem().Interface()
		}
	}
	return kept
}

// markAll marks all that is kept. The caller holds mu.
func markAll(s *Server) {
	s.mu.mark("format", func() any { return storedFormat })
	s.keepCounters()
	s.keepFaults()
	s.keepAnswers()
	s.keepPatch(OptionsPatch{})
	for i, u := range s.users {
		s.keepUser(i+1, u)
	}
	for i, id := range s.order {
		s.keepOrder(i+1, id)
		s.keepCompany(s.companies[id])
	}
	for _, h := range slices.Concat(slices.Collect(maps.Values(s.shelves))...) {
		for _, r := range h.items {
			s.keepResource(r)
		}
	}
	for _, p := range s.pairs {
		s.keepPair(p)
	}
	for token := range s.presented {
		s.keepPresented(token)
	}
	for code := range s.codes {
		s.keepCode(code)
	}
	for _, h := range s.hooks {
		s.keepHook(h)
		for _, t := range h.triggers {
			s.keepTrigger(h, t)
		}
		for _, q := range h.queue {
			s.keepEvent(h, q)
		}
		for _, d := range h.deliveries {
			s.keepDelivery(d)
			s.keepEvent(h, d.event)
		}
	}
	for company := range s.reports {
		s.keepReport(company)
	}
	for i, l := range s.lost {
		n := s.dropped + int64(i) + 1
		s.mu.mark(lostKey(n), func() any { return lostRecord{n, l} })
	}
}

// Every change is stored before its answer: a walk over all operations without hooks, whose
// workers change something on their own.
func TestKept(t *testing.T) {
	t.Parallel()
	w := newWalk(t, 1, slices.Concat(worldSteps(), tokenSteps()))
	for i := range 600 {
		w.step()
		isKept(t, w.server, w.storage.synced)
		if i%40 == 39 {
			isLoaded(t, w.server, w.storage.synced)
		}
	}
	w.met("format", "counters", "faults", "answers", "options", "user", "company", "listed", "resource", "pair", "presented", "code")
}

// What the workers change is stored too. Now and then another server goes on.
func TestKeptHooks(t *testing.T) {
	t.Parallel()
	w := newWalk(t, 2, slices.Concat(worldSteps(), hookSteps(), hookSteps()))
	for i := range 600 {
		w.step()
		w.count(isKept(t, w.server, w.storage.content))
		if i%40 == 39 {
			isLoaded(t, w.server, w.storage.content)
			w.restart()
		}
	}
	w.met("hook", "trigger", "event", "delivery", "report", "lost")
	eventually(t, w.server, "a delivery succeeds", func(State) bool { return w.delivered.Load() > 0 })
}

// What memory forgets is deleted from the storage.
func TestKeptIsBounded(t *testing.T) {
	t.Parallel()
	m := newMemory(nil)
	p := startOn(t, m, Options{})
	newHook(t, p, p.Token(t, Joe, redirect).AccessToken, "http://127.0.0.1:1/", "v3.0")
	p.mu.Lock()
	h := p.hooks[0]
	for range maxAttempts + 10 {
		q := &queued{id: p.newID(), body: []byte("{}")}
		d := p.attemptOf(h, q, p.now())
		d.ID, d.Outcome = p.newID(), OutcomeOK
		p.keepEvent(h, q)
		p.remember(h, d)
	}
	p.mu.Unlock()
	kinds := isKept(t, p, m.content)
	if n := kinds["delivery"]; n > maxAttempts || kinds["event"] != n {
		t.Errorf("stored %v", kinds)
	}
	p.mu.Lock()
	for range maxLost + 10 {
		p.lose(h, queued{body: []byte("{}")}, Event{})
	}
	p.mu.Unlock()
	again, err := open(Options{Storage: m})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.dropped != p.dropped || len(again.lost) != len(p.lost) || len(p.lost) > maxLost {
		t.Errorf("%d lost after %d, want %d after %d", len(again.lost), again.dropped, len(p.lost), p.dropped)
	}
}

// What one change stores does not depend on how much there is.
func TestKeptIsLittle(t *testing.T) {
	t.Parallel()
	m := newMemory(nil)
	p := startOn(t, m, Options{})
	token := p.Token(t, Joe, redirect).AccessToken
	hook := newHook(t, p, token, "http://127.0.0.1:1/", "v3.0")
	addTrigger(t, p, token, hook, "RFIs", "update")
	many := make([]Event, 10_000)
	for i := range many {
		many[i] = Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: []string{"create", "update"}[i/9_000]}
	}
	made, err := p.EmitAll(many)
	if err != nil {
		t.Fatal(err)
	}
	before := m.written()
	const changes = 20
	for i := range changes {
		e := Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", ResourceID: made[i].ResourceID, EventType: "update"}
		if _, err := p.Emit(e); err != nil {
			t.Fatal(err)
		}
		api(t, p, token, MyConstruction, "GET", "/rest/v1.0/projects/2001/rfis?per_page=1", "").wants(t, 200, "")
	}
	p.Close()
	if each := (m.written() - before) / changes; each > 4_000 {
		t.Errorf("a change of a resource stores %d bytes", each)
	}
}

// A storage that fails leaves no answer that anything was done.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	m := newMemory(nil)
	p := startOn(t, m, Options{})
	pair := p.Token(t, Joe, redirect)
	rec := receive(t, nil)
	addTrigger(t, p, pair.AccessToken, newHook(t, p, pair.AccessToken, rec.URL, "v3.0"), "RFIs", "update")
	update := Event{CompanyID: MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "update"}
	if _, err := p.Emit(update); err != nil {
		t.Fatal(err)
	}
	rec.next(t)
	st := eventually(t, p, "the delivery is recorded", func(st State) bool { return len(st.Deliveries) == 1 })
	m.fail(errors.New("the disk is full"))
	disabled := false
	methods := map[string]func() error{
		"AddCompany":    func() error { return p.AddCompany(NewCompany(1, "A Company")) },
		"AddUser":       func() error { return p.AddUser(User{ID: 1, Name: "A User"}) },
		"Answer":        func() error { return p.Answer(Answer{Path: "/rest/v1.0/own"}) },
		"Emit":          func() error { _, err := p.Emit(update); return err },
		"EmitAll":       func() error { _, err := p.EmitAll(nil); return err },
		"EndAccess":     func() error { return p.EndAccess(Joe) },
		"Fault":         func() error { return p.Fault(Fault{Endpoint: "api", Kind: Drop}) },
		"Redeliver":     func() error { return p.Redeliver(st.Deliveries[0].ID) },
		"UpdateCompany": func() error { return p.UpdateCompany(MyConstruction, CompanyPatch{}) },
		"UpdateHook":    func() error { return p.UpdateHook(st.Hooks[0].ID, HookPatch{Disabled: &disabled}) },
		"UpdateOptions": func() error { return p.UpdateOptions(OptionsPatch{}) },
	}
	names := slices.Collect(maps.Keys(methods))
	methods["DeleteHook"] = func() error { return p.DeleteHook(st.Hooks[0].ID) }
	methods["Overwrite"] = p.Overwrite
	for _, name := range append(names, "DeleteHook", "Overwrite") { // last, because no hook is left after them
		if err := methods[name](); err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("%s = %v without a disk", name, err)
		}
	}
	for m := range reflect.TypeOf(p).Methods() {
		if m.Name == "Wait" {
			continue // it changes nothing
		}
		if n := m.Type.NumOut(); n > 0 && m.Type.Out(n-1) == reflect.TypeFor[error]() && methods[m.Name] == nil {
			t.Errorf("%s is not tried", m.Name)
		}
	}
	if err := p.Fault(Fault{}); err == nil { // what is wrong with a call is still said
		t.Error("an invalid fault is accepted")
	}
	p.ClearFaults()
	refresh(t, p, pair.RefreshToken).wants(t, 500, "could not store its state")
	m.fail(nil) // it never recovers, because what failed may be gone
	for _, path := range []string{"/", "/_fake/state", "/rest/v1.0/me", "/oauth/authorize"} {
		mustSend(t, request(t, "GET", p.URL+path, "", "Authorization", "Bearer "+pair.AccessToken)).wants(t, 500, "the disk is full")
	}
	p.Close()
	if len(rec.got) > 0 {
		t.Error("an event was delivered that is not stored")
	}
}

// What cannot be read is refused, and named.
func TestStorageIsOdd(t *testing.T) {
	t.Parallel()
	m := newMemory(nil)
	startOn(t, m, Options{})
	for key, c := range map[string]struct{ value, want string }{
		"format":               {"7", "format is [7]"},
		"counters":             {`"many"`, "counters"},
		"options":              {`{"crooked":"straight"}`, "straight"},
		numbered("pair", 1):    {`{"Number":1,"Next":9}`, "pair 9 is missing"},
		numbered("hook", 1):    {`{"ID":1}`, "company 0 is missing"},
		numbered("event", 1):   {`{"ID":1,"HookID":8}`, "hook 8 is missing"},
		numbered("trigger", 1): {`{"ID":1,"HookID":8}`, "hook 8 is missing"},
		numbered("listed", 1):  {`5`, "company 5 is missing"},
	} {
		odd := newMemory(m.content())
		odd.Append(map[string][]byte{key: []byte(c.value)})
		if _, err := Open(Options{Storage: odd}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", key, err, c.want)
		}
	}
}
