package main

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/pkg/procore"
)

// The forms of a page, and what is in them.
var (
	shownForm   = regexp.MustCompile(`(?s)<form method="(get|post)" action="([^"]+)">(.*?)</form>`)
	shownField  = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	shownButton = regexp.MustCompile(`<button[^>]*>([^<]*)</button>`)
	shownLink   = regexp.MustCompile(`href="(/[^"]*)"`)
)

// press presses a button of a page. verb is what the console then types.
func (v *visitor) press(a answer, text, verb string) answer {
	v.t.Helper()
	for _, form := range shownForm.FindAllStringSubmatch(a.body, -1) {
		if button := shownButton.FindStringSubmatch(form[3]); button == nil || !strings.HasPrefix(html.UnescapeString(button[1]), text) {
			continue
		}
		fields := url.Values{}
		for _, one := range shownField.FindAllStringSubmatch(form[3], -1) {
			if one[1] != "form" {
				fields.Set(one[1], html.UnescapeString(one[2]))
			}
		}
		if form[1] == "get" {
			return v.get(form[2] + "?" + fields.Encode())
		}
		return v.post(verb, form[2], fields)
	}
	v.t.Fatalf("%s has no button %q: %s", a.path, text, a.body)
	return answer{}
}

// links are the paths of a page that begin so, each once.
func links(a answer, begin string) (all []string) {
	for _, l := range shownLink.FindAllStringSubmatch(a.body, -1) {
		if path := html.UnescapeString(l[1]); strings.HasPrefix(path, begin) && !slices.Contains(all, path) {
			all = append(all, path)
		}
	}
	return all
}

// forget forgets what AWS was asked, and scanned returns the tables that were read from beginning to end since then.
func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = nil
}

func (w *world) scanned() (tables []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.asked {
		if c.Action == "dynamodb:Scan" {
			tables = append(tables, c.Resource)
		}
	}
	return tables
}

func lacks(t *testing.T, a answer, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("%s shows %q: %s", a.path, text, a.body)
		}
	}
}

// eventful is a day that has something in each view of events and keys.
func eventful(t *testing.T) *world {
	t.Helper()
	w := quarantined(t)
	start := w.Clock.Now()
	w.dies(5678, 5, "5")
	w.dies(5678, 6, "6")
	w.drops("dispatch-dead", start.Add(-26*time.Hour), start.Add(-22*time.Hour), 1234)
	w.drops("announce-dead", start.Add(-23*time.Hour), start.Add(-23*time.Hour), 1)
	w.passes = true
	for _, ring := range []string{"webhook", "seal"} {
		if _, aside, code := w.run("keys", "rotate", ring, "--yes"); code != exitOK {
			t.Fatal(aside)
		}
	}
	for n := 20; n < 90; n++ {
		w.Clock.Advance(time.Duration(n) * time.Second)
		id := w.arrives(5678+int64(n%2), n, []string{"create", "update", "update", "delete"}[n%4])
		w.dispatched(5678+int64(n%2), id)
		w.consumed(5678+int64(n%2), id, []string{"handled", "handled", "own", "attempt 1", "handled", "attempt 5", "handled", "stale", "handled"}[n%9])
	}
	return w
}

