package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/stack"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// at puts a line into a function's log at a time.
func (w *world) at(t time.Time, function, format string, args ...any) {
	w.t.Helper()
	w.aws.Logs.Put(stack.LogGroup(function), t, fmt.Sprintf(`{"time":%q,"level":"INFO","request_id":"7f3c1d52-0b1e-4f43-9c1e-2f1f5a7f4b11",`, t.Format(time.RFC3339Nano))+fmt.Sprintf(format, args...)+"}")
}

// arrivesAt stores an event of a company at a time, and returns its id.
func (w *world) arrivesAt(t time.Time, company int64, n int, reconciled bool) string {
	w.t.Helper()
	now := w.Clock.Now()
	w.Clock.Set(t)
	defer w.Clock.Set(now)
	e := procore.Event{ID: fmt.Sprintf("01JC%022d", n), CompanyID: company, Resource: "RFIs", ResourceID: procore.ID(fmt.Sprint(n)), Type: "update", Timestamp: t, Reconciled: reconciled}
	if reconciled {
		e.ID = inbox.ReconciledID(e.ID)
	}
	if o, err := w.inbox().Add(w.t.Context(), e, []byte(`{}`)); err != nil || o.Word != inbox.Stored {
		w.t.Fatalf("the event was not stored: %v, %v", o, err)
	}
	return e.ID
}

const of5678 = `"company_id":5678,`

