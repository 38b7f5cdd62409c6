package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/stack"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// line puts a line into a function's log, now.
func (w *world) line(function, format string, args ...any) {
	w.t.Helper()
	now := w.Clock.Now()
	w.aws.Logs.Put(stack.LogGroup(function), now, fmt.Sprintf(`{"time":%q,`, now.Format(time.RFC3339Nano))+fmt.Sprintf(format, args...)+"}")
}

// arrives stores an event of a company, as the receiver does, and returns its id.
func (w *world) arrives(company int64, n int, kind string) string {
	w.t.Helper()
	e := procore.Event{
		ID: fmt.Sprintf("01JB00000000000000000000%02d", n), CompanyID: company, ProjectID: 2001, UserID: procoretest.Joe, Resource: "RFIs",
		ResourceID: procore.ID(fmt.Sprint(n)), Type: kind, Timestamp: w.Clock.Now().Add(-time.Second), PayloadVersion: "v3.0", Data: []byte(`{"name":"Jane Private"}`),
	}
	w.line("webhook-receiver", `"level":"INFO","msg":"request","request_id":"r%d","method":"POST","route":"POST /webhooks/procore","status":200,`+
		`"event_id":%q,"company_id":%d,"outcome":"stored"`, n, e.ID, company)
	if o, err := w.inbox().Add(w.t.Context(), e, []byte(`{"who":"Jane Private"}`)); err != nil || o.Word != inbox.Stored {
		w.t.Fatalf("the event was not stored: %v, %v", o, err)
	}
	return e.ID
}

func (w *world) inbox() *inbox.Store {
	return &inbox.Store{DB: w.DB, Table: w.Tables.Inbox, Clock: w.Clock.Seam()}
}

// dispatched lets the dispatcher report an event.
func (w *world) dispatched(company int64, id string) {
	w.line("dispatcher", `"level":"INFO","msg":"event dispatched","request_id":"d","event_id":%q,"company_id":%d,"resource_key":"%d#RFIs#%s"`,
		id, company, company, strings.TrimLeft(id[24:], "0"))
}

// consumed lets the consumer report an event: by an outcome, or by an attempt that failed.
func (w *world) consumed(company int64, id, how string) {
	msg := `"level":"INFO","msg":"handled","outcome":"` + how + `"`
	if attempt, failed := strings.CutPrefix(how, "attempt "); failed {
		msg = `"level":"ERROR","msg":"not handled","attempt":` + attempt + `,"error":"Procore answers 503"`
	}
	w.line("event-consumer", `%s,"request_id":"c%s","event_id":%q,"company_id":%d,"resource":"RFIs"`, msg, id[24:], id, company)
}

// busy is a day on which events came to each end.
func busy(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Authorize(procoretest.Joe)
	for company, name := range map[int64]string{5678: "My Construction Co.", 5679: "Second Construction Co."} {
		w.connect(company, procoretest.Joe, name, "Joe Builder", connections.WebhooksActive)
	}
	w.arrives(5678, 1, "create") // unknown: no line is left
	w.dispatched(5678, w.arrives(5678, 2, "create"))
	w.consumed(5678, w.arrives(5679, 12, "create"), "handled") // of another company
	w.consumed(5679, w.arrives(5679, 13, "create"), "attempt 2")
	w.Clock.Advance(25 * time.Hour)
	w.event(5678) // the same id in two companies
	w.event(5679)
	w.dispatched(5679, "01JA8Z7Q4M6X2V9T3C5B1N0KDE")
	w.consumed(5679, "01JA8Z7Q4M6X2V9T3C5B1N0KDE", "handled")
	for n, steps := range map[int][]string{
		3: {"handled"}, 4: {"stale"}, 5: {"attempt 1", "attempt 2"}, 6: {"attempt 4", "attempt 5"}, 7: {"attempt 1", "handled"}, 8: {"handled", "attempt 1"},
	} {
		id := w.arrives(5678, n, map[bool]string{true: "update", false: "delete"}[n != 4])
		w.dispatched(5678, id)
		for _, how := range steps {
			w.Clock.Advance(time.Second)
			w.consumed(5678, id, how)
		}
		w.Clock.Advance(time.Duration(-len(steps)) * time.Second) // so that the order of the map does not matter
	}
	w.Clock.Advance(time.Minute)
	w.dispatched(5678, w.arrives(5678, 9, "update"))
	undeliverable := w.arrives(5678, 10, "update")
	if err := w.inbox().MarkUndeliverable(t.Context(), "5678#RFIs#10", undeliverable, "larger than 256 KB"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.inbox().Quarantine(t.Context(), 5678, "no resource", []byte("{\"x\":\"\x1b[2J\"}")); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Minute)
	w.arrives(5678, 11, "update")
	w.Clock.Advance(10 * time.Second)
	return w
}

// What arrived, what became of it, and how that is known.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := busy(t)
	const id = "01JB000000000000000000000"
	for _, one := range []struct{ file, args string }{
		{"events-list", "events list --since 2d"},
		{"events-company", "events list --company 5679 --since 90m"},
		{"events-failing", "events list --company 5678 --outcome failing"},
		{"events-stale", "events list --outcome stale --type delete --json"},
		{"events-limit", "events list --limit 2"},
		{"events-none", "events list --company 99"},
		{"events-no-consumer", "events list --company 5679 --log-group mine/consumer"},
		{"events-show-handled", "events show " + id + "7"},
		{"events-show-dead", "events show " + id + "6 --body"},
		{"events-show-unknown", "events show " + id + "1 --company 5678"},
		{"events-show-json", "events show " + id + "3 --json"},
		{"events-show-lost", "events show " + id + "1"},
		{"events-show-none", "events show x\"y"},
		{"usage-outcome", "events list --outcome lost"},
		{"usage-since", "events list --since yesterday"},
		{"usage-limit", "events list --limit 0"},
	} {
		wants(t, w, one.file, strings.Fields(one.args)...)
	}
	w.aws.Logs.Fail(&awstest.Error{Code: "AccessDeniedException", Message: "not authorized to perform logs:StartQuery"})
	wants(t, w, "events-no-logs", "events", "list", "--limit", "3")
	if strings.Contains(w.shown.String(), "\x1b") {
		t.Error("a delivery reached the terminal with its control characters")
	}
}

// What Procore sent is personal data, and shown only if asked for.
func TestEventBody(t *testing.T) {
	t.Parallel()
	w := busy(t)
	const id = "01JB0000000000000000000003"
	for _, args := range [][]string{{"events", "show", id}, {"events", "show", id, "--json"}, {"events", "list"}, {"events", "list", "--json"}} {
		if out, _, code := w.run(args...); code != exitOK || strings.Contains(out, "Jane") {
			t.Errorf("%v: exit code %d, %s", args, code, out)
		}
	}
	if out, _, _ := w.run("events", "show", id, "--body", "--json"); !strings.Contains(out, "Jane") {
		t.Errorf("--body: %s", out)
	}
}

func TestWhen(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"90m": "2026-03-02T06:30:00Z", "3d": "2026-02-27T08:00:00Z", "0s": "2026-03-02T08:00:00Z", "2026-03-01": "2026-03-01T00:00:00Z",
		"2026-03-01T08:30": "2026-03-01T08:30:00Z", "2026-03-01T08:30:10+02:00": "2026-03-01T06:30:10Z",
		"": "", "-1h": "", "-1d": "", "d": "", "99999d": "", "tomorrow": "", "10": "",
	} {
		got, err := when(now, "since", text)
		if err != nil != (want == "") || err == nil && got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q: got %v, %v, want %q", text, got, err, want)
		}
	}
}