// The console lists events as the command does, without what Procore sent, and without a scan.
func TestConsoleEvents(t *testing.T) {
	t.Parallel()
	w := busy(t)
	v := consoleOf(t, w)
	w.forget()
	all := v.get("/events?since=3d")
	v.wants(http.StatusOK, all, "handled", "failing", ">dead<", "quarantined", "undeliverable", "received", "dispatched", "unknown", "stale",
		"Second Construction Co.", "Procore answers 503", "larger than 256 KB", "procore-connect --local events list --since=3d")
	lacks(t, all, "Jane")
	v.wants(http.StatusOK, v.get("/events"), "--since=24h")
	for path, shows := range map[string][]string{
		"/events?company=5678&outcome=failing":   {`of <a`},
		"/events?company=second&since=3d":        {"01JB0000000000000000000013", "events list --company=5679 --since=3d"},
		"/events?company=construction":           {"More than one company", "“construction”", "?company=5679"},
		"/events?company=99":                     {"There is no such event."},
		"/events?outcome=stale&type=delete":      {"01JB0000000000000000000004"},
		"/events?outcome=stale&type=update":      {"There is no such event."},
		"/events?company=-1":                     {"No company has"},
		"/events?to=soon&skip=-7":                {"01JB0000000000000000000011"},
		"/events?to=2026-03-01T00:00:00Z":        {"There is no such event."},
		"/events?type=%3Cscript%3E&company=5678": {"--type=&lt;script&gt;"},
	} {
		v.wants(http.StatusOK, v.get(path), shows...)
	}
	for _, path := range []string{"/events?outcome=lost", "/events?since=1y", "/events/0/x", "/events/abc/x", "/events/5678/none?resource=RFIs%231", "/events/find?id=none"} {
		v.wants(http.StatusNotFound, v.get(path))
	}
	rows := append(links(all, "/events/5"), links(all, "/quarantine/5")...)
	if len(rows) != 16 {
		t.Errorf("the list leads to %d events, want 16", len(rows))
	}
	for _, path := range rows {
		v.wants(http.StatusOK, v.get(path), "may be personal data", "Replay")
	}
	if tables := w.scanned(); tables != nil {
		t.Errorf("read from beginning to end: %v", tables)
	}
	if a := v.get("/events/find?id=01JB0000000000000000000003"); !strings.HasPrefix(a.path, "/events/5678/") {
		t.Errorf("an id leads to %s", a.path)
	}
	v.wants(http.StatusOK, v.get("/companies/5678"), "/events?company=5678")
}

// An error beside the list is shown, and the rest remains.
func TestConsoleEventsWithoutLogs(t *testing.T) {
	t.Parallel()
	w := busy(t)
	v := consoleOf(t, w)
	w.aws.Logs.Fail(&awstest.Error{Code: "AccessDeniedException", Message: "not authorized to perform logs:StartQuery"})
	v.wants(http.StatusOK, v.get("/events?company=5678"), "Not everything could be read", "logs:StartQuery", "01JB0000000000000000000011", "quarantined", "unknown")
	v.wants(http.StatusOK, v.get("/events/5678/01JB0000000000000000000003?resource=RFIs%233"), "logs:StartQuery", "payload_version", "Replay this event")
}

// Each event is on one page, also where many arrived in one moment, and behind many that a filter leaves out.
func TestConsoleEventPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.arrives(5678, 1, "update")
	for i := range 2100 { // of no type
		w.Clock.Advance(time.Millisecond)
		w.put(w.Tables.Inbox, dynamo.Item{
			"resource": dynamo.Text(fmt.Sprintf("5678#RFIs#%d", 1000+i)), "event_id": dynamo.Text(fmt.Sprintf("untyped-%d", i)),
			"company_id": dynamo.Text("5678"), "received_at_ms": dynamo.Number(w.Clock.Now().UnixMilli()),
		})
	}
	w.Clock.Advance(time.Minute)
	for n := 2; n < 100; n++ {
		w.arrives(5678, n, "create")
	}
	v := consoleOf(t, w)
	seen := map[string]bool{}
	pages := 0
	for a := v.get("/events?company=5678&type=create"); ; a = v.get(links(a, "/events?")[slices.IndexFunc(links(a, "/events?"), func(l string) bool { return strings.Contains(l, "to=") })]) {
		v.wants(http.StatusOK, a)
		for _, path := range links(a, "/events/5678/") {
			if seen[path] {
				t.Errorf("%s is on two pages", path)
			}
			seen[path] = true
		}
		if pages++; pages > 9 || !strings.Contains(a.body, ">Older<") {
			break
		}
	}
	if len(seen) != 98 || pages > 5 {
		t.Errorf("%d pages have %d events, want 98", pages, len(seen))
	}
	a := v.get("/events?company=5678&type=update")
	lacks(t, a, first)
	older := links(a, "/events?company=5678&since=24h&")
	if len(older) != 1 {
		t.Fatalf("got the links %v, want one that goes on", older)
	}
	v.wants(http.StatusOK, v.get(older[0]), first, ">Latest<")
}

