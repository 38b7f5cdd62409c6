package week

import (
	"hash/fnv"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/testing/kit/memnet"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	callTakes     = 150 * time.Millisecond
	deliveryTakes = 3 * time.Second // at most
	// listsBehind is how long a change is missing in lists that are limited by time.
	listsBehind = 45 * time.Second
)

// serveProcore serves a call to Procore.
func (w *world) serveProcore(rw http.ResponseWriter, r *http.Request) {
	began := time.Now()
	p, _ := memnet.Caller(r).(*process)
	w.pause(callTakes)
	if p == nil {
		w.fake.ServeHTTP(rw, r)
		return
	}
	a := &answer{header: rw.Header(), status: http.StatusOK}
	if !p.step(func() {
		w.fake.ServeHTTP(a, behind(r))
		if p.counts {
			w.judge.called(r, began, a.status)
		}
	}) {
		panic(http.ErrAbortHandler)
	}
	rw.WriteHeader(a.status)
	_, _ = rw.Write(a.body.Bytes())
}

// behind ends a list's range before what is not to be seen yet.
func behind(r *http.Request) *http.Request {
	const filter = "filters[updated_at]"
	q := r.URL.Query()
	from, to, _ := strings.Cut(q.Get(filter), "...")
	seen := time.Now().Add(-listsBehind)
	if end, err := time.Parse(time.RFC3339, to); err == nil && end.After(seen) {
		q.Set(filter, from+"..."+seen.UTC().Format(time.RFC3339Nano))
		r.URL.RawQuery = q.Encode()
	}
	return r
}

// serveDelivery is the receiver.
func (w *world) serveDelivery(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.pause(time.Duration(w.part(body) * float64(deliveryTakes)))
	if err != nil || w.isDown() {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	from, err := w.ring.Check(r.Header.Get("Authorization"))
	event, err2 := procore.DecodeEvent(body)
	if err != nil || err2 != nil || event.CompanyID != from.CompanyID {
		w.judge.problem("a delivery to company %d is wrong: %v, %v", from.CompanyID, err, err2)
		return
	}
	events := &inbox.Store{DB: w.admin.store.DB, Table: w.names.Inbox}
	if _, err := events.Add(w.ctx, event, body); err != nil {
		w.judge.problem("an event was not stored: %v", err)
	}
}

func (w *world) isDown() bool {
	now := time.Now()
	return !now.Before(w.outage) && now.Before(w.over)
}

// part returns a number from 0 to 1 that a text and the seed determine.
func (w *world) part(text []byte) float64 {
	h := fnv.New64a()
	_, _ = h.Write(strconv.AppendUint(text, w.Seed, 10))
	return float64(h.Sum64()%10_000) / 10_000
}

// place is where things of one kind are.
type place struct {
	resource         string
	company, project int64
}

// people change things.
type people struct {
	*world
	known map[place][]procore.ID
	last  procoretest.Event
}

// change changes something: what was changed last, something that is known at a random
// place, or something new there.
func (p *people) change() {
	e := p.last
	switch again := p.random.IntN(4) == 0; {
	case again && e.ResourceID != "":
		e.EventType = "update"
	default:
		e = p.anything()
	}
	emitted, err := p.fake.Emit(e)
	if err != nil {
		p.judge.problem("no change: %v", err)
		return
	}
	if e.EventType == "create" {
		at := place{e.ResourceName, e.CompanyID, e.ProjectID}
		p.known[at] = append(p.known[at], emitted.ResourceID)
	}
	e.ResourceID = emitted.ResourceID
	p.last = e
	p.judge.changed(item{e.CompanyID, e.ResourceName, e.ResourceID}, time.Now())
}

func (p *people) anything() procoretest.Event {
	r := resources[p.random.IntN(len(resources))]
	at := place{resource: r.name, company: firstCompany + p.random.Int64N(int64(p.Companies))}
	if !r.company {
		at.project = firstProject + (at.company-firstCompany)*1000 + p.random.Int64N(int64(p.Projects))
	}
	e := procoretest.Event{CompanyID: at.company, ProjectID: at.project, ResourceName: at.resource, EventType: "create"}
	if there := p.known[at]; len(there) > 0 && p.random.IntN(3) > 0 {
		e.EventType, e.ResourceID = "update", there[p.random.IntN(len(there))]
	}
	return e
}

// changes makes all changes.
func (w *world) changes() {
	p := &people{world: w, known: map[place][]procore.ID{}}
	for _, at := range w.moments() {
		w.until(at)
		p.change()
	}
}

// moments are when the changes happen, in order.
func (w *world) moments() []time.Time {
	all := make([]time.Time, w.Changes)
	for i := range all {
		at := time.Duration(w.random.Int64N(int64(w.Time)))
		if w.random.IntN(2) == 0 { // people do many things at once
			at = at.Truncate(time.Hour)
			at += time.Duration(w.random.Int64N(int64(5 * time.Minute)))
		}
		all[i] = w.began.Add(settledIn + min(at, w.Time-1))
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// settledIn is when the first change happens, because the hooks are made before.
const settledIn = 10 * time.Minute
