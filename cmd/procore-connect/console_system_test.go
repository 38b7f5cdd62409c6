package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/stack"
	"procore-connect/internal/upkeep/heartbeat"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// metric writes a line with a metric, as a function does.
func (w *world) metric(at time.Time, name string, value float64) {
	w.aws.Logs.Put(stack.LogGroup("refresher"), at, fmt.Sprintf(
		`{"time":%q,"level":"INFO","msg":"m","%s":%g,"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":%q,"Dimensions":[[]],"Metrics":[{"Name":%[2]q}]}]}}`,
		at.Format(time.RFC3339), name, value, at.UnixMilli(), stack.StackName))
}

// reconciled writes what a run of the reconciler does.
func (w *world) reconciled(at time.Time, company int64, found int) {
	group := stack.LogGroup("reconciler")
	w.aws.Logs.Put(group, at, fmt.Sprintf(`{"time":%q,"level":"WARN","msg":"changes reconciled","company_id":%d,"found":%d}`, at.Format(time.RFC3339), company, found))
	w.aws.Logs.Put(group, at, fmt.Sprintf(`{"time":%q,"level":"INFO","msg":"reconcile run finished","companies":3,"calls":41,"reconciled":%d,"moved":1,"backfilled":0,"never_delivered":2,"not_covered":1}`, at.Format(time.RFC3339), found))
}

// measured is a morning with the metrics of a month so far.
func measured(t *testing.T) *world {
	t.Helper()
	w := morning(t)
	now := w.Clock.Now()
	if err := heartbeat.Write(t.Context(), w.Store()); err != nil {
		t.Fatal(err)
	}
	for h := range 24 * 14 { // from the last month on
		at := now.Add(-time.Duration(h) * time.Hour)
		w.metric(at, "OldestCheckSeconds", 30)
		w.metric(at, "EventsStored", float64(100+h%24*20))
		w.metric(at, "EventsHandled", float64(100+h%24*20))
		w.metric(at, "RefreshesSucceeded", 12)
	}
	for m := range 180 {
		at := now.Add(-time.Duration(m) * time.Minute)
		for i, name := range []string{"OldestDueSeconds", "ReconcileLagSeconds", "DispatchLagSeconds", "GrantsStreamLagSeconds"} {
			w.metric(at, name, float64(i*5+m%7))
		}
	}
	w.metric(now.Add(-40*time.Minute), "ConnectionsStreamLagSeconds", 2) // and no heartbeat since
	w.metric(now.Add(-2*time.Hour), "ChangesReconciled", 3)
	w.reconciled(now.Add(-20*time.Minute), 5678, 3)
	w.reconciled(now.Add(-40*time.Minute), 5679, 1)
	return w
}

// The page of the stack shows breaker, lags, queues, what the metrics count, and an estimate of this month's cost, by indexes
// and keys alone.
func TestConsoleSystem(t *testing.T) {
	t.Parallel()
	w := measured(t)
	v := consoleOf(t, w)
	v.get("/") // reads the list of companies
	w.mu.Lock()
	w.asked = nil
	w.mu.Unlock()
	a := v.get("/system")
	w.mu.Lock()
	w.wantCalls(map[string]int{"dynamodb:GetItem": 3, "dynamodb:Query": 16 + 3*connections.Shards + 33})
	w.mu.Unlock()
	v.wants(http.StatusOK, a, "1 trouble", "Stream of connections", "AnnounceStoppedAlarm", ">late<", ">on time<", "at most 16.0 s in 3 hours",
		"EventsStored", "An event was stored and will be passed to the consumer.", "Cost so far in March 2026", "March 2026 so far", "write units", "0.625 for 1,000,000",
		"33 of 34", "Refreshes", "Examine the stack")
	if strings.Contains(a.body, "Compare installations") {
		t.Error("a stack without a service account offers to compare installations")
	}
	v.get("/system")
	w.Clock.Advance(59 * time.Second)
	v.get("/system")
	for _, c := range w.asked {
		if c.Action == "cloudwatch:GetMetricData" {
			t.Error("the metrics are asked for twice in a minute")
		}
	}
	w.Clock.Advance(20 * time.Minute)
	v.wants(http.StatusOK, v.get("/system"), "4 troubles") // no stream has a value since, and housekeeping has not run
}