// One event has its facts, its own lines, its envelope, and what Procore sent as text. Its button replays it and no other.
func TestConsoleEvent(t *testing.T) {
	t.Parallel()
	w := busy(t)
	hostile := procore.Event{ID: "a/b?<x>", CompanyID: 5678, Resource: `R "&`, ResourceID: "../1", Type: "create", PayloadVersion: "v4.0", Data: []byte(`{"name":"Jane Private"}`)}
	body := "{\"x\":\"<script>alert(1)</script>\u202e\\u0000\", \"who\":\"Jane\"}"
	if _, err := w.inbox().Add(t.Context(), hostile, []byte(body)); err != nil {
		t.Fatal(err)
	}
	v := consoleOf(t, w)
	list := v.get("/events?company=5678")
	i := slices.IndexFunc(links(list, "/events/5678/"), func(l string) bool { return strings.Contains(l, "a%2Fb") })
	if i < 0 {
		t.Fatalf("the list lacks an event: %s", list.body)
	}
	a := v.get(links(list, "/events/5678/")[i])
	v.wants(http.StatusOK, a, "&lt;script&gt;alert(1)", "&lt;U&#43;202E&gt;", "v4.0", "<details class=\"payload\">", "no function wrote")
	lacks(t, a, "<script>alert", "\u202e", "Jane Private")
	if before, _, _ := strings.Cut(a.body, "<details"); strings.Contains(before, "Jane") {
		t.Errorf("what Procore sent is shown unfolded: %s", before)
	}

	const same = "01JA8Z7Q4M6X2V9T3C5B1N0KDE" // also an event of company 5678, which no function wrote about
	of := v.get("/events/5679/" + same + "?resource=RFIs%231")
	v.wants(http.StatusOK, of, "event dispatched", "handled", "trace --since=14d "+same)
	v.wants(http.StatusOK, v.get("/events/5678/"+same+"?resource=RFIs%231"), "no function wrote")
	v.wants(http.StatusOK, v.get("/events/5679/"+same), "event dispatched")
	w.dispatched(5678, same)
	w.Clock.Advance(time.Minute)
	beside := v.get("/events/5678/" + same + "?resource=RFIs%231")
	v.wants(http.StatusOK, beside, "resource_key=5678#RFIs")
	lacks(t, beside, "resource_key=5679#RFIs")

	asks := v.press(of, "Replay this event", "replay")
	v.wants(http.StatusOK, asks, "1 event of 1 resource", "Dry run", "WOULD BE", "--resource=RFIs#1", ">asks<")
	v.post("replay", asks.path, url.Values{"question": {"1"}, "answer": {"yes"}})
	v.ended(asks.path, "1 handed on", ">done<")
	v.wants(http.StatusOK, v.press(of, "Replay from here on", "replay"), `name="resource" value="RFIs#1"`, "Nothing is changed before you confirm")
	v.wants(http.StatusOK, v.press(list, "Replay events", "replay"), `name="company" value="5678"`, `name="from" value="24h"`)
	odd := v.press(a, "Replay this event", "replay") // the resource is not one that can be typed, and the time names the event
	v.wants(http.StatusOK, odd, "1 event of 1 resource", ">asks<")
}