// week is a week of a company in which much happened: Monday 2 March 08:00 to Monday 9 March 10:20.
func week(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	joe, began := procoretest.Joe, w.Clock.Now()
	principal := fmt.Sprintf(`"principal":"user#%d",`, joe)
	after := func(d int, clock string) time.Time {
		hour, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		return began.Truncate(24*time.Hour).AddDate(0, 0, d).Add(time.Duration(hour.Hour())*time.Hour + time.Duration(hour.Minute())*time.Minute)
	}
	w.Authorize(joe)
	w.connect(5678, joe, "My Construction Co.", "Joe Builder", connections.WebhooksActive)
	w.connect(5679, joe, "Second Construction Co.", "Joe Builder", connections.WebhooksActive)
	w.at(began, "company-select", "%s", principal+of5678+`"msg":"connection changed","from":"","to":"connected","reason":""`)
	w.at(began.Add(time.Minute), "refresher", of5678+`"msg":"hook step","hook_id":"h1","step":"create","because":["missing"]`)
	for d := range 7 {
		w.at(after(d, "23:10"), "refresher", of5678+`"msg":"hook reconciled","status":"active","hook_id":"h1","recovered":0`)
	}
	n := 0
	for d, hours := range [][]int{{0, 1, 3, 7, 4, 2}, {2, 6, 9, 8, 5, 3}, {3, 7, 8, 6, 4, 1}, {1, 5, 2, 0, 0, 6}, {4, 8, 9, 7, 3}, {1}, {0, 1}, {2}} {
		for h, many := range hours {
			for i := range many {
				n++
				w.arrivesAt(after(d, "08:05").Add(time.Duration(h)*100*time.Minute+time.Duration(i)*7*time.Minute), 5678, n, false)
			}
		}
	}
	for at := began.Add(70 * time.Minute); at.Before(after(7, "10:00")); at = at.Add(85 * time.Minute) {
		if at.Before(after(3, "12:00")) || at.After(after(3, "16:00")) {
			w.at(at, "refresher", "%s", principal+`"msg":"token refreshed","outcome":"refreshed","generation":2`)
		}
	}
	// Tuesday: one event fails often, and is a dead letter; another one is handled in the end.
	for i := range 5 {
		w.at(after(1, "14:00").Add(time.Duration(i)*12*time.Minute), "event-consumer", of5678+`"msg":"not handled","event_id":"01JC%022d","resource":"RFIs","resource_id":"40","type":"update","attempt":%d,"error":"the consumer's database refused it"`, 40, i+1)
	}
	w.at(after(1, "14:01"), "event-consumer", of5678+`"msg":"not handled","event_id":"01JC%022d","resource":"RFIs","resource_id":"41","type":"update","attempt":1,"error":"timeout"`, 41)
	w.at(after(1, "14:09"), "event-consumer", of5678+`"msg":"handled","event_id":"01JC%022d","resource":"RFIs","resource_id":"41","type":"update","outcome":"handled"`, 41)
	// Wednesday: a delivery is not understood.
	w.Clock.Set(after(2, "15:30"))
	if _, err := w.inbox().Quarantine(t.Context(), 5678, "no resource", []byte(`{"x":1}`)); err != nil {
		t.Fatal(err)
	}
	w.at(w.Clock.Now(), "webhook-receiver", of5678+`"msg":"request","route":"POST /webhooks/procore","status":200,"outcome":"quarantined","reason":"no resource"`)
	// Thursday: the authorization ends, and Joe connects again.
	w.Clock.Set(after(3, "12:10"))
	w.refresh(joe, procoretest.Fault{Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`})
	w.at(w.Clock.Now(), "refresher", "%s", principal+`"msg":"grant changed","from":"active","to":"reauthorize","generation":1,"reason":"invalid_grant","holders":["5678","5679"]`)
	w.Clock.Set(after(3, "15:20"))
	w.Authorize(joe)
	w.connect(5678, joe, "My Construction Co.", "Joe Builder", connections.WebhooksActive)
	// Friday: the hook was disabled, and what it missed is found.
	w.at(after(4, "16:40"), "refresher", of5678+`"level":"WARN","msg":"hook reactivated","hook_id":"h1","because":["status"]`)
	for i := range 3 {
		w.arrivesAt(after(4, "17:00").Add(time.Duration(i)*time.Second), 5678, 900+i, true)
	}
	w.at(after(4, "17:01"), "reconciler", of5678+`"msg":"changes reconciled","found":3`)
	// Monday: Procore answers 401, and an event fails right now.
	w.Clock.Set(after(7, "10:10"))
	if err := w.Store().Pause(t.Context(), w.Connection(connections.Key{CompanyID: 5678, Principal: tokens.User(joe)})); err != nil {
		t.Fatal(err)
	}
	w.at(after(7, "10:10"), "event-consumer", of5678+principal+`"msg":"connection paused","until":%q`, after(7, "10:15").Format(time.RFC3339))
	w.at(after(7, "10:12"), "event-consumer", of5678+`"msg":"not handled","event_id":"01JC%022d","resource":"RFIs","resource_id":"%d","type":"update","attempt":2,"error":"paused"`, n, n)
	w.at(after(7, "10:13"), "event-consumer", `"company_id":5679,`+principal+`"msg":"connection paused","until":%q`, after(7, "10:15").Format(time.RFC3339))
	w.Clock.Set(after(7, "10:20"))
	return w
}

// timeline reads a company's page until the log was searched.
func (v *visitor) timeline(path string, shows ...string) string {
	v.t.Helper()
	late := time.After(time.Minute)
	for {
		a := v.get(path)
		if !strings.Contains(a.body, "The log is being searched") {
			v.wants(http.StatusOK, a, shows...)
			if err := wellFormed(a.body); err != nil {
				v.t.Errorf("%s: the drawing: %v", path, err)
			}
			return a.body
		}
		select {
		case <-late:
			v.t.Fatal("the search has not ended")
		default:
		}
	}
}

var drawn = regexp.MustCompile(`(?s)<svg class="timeline".*?\n<ul class="legend"`)

// wellFormed reads the drawing as XML.
func wellFormed(body string) error {
	svg := strings.TrimSuffix(drawn.FindString(body), `<ul class="legend"`)
	if svg == "" {
		return errors.New("there is no drawing")
	}
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// times are the paths of the times that a page leads to.
func times(body string) (all []string) {
	for _, m := range regexp.MustCompile(`href="(/companies/[^"#]*)`).FindAllStringSubmatch(body, -1) {
		all = append(all, strings.ReplaceAll(m[1], "&amp;", "&"))
	}
	return all
}

// A week of a company in one line of time: what the rows remember, what the logs have, and what arrived, each once.
func TestConsoleTimeline(t *testing.T) {
	t.Parallel()
	v := consoleOf(t, week(t))
	body := v.timeline("/companies/5678?from=14d",
		"Webhook made", "The authorization of Joe Builder ended", "Connected by Joe Builder", "A delivery was quarantined", "RFIs 40 is a dead letter",
		"RFIs 41 was handled, after a failed attempt", "Webhook was disabled, and made active again", "Changes that no webhook had reported: 3",
		"Calls pause, because Procore answered 401", "Token of Joe Builder refreshed", "30 events, 1 in quarantine", "33 events, 1 dead",
		"It means that the user&#39;s refresh token is spent", "docs/RUNBOOK.md, reauthorize", "procore-connect --local why 5678",
		"procore-connect --local quarantine show 5678/", "procore-connect --local dead redrive", "procore-connect --local trace 01JC0000000000000000000040",
		`class="length bad"`, `class="now"`, "Procore refused the refresh token")
	for text, want := range map[string]int{">The authorization of Joe Builder ended": 1, ">A delivery was quarantined": 1, ">Calls pause": 1} {
		if n := strings.Count(body, "<bdi>"+text[1:]); n != want {
			t.Errorf("%q is there %d times, want %d", text, n, want)
		}
	}
	// An hour of Tuesday has its events one by one; the week has not.
	hour := v.timeline("/companies/5678?from=2026-03-03T08:00Z&to=2026-03-03T09:00Z", "Event of RFIs 18 arrived", "events show 01JC0000000000000000000018 --company 5678", "Zoom out", "Tuesday 3 March 2026")
	if strings.Contains(hour, "Webhook made") || strings.Contains(body, "Event of RFIs 18 arrived") {
		t.Error("an entry is shown in another span")
	}
	// An event is a click away: one that arrived, and one that failed.
	for body, path := range map[string]string{hour: "/events/5678/01JC0000000000000000000018?resource=RFIs%2318", body: "/events/5678/01JC0000000000000000000040"} {
		if !strings.Contains(body, `href="`+path+`">Open the event`) {
			t.Errorf("no entry leads to %s", path)
		}
		v.wants(http.StatusOK, v.get(path), "What became of it")
	}
	// What is wrong in no span is shown in none.
	v.timeline("/companies/5678?from=2026-02-20&to=2026-02-21", "Nothing is known of this time.", "0 events")
}

// Each link of a timeline leads to another one.
func TestConsoleTimelineLinks(t *testing.T) {
	t.Parallel()
	v := consoleOf(t, week(t))
	all := times(v.timeline("/companies/5678?from=2026-03-03T14:00Z&to=2026-03-03T15:00Z"))
	slices.Sort(all)
	if all = slices.Compact(all); len(all) != 4+3+12 {
		t.Errorf("got %d links, want four lengths, three other times, and twelve columns: %q", len(all), all)
	}
	for _, path := range all {
		v.timeline(path)
	}
}

// Zooming in searches the log once, and so does a page that renews itself. Without the log the rest is shown.
func TestConsoleTimelineSearches(t *testing.T) {
	t.Parallel()
	w := week(t)
	v := consoleOf(t, w)
	searched := func(want int, why string) {
		t.Helper()
		n := 0
		w.mu.Lock()
		for _, c := range w.asked {
			if c.Action == "logs:StartQuery" && strings.HasSuffix(c.Resource, "functions") { // of each log group
				n++
			}
		}
		w.asked = nil
		w.mu.Unlock()
		if n != want {
			t.Errorf("%s: %d searches, want %d", why, n, want)
		}
	}
	v.timeline("/companies/5678?from=14d")
	searched(2, "the lines, and what became of the events that failed")
	v.timeline("/companies/5678?from=7d")
	v.timeline("/companies/5678?from=2026-03-03T14:00Z&to=2026-03-03T15:00Z", "RFIs 40 is a dead letter")
	searched(0, "zooming in")
	w.Clock.Advance(2 * time.Minute)
	r := v.request(http.MethodGet, "/companies/5678?from=14d", nil)
	r.Header.Set("Sec-Fetch-Dest", "empty")
	v.wants(http.StatusOK, v.do(r), "searched <time")
	v.timeline("/companies/5678?from=2026-03-03T14:00Z&to=2026-03-03T15:00Z", "RFIs 40 is a dead letter")
	searched(0, "the script renews it, and the past remains")
	v.timeline("/companies/5678?from=14d")
	searched(2, "opened again")
	w.Clock.Advance(2 * time.Minute)
	w.aws.Logs.Fail(&awstest.Error{Code: "AccessDeniedException", Message: "not authorized to perform logs:StartQuery"})
	body := v.timeline("/companies/5678?from=14d", "the log was not searched", "The authorization of Joe Builder ended", "A delivery was quarantined", "found by reconciling")
	if strings.Contains(body, "Webhook made") {
		t.Error("lines are shown without the log")
	}
	w.aws.Logs.Fail(nil)
	w.Clock.Advance(2 * time.Minute)
	v.timeline("/companies/5678?from=14d", "Webhook made")
}

// A company with many events and lines is shown by a bounded number of reads, with what is cut.
func TestConsoleTimelineOfMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Authorize(procoretest.Joe)
	w.connect(5678, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksActive)
	began := w.Clock.Now()
	for i := range 500 {
		w.arrivesAt(began.Add(time.Duration(i)*time.Second), 5678, i, false)
	}
	for i := range 5200 {
		w.at(began.Add(time.Duration(i)*time.Second), "reconciler", of5678+`"msg":"project not reconciled","project_id":%d,"resource":"RFIs","error":"403"`, i)
	}
	for i := range 100 {
		w.at(began.Add(90*time.Minute+time.Duration(i)*time.Second), "refresher", of5678+`"msg":"hook step","step":"patch","because":["x"]`)
	}
	w.Clock.Advance(2 * time.Hour)
	v := consoleOf(t, w)
	v.timeline("/companies/5678?from=3h")
	w.mu.Lock()
	w.asked = nil
	w.mu.Unlock()
	body := v.timeline("/companies/5678?from=3h&p=2", "At least 200 events", "There are too many lines", "RFIs of a project could not be read", `class="unread"`, `class="part cut"`)
	if !strings.Contains(body, "×") || len(body) > 300_000 {
		t.Errorf("the lines of a routine are not joined: %d bytes", len(body))
	}
	w.mu.Lock()
	w.wantCalls(map[string]int{"dynamodb:GetItem": 3, "dynamodb:Query": 2 + 4 + 36}) // no scan among them
	w.mu.Unlock()
	hour := v.timeline("/companies/5678?from=2026-03-02T08:00Z&to=2026-03-02T09:00Z")
	if strings.Contains(hour, "There are too many lines") {
		t.Error("an hour has too many lines")
	}
	// The list has pages.
	first := v.timeline("/companies/5678?from=3h", "Earlier entries")
	if n := strings.Count(first, "<details>"); n != 60 {
		t.Errorf("a page of the list has %d entries", n)
	}
	v.timeline("/companies/5678?from=3h&p=2", "Later entries")
	v.timeline("/companies/5678?from=3h&p=999", "Later entries")
}