// What is wrong is at the top, with the button that is about it.
func TestConsoleSystemInTrouble(t *testing.T) {
	t.Parallel()
	w := morning(t)
	w.refresh(procoretest.Max, procoretest.Fault{Kind: procoretest.Status, Status: 401, Body: `{"error":"invalid_client"}`})
	w.brake()
	if q, err := w.aws.Queues.Queue("events-dead.fifo"); err != nil {
		t.Fatal(err)
	} else if _, _, err := q.Send(awstest.Message{Body: "{}", Group: "g", Dedup: "d"}); err != nil {
		t.Fatal(err)
	}
	v := consoleOf(t, w)
	a := v.get("/system")
	v.wants(http.StatusOK, a, "All refreshes have been stopped", "Connections of departed users do not end", "DeparturesStoppedAlarm", "should be empty", "procore-connect dead list",
		"3 troubles", "no run yet", "≈ $0.00", `action="/changes/breaker-probe"`, `action="/changes/departures-acknowledge"`)
	w.aws.Logs.Fail(&awstest.Error{Code: "ServiceUnavailable", Message: "not now"})
	w.Clock.Advance(2 * time.Minute)
	v.wants(http.StatusOK, v.get("/system"), "The metrics are not known", "All refreshes have been stopped", "3 troubles")
}

// brake engages the brake on departures.
func (w *world) brake() {
	w.t.Helper()
	w.put(w.Tables.Connections, dynamo.Item{
		"company": dynamo.Text("custom#departures"), "principal": dynamo.Text("brake"), "rev": dynamo.Number(1),
		"engaged_at": dynamo.Seconds(w.Clock.Now().Add(-time.Hour)), "withheld": dynamo.Number(3),
	})
}

// What reconciliation found is one search of the logs, of the time that a person chooses.
func TestConsoleReconciliation(t *testing.T) {
	t.Parallel()
	w := measured(t)
	w.aws.Logs.Put(stack.LogGroup("reconciler"), w.Clock.Now().Add(-10*time.Minute), `{"level":"INFO","msg":"reconcile run finished","companies":0,"calls":0}`)
	v := consoleOf(t, w)
	v.wants(http.StatusOK, v.get("/system/reconciliation"), "My Construction Co.", "Second Construction Co.", "<dd>82</dd>", "2026-03-02 09:06:00 UTC",
		"2 of 3 runs had a company that was due")
	v.wants(http.StatusOK, v.get("/system/reconciliation?hours=24"), "Last 24 h")
	v.wants(http.StatusNotFound, v.get("/system/reconciliation?hours=9999"))
}

// The doctor runs when its button is pressed, as a run of the command, and nothing else can be run so.
func TestConsoleDoctor(t *testing.T) {
	t.Parallel()
	v := consoleOf(t, morning(t))
	a := v.post("doctor", "/system/run/doctor", nil)
	v.ended(a.path, "procore-connect --local doctor", "closed: refreshes run", "exit code")
	v.wants(http.StatusNotFound, v.get("/system/run/doctor"))
	v.wants(http.StatusNotFound, v.post("", "/system/run/revoke", nil))
	v.wants(http.StatusNotFound, v.post("", "/system/run/service-account", nil))
	v.ended(v.post("rescue list", "/system/run/rescue-list", nil).path, "rescue list", ">done<")
}

// While the list is being read, those that need a person are shown.
func TestConsoleBeforeTheList(t *testing.T) {
	t.Parallel()
	w := morning(t)
	read := make(chan struct{})
	w.instead = func(_ http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err == nil && bytes.Contains(body, []byte(`"listed"`)) {
			<-read
		}
		return false
	}
	v := consoleOf(t, w)
	v.early = true
	a := v.get("/")
	v.wants(http.StatusOK, a, "is being read. These need a person.", "My Construction Co.", `data-live="1"`)
	if strings.Contains(a.body, "Second Construction Co.") || strings.Contains(a.body, "By state") {
		t.Errorf("a list that is not known is shown: %s", a.body)
	}
	if b := v.get("/?q=second").body; strings.Contains(b, "These need a person") || strings.Contains(b, "No company matches") {
		t.Errorf("a search has an answer before the list is read: %s", b)
	}
	close(read)
	v.early = false
	v.wants(http.StatusOK, v.get("/"), "1–5 of 5 companies")
}