// Deliveries in quarantine are listed with their reasons, shown as text or in hexadecimal, and replayed.
func TestConsoleQuarantine(t *testing.T) {
	t.Parallel()
	w := quarantined(t)
	if _, err := w.inbox().Quarantine(t.Context(), 5678, "no JSON <b>", []byte("\xff\x00\u202e")); err != nil {
		t.Fatal(err)
	}
	v := consoleOf(t, w)
	w.forget()
	all := v.get("/quarantine")
	v.wants(http.StatusOK, all, "an older version did not understand it", "no JSON &lt;b&gt;", "1–6 of 6", "procore-connect --local quarantine list --since=14d")
	if tables := w.scanned(); tables != nil {
		t.Errorf("read from beginning to end: %v", tables)
	}
	v.wants(http.StatusOK, v.get("/quarantine?company=5679"), "Nothing is in quarantine")
	v.wants(http.StatusOK, v.get("/quarantine?company=first"), "No company has")
	v.wants(http.StatusNotFound, v.get("/quarantine?since=1y"))
	v.wants(http.StatusNotFound, v.get("/quarantine/5678/000000000000"))
	v.wants(http.StatusNotFound, v.get("/quarantine/5678/zz"))
	rows := links(all, "/quarantine/5678/")
	if len(rows) != 6 {
		t.Fatalf("got %d deliveries, want 6", len(rows))
	}
	bodies, stored := "", 0
	for _, path := range rows {
		a := v.get(path)
		v.wants(http.StatusOK, a, "may be personal data", "quarantine show 5678/")
		bodies += a.body
		if !strings.Contains(a.body, "Replay this delivery") {
			continue
		}
		asks := v.press(a, "Replay this delivery", "quarantine replay")
		v.wants(http.StatusOK, asks, "a replay stores it", "Nothing was changed.", ">asks<")
		v.post("quarantine replay", asks.path, url.Values{"question": {"1"}, "answer": {"yes"}})
		v.ended(asks.path, "1 stored", ">done<")
		v.wants(http.StatusOK, v.get(path), "stored already")
		stored++
	}
	if stored != 1 {
		t.Errorf("%d deliveries can be replayed, want one", stored)
	}
	for _, text := range []string{"00000000  ff 00", "&lt;U&#43;001B&gt;", "only its beginning is kept", "of another company than the credential", "stored already"} {
		if !strings.Contains(bodies, text) {
			t.Errorf("no delivery shows %q", text)
		}
	}
	v.wants(http.StatusOK, v.press(v.get("/quarantine?company=5678&since=3d"), "Replay those", "quarantine replay"), `name="from" value="3d"`)
}

