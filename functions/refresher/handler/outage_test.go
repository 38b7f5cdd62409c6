package handler

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// receiver stores deliveries as webhook-receiver does, unless it is down.
type receiver struct {
	url  string
	down atomic.Bool
}

func (r *refresher) receiver() *receiver {
	rec := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		ring, err2 := r.h.hooks.Ring.Get(req.Context())
		if rec.down.Load() || err != nil || err2 != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		from, err := ring.Check(req.Header.Get("Authorization"))
		event, err2 := procore.DecodeEvent(body)
		if err != nil || err2 != nil || event.CompanyID != from.CompanyID {
			r.t.Errorf("a delivery that is wrong: %v, %v, company %d", err, err2, event.CompanyID)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if _, err := r.h.hooks.Recovery.Inbox.Add(req.Context(), event, body); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	r.t.Cleanup(server.Close)
	rec.url = server.URL
	r.h.hooks.Want.URL = server.URL
	return rec
}

// arrivals are the events of the inbox that a consumer has seen.
type arrivals struct {
	stored map[string]int            // items by event
	seen   map[string]*procore.Event // events by company and id
	known  map[string]bool           // items that were passed on
}

func (r *refresher) arrive(p *arrivals) {
	r.t.Helper()
	p.stored = map[string]int{}
	pages := dynamodb.NewScanPaginator(r.DB, &dynamodb.ScanInput{TableName: &r.Tables.Inbox})
	for pages.HasMorePages() {
		page, err := pages.NextPage(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		for _, item := range page.Items {
			if v, _ := item["resource"].(*types.AttributeValueMemberS); v.Value == inbox.Heartbeat {
				continue
			}
			envelope, ok := item["envelope"].(*types.AttributeValueMemberS)
			if !ok {
				r.t.Errorf("quarantined: %v", item["reason"])
				continue
			}
			e, err := procore.ParseEvent([]byte(envelope.Value))
			if err != nil {
				r.t.Fatal(err)
			}
			p.stored[e.ID]++
			if !p.known[e.Key()+"/"+e.ID] {
				p.known[e.Key()+"/"+e.ID], p.seen[e.ID] = true, &e
			}
		}
	}
}

// hour lets an hour pass, with the schedule's runs.
func (r *refresher) hour() {
	r.t.Helper()
	r.Clock.Advance(time.Hour)
	r.Procore.Advance(0) // wakes its workers
	r.run("refresh")
	r.run("housekeeping")
}

func (r *refresher) eventually(what string, ok func(procoretest.State) bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	r.Procore.Advance(0) // wakes its workers
	if _, err := r.Procore.Wait(ctx, ok); err != nil {
		r.t.Fatalf("never came true: %s", what)
	}
}

func every(ok func(procoretest.Hook) bool) func(procoretest.State) bool {
	return func(st procoretest.State) bool {
		for _, h := range st.Hooks {
			if !ok(h) {
				return false
			}
		}
		return true
	}
}

// The receiver is down for thirteen hours, and 5,000 events happen in three companies.
// Procore discards those that are twelve hours old. In the end each event is in the
// inbox exactly once, and the consumer has seen each.
func TestOutage(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	rec := r.receiver()
	r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.Connect(procoretest.HarborHill, procoretest.Joe, connections.WebhooksPending)
	r.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksPending)
	r.run("housekeeping")

	projects := map[int64]int64{procoretest.MyConstruction: 2001, procoretest.HarborHill: 4294968001, procoretest.NorthernPlanner: 9007199254741993}
	happened := map[string]bool{}
	emit := func(n int, companies ...int64) {
		t.Helper()
		for i := range n {
			e := procoretest.Event{CompanyID: companies[i%len(companies)], ResourceName: "RFIs", ResourceID: procore.NewID(int64(700_000 + i%97)), EventType: "update"}
			e.ProjectID = projects[e.CompanyID]
			if i%10 == 9 {
				e.ResourceName, e.ProjectID, e.ResourceID = "Company Users", 0, procore.NewID(int64(800_000+i%13))
			}
			got, err := r.Procore.Emit(e)
			if err != nil || len(got.EventIDs) != 1 || happened[got.EventIDs[0]] {
				t.Fatalf("emitted %+v, %v", got, err)
			}
			happened[got.EventIDs[0]] = true
		}
	}
	const mine, harbor, northern = procoretest.MyConstruction, procoretest.HarborHill, procoretest.NorthernPlanner
	p := &arrivals{seen: map[string]*procore.Event{}, known: map[string]bool{}}
	emit(50, mine, harbor, northern) // before
	r.eventually("delivered before the outage", every(func(h procoretest.Hook) bool { return h.Waiting == 0 }))
	r.arrive(p)

	rec.down.Store(true)
	emit(3, mine, harbor, northern)
	r.eventually("the hooks pause", every(func(h procoretest.Hook) bool { return h.Paused }))
	for range 12 {
		emit(400, mine, mine, mine, harbor, northern)
		r.hour()
	}
	r.eventually("what waited is discarded", every(func(h procoretest.Hook) bool { return h.Waiting == 0 && !h.Paused }))
	emit(5_000-4_803, mine, harbor, northern)
	r.eventually("the hooks pause again", every(func(h procoretest.Hook) bool { return h.Paused }))
	r.hour()

	rec.down.Store(false)
	for range 8 {
		r.hour()
	}
	r.eventually("delivered after the outage", every(func(h procoretest.Hook) bool { return h.Waiting == 0 && !h.Paused }))
	r.arrive(p)

	if len(happened) != 5_050 || len(p.stored) != len(happened) {
		t.Errorf("%d events happened and %d are in the inbox, want 5050", len(happened), len(p.stored))
	}
	for id := range happened {
		if p.stored[id] != 1 {
			t.Errorf("event %s is in the inbox %d times, want once", id, p.stored[id])
		}
		if p.seen[id] == nil {
			t.Errorf("the consumer has not seen event %s", id)
		}
	}
	recovered := int64(0)
	for company := range projects {
		row, err := r.h.hooks.Row(t.Context(), company)
		if err != nil || !row.Recovery.Cursor.Since.IsZero() {
			t.Errorf("company %d: %+v, %v, want a finished walk", company, row, err)
		}
		recovered += row.Recovered
	}
	if recovered < 4_700 {
		t.Errorf("%d events were recovered, want 4700 at least", recovered)
	}
}