// What Procore and the lines have is text, and no command is more than it seems.
func TestConsoleTimelineHostile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Authorize(procoretest.Joe)
	w.connect(5678, procoretest.Joe, `"><script>alert(1)</script>`, "<img src=x>\u202e", connections.WebhooksActive)
	hostile := []string{`<script>alert(2)</script>`, `--help`, `$(id)`, "x' ; rm -rf /", `a"b`, "\u202egnp", strings.Repeat("W", 9000), `</title></svg><script>`}
	for i, text := range hostile {
		w.at(w.Clock.Now().Add(time.Duration(i)*time.Second), "event-consumer", of5678+`"msg":"not handled","event_id":%[1]q,"resource":%[1]q,"resource_id":%[1]q,"attempt":1,"error":%[1]q`, text)
		w.at(w.Clock.Now().Add(time.Duration(i)*time.Second), "refresher", of5678+`"msg":"operator action","verb":%[1]q,"request_id":%[1]q,"until":%[1]q`, text)
	}
	e := procore.Event{ID: "--yes<script>", CompanyID: 5678, Resource: "<script>", ResourceID: "--all", Type: "update"}
	if _, err := w.inbox().Add(t.Context(), e, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Minute)
	v := consoleOf(t, w)
	body := v.timeline("/companies/5678?from=1h", "&lt;script&gt;alert(2)&lt;/script&gt;")
	for _, text := range []string{"<script>alert", "<img", "\u202e", strings.Repeat("W", 2100), "show --", "trace --", "show $", "trace $", "<script></svg>"} {
		if strings.Contains(body, text) {
			t.Errorf("a page has %.30q", text)
		}
	}
	for _, path := range []string{"?from=%22%3E%3Cscript%3Ealert(3)%3C/script%3E", "?from=24h&to=" + url.QueryEscape(`" onclick="x`), "?p=-1&from=1h", "?p=" + strings.Repeat("9", 40)} {
		if body := v.timeline("/companies/5678" + path); strings.Contains(body, "alert(3)") || strings.Contains(body, "onclick") {
			t.Errorf("%s is in the page", path)
		}
	}
}