// A company may have more in quarantine than a page reads, and the page says so.
func TestConsoleManyQuarantined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := w.inbox()
	store.Quota = 2000
	for i := range 1001 {
		if _, err := store.Quarantine(t.Context(), 5678, "odd", fmt.Appendf(nil, "%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	v := consoleOf(t, w)
	v.wants(http.StatusOK, v.get("/quarantine?company=5678&page=2"), "51–100 of at least 1,000", "only some of its deliveries were read", ">Before<", ">Next<")
	v.wants(http.StatusOK, v.get("/quarantine?company=5678&page=99"), "951–1,000 of at least 1,000")
}

// Dead letters are shown with what to do, and each button does it.
func TestConsoleDead(t *testing.T) {
	t.Parallel()
	w := busy(t)
	v := consoleOf(t, w)
	v.wants(http.StatusOK, v.get("/dead"), "There is no dead letter.")
	start := w.Clock.Now()
	w.dies(5678, 5, "5")
	w.drops("dispatch-dead", start.Add(-26*time.Hour), start.Add(-22*time.Hour), 1234)
	w.drops("announce-dead", start.Add(-23*time.Hour), start.Add(-23*time.Hour), 1)
	if _, _, err := w.queue("announce-dead").Send(awstest.Message{Body: "<b>"}); err != nil {
		t.Fatal(err)
	}
	a := v.get("/dead")
	v.wants(http.StatusOK, a, "RFIs 5", `/companies/5678"><bdi>My Construction Co.<`, "1,234 changes not sent to the consumer", "1 change not announced", "is no position",
		"replay --all-companies --from 2026-03-02T07:0", "list --needs-person")
	lacks(t, a, "data-live", "<b>")
	event := links(a, "/events/5678/")
	if len(event) != 1 {
		t.Fatalf("got the events %v, want one", event)
	}
	v.wants(http.StatusOK, v.get(event[0]), "not handled", "Replay this event")
	v.wants(http.StatusOK, v.press(a, "Replay that time", "replay"), "--all-companies --from=2026-03-02T07:0", "Dry run", ">asks<")
	purge := v.press(a, "Delete the position", "dead purge")
	v.wants(http.StatusOK, purge, "It is deleted for good", ">asks<")
	v.post("dead purge", purge.path, url.Values{"question": {"1"}, "answer": {"yes"}})
	v.ended(purge.path, "Deleted.", ">done<")
	lacks(t, v.get("/dead"), "1,234 changes")
	back := v.press(a, "Move the events back", "dead redrive")
	v.wants(http.StatusOK, back, "About 1 dead event go back", ">asks<")
	v.post("dead redrive", back.path, url.Values{"question": {"1"}, "answer": {"yes"}})
	v.ended(back.path, "1 event moved", ">done<")
	lacks(t, v.get("/dead"), "RFIs 5")
}

// The keys are shown without a count and a scan. What needs an old key is counted if that is asked for.
func TestConsoleKeys(t *testing.T) {
	t.Parallel()
	w := rotated(t)
	v := consoleOf(t, w)
	w.forget()
	fresh := v.get("/keys")
	v.wants(http.StatusOK, fresh, "seal", "webhook", "link", ">k1<", ">current<", "keys status")
	lacks(t, fresh, "Count what needs", "Retire k1")
	asks := v.press(fresh, "Rotate webhook", "keys rotate")
	v.wants(http.StatusOK, asks, "waits six minutes", ">asks<")
	v.post("keys rotate", asks.path, url.Values{"question": {"1"}, "answer": {"yes"}})
	v.ended(asks.path, "k2 is the current key", ">done<")
	old := v.get("/keys")
	v.wants(http.StatusOK, old, ">old<", "not counted", "Count what needs")
	if tables := w.scanned(); tables != nil {
		t.Errorf("read from beginning to end: %v", tables)
	}
	lacks(t, old, "Retire k1")
	v.wants(http.StatusOK, v.get("/keys?count=1"), "webhook k1 is still needed by", "hooks with its credential", "not yet")
	if _, aside, code := w.run("webhooks", "sync", "--all", "--yes"); code != exitOK {
		t.Fatal(aside)
	}
	v.wants(http.StatusOK, v.get("/keys?count=1"), "deliveries that Procore may repeat", "from <time")
	w.Clock.Advance(14 * time.Hour)
	counted := v.get("/keys?count=1")
	v.wants(http.StatusOK, counted, "Retire k1")
	retire := v.press(counted, "Retire k1", "keys retire")
	v.wants(http.StatusOK, retire, "Removes the key", ">asks<")
	v.post("keys retire", retire.path, url.Values{"question": {"1"}, "answer": {"yes"}})
	v.ended(retire.path, "no longer has the key k1", ">done<")
	lacks(t, v.get("/keys"), "Count what needs")
	v.wants(http.StatusOK, v.press(counted, "Retire one company", "keys raise-epoch"), "Nothing is changed before you confirm")
}

// Of very many companies no list of events is read: one is named first.
func TestConsoleEventsOfTenThousand(t *testing.T) {
	t.Parallel()
	w := worldOfMany(t)
	w.arrivals(5000)
	v := consoleOf(t, w)
	w.forget()
	for _, path := range []string{"/events", "/quarantine"} {
		v.wants(http.StatusOK, v.get(path), "There are 10,000 companies", "Name one")
	}
	v.wants(http.StatusOK, v.get("/events?company=100000&since=14d"), ">Older<")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wantCalls(map[string]int{"dynamodb:GetItem": 60, "dynamodb:Query": 32 + 20, "logs:StartQuery": 1, "logs:GetQueryResults": 1})
}
