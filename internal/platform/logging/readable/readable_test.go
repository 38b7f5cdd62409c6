package readable

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
)

func TestReadable(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 10, 57, 43, 0, time.Local)
	// A line of the dispatcher, with the time that all have.
	from := func(rest string) string {
		return `{"function":"dispatcher","time":"` + at.Format(time.RFC3339Nano) + `",` + rest + "}\n"
	}
	for _, test := range []struct{ name, line, want string }{
		{
			"an event, with what it is about first",
			from(`"level":"INFO","msg":"handled","request_id":"r","outcome":"handled","read_bytes":7,"event_id":"01K","resource_id":"42","resource":"RFIs","company_id":5678,"type":"update"`),
			"10:57:43 dispatcher       handled company_id=5678 resource=RFIs resource_id=42 type=update event_id=01K outcome=handled read_bytes=7\n",
		},
		{
			"a failure, with its request",
			from(`"level":"ERROR","msg":"not handled","request_id":"r","error":"read: 503 \"x\"","company_id":9007199254740993,"attempt":2`),
			`10:57:43 dispatcher       ERROR not handled company_id=9007199254740993 attempt=2 error="read: 503 \"x\"" request_id=r` + "\n",
		},
		{
			"a request",
			from(`"level":"INFO","msg":"request","method":"GET","route":"GET /companies","status":200,"duration_ms":0,"principal":"","holders":null,"outcome":"ok"`),
			`10:57:43 dispatcher       request outcome=ok route="GET /companies" status=200 duration_ms=0` + "\n",
		},
		{"a list", from(`"level":"WARN","msg":"hook step","because":["a","b"]`), `10:57:43 dispatcher       WARN hook step because=["a","b"]` + "\n"},
		{"control characters", from(`"level":"INFO","msg":"line\nbreak","name":"\u001b[2J"`), `10:57:43 dispatcher       "line\nbreak" name="\x1b[2J"` + "\n"},
		{"an idle run", from(`"level":"INFO","msg":"reconcile run finished","companies":2,"calls":9,"reconciled":0,"not_covered":1,"reconcile_lag_s":0.5,"breaker_open":false`), ""},
		{"a heartbeat", from(`"level":"DEBUG","msg":"heartbeat dispatched","lag_s":2`), ""},
		{"a run that found something", from(`"level":"INFO","msg":"reconcile run finished","calls":9,"reconciled":1`), "10:57:43 dispatcher       reconcile run finished calls=9 reconciled=1\n"},
		{"an idle run with a metric", from(`"level":"INFO","msg":"reconcile run finished","reconcile_lag_s":60,"ReconcileLagSeconds":60,"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"local","Dimensions":[[]],"Metrics":[{"Name":"ReconcileLagSeconds","Unit":"Count"}]}]}`), ""},
		{"metrics", from(`"level":"INFO","msg":"request","outcome":"stored","EventsStored":1,"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"local","Dimensions":[[]],"Metrics":[{"Name":"EventsStored","Unit":"Count"}]}]}`), "10:57:43 dispatcher       request outcome=stored\n"},
		{"an open breaker", from(`"level":"INFO","msg":"refresh run finished","breaker_open":true`), "10:57:43 dispatcher       refresh run finished breaker_open=true\n"},
		{"a run with a warning", from(`"level":"WARN","msg":"refresh run finished","failed":0`), "10:57:43 dispatcher       WARN refresh run finished failed=0\n"},
		{"without a time", `{"function":"x","level":"INFO","msg":"m"}` + "\n", "         x                m\n"},
		{"text of a function", "refresher        | panic: 7\nrefresher        | \tmain.go:3\n", "10:57:43 refresher        panic: 7\n10:57:43 refresher        \tmain.go:3\n"},
		{"any other text", "text\n{\"a\":1}\n{broken\n[1]\n", "text\n{\"a\":1}\n{broken\n[1]\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			r := &Writer{to: &out, clock: procore.Clock{Time: func() time.Time { return at }}}
			if n, err := r.Write([]byte(test.line)); n != len(test.line) || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			if out.String() != test.want {
				t.Errorf("got  %q\nwant %q", out.String(), test.want)
			}
		})
	}
}

func TestReadableColours(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &Writer{to: &out, format: Format{Colours: true}}
	r.Write([]byte(`{"function":"x","level":"ERROR","msg":"m"}` + "\n"))
	if !strings.Contains(out.String(), "\x1b[31mERROR\x1b[0m") {
		t.Errorf("%q has no red level", out.String())
	}
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if NewWriter(file).format.Colours {
		t.Error("a file has colours")
	}
}
