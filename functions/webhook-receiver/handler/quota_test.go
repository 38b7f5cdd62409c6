package handler

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/inbox"
)

// R4: deliveries beyond the quota of quarantine are answered 200 too, and not stored.
// Events and other companies are not affected.
func TestQuota(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.inbox.Quota = 2
	for _, body := range []string{"a", "b"} {
		r.good(body).Wants(http.StatusOK)
	}
	r.Storage()
	if got := r.good("c").Wants(http.StatusOK); got.Body != "" {
		t.Errorf("got body %q, want none", got.Body)
	}
	if diff := cmp.Diff(r.Storage(), []string{"UpdateItem"}); diff != "" || len(r.rows()) != 2 {
		t.Errorf("%d rows, operations (-got +want):\n%s", len(r.rows()), diff)
	}
	if line := r.Log.Last(t); line["outcome"] != "over quota" || line["new"] != false || line["company_id"] != float64(company) || line["reason"] == nil {
		t.Errorf("logged %v", line)
	}
	if _, got := r.Log.Metric(t, "EventsOverQuota"); got != 1 {
		t.Errorf("%d lines count, want 1", got)
	}
	r.deliver("c", header(t, functiontest.WebhookValue, 91011)).Wants(http.StatusOK)
	r.Storage()
	r.good(sample(t, "webhook-v2")).Wants(http.StatusOK)
	if diff := cmp.Diff(r.Storage(), []string{"PutItem"}); diff != "" {
		t.Errorf("operations of an event (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(r.outcomes(), []string{"quarantined", "quarantined", "over quota", "quarantined", "stored"}); diff != "" {
		t.Errorf("outcomes (-got +want):\n%s", diff)
	}
	r.Clock.Advance(time.Hour)
	r.good("c").Wants(http.StatusOK)
	if line := r.Log.Last(t); line["outcome"] != "quarantined" {
		t.Errorf("an hour later: logged %v", line)
	}
}

// R4: whatever happens to the counter's row, no delivery is answered with an error, which
// would pause the hook. Without a fault the quota is exact.
func TestManyWithoutAnID(t *testing.T) {
	t.Parallel()
	const deliveries, together = 5000, 50
	for name, fault := range map[string]dynamotest.Fault{
		"no fault": {}, "throttled": {Code: "ThrottlingException"}, "conflict": {Code: "TransactionConflictException"},
		"internal error": {Code: "InternalServerError"}, "not permitted": {Code: "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, storage := memory()
			names := tables.CreateForTest(t, db)
			storage.Intercept(func(_ string, body []byte) dynamotest.Fault {
				if bytes.Contains(body, []byte("quota#")) {
					return fault
				}
				return dynamotest.Fault{}
			})
			ring, err := credential.Parse(functiontest.WebhookValue)
			if err != nil {
				t.Fatal(err)
			}
			serve := gateway.Handler(&handler{inbox: &inbox.Store{DB: db, Table: names.Inbox}, ring: secrettest.Constant(ring)},
				gateway.Options{Log: slog.New(slog.DiscardHandler), MaxBody: -1})
			body, authorization := strings.Replace(sample(t, "webhook-v4"), `"id"`, `"no_id"`, 1), header(t, functiontest.WebhookValue, company)
			var next atomic.Int64
			var all sync.WaitGroup
			for range together {
				all.Go(func() {
					for n := next.Add(1); n <= deliveries; n = next.Add(1) {
						e := events.APIGatewayV2HTTPRequest{RawPath: path, Headers: map[string]string{"authorization": authorization},
							Body: strings.Replace(body, "{", fmt.Sprintf(`{"n":%d,`, n), 1)}
						e.RequestContext.HTTP.Method = http.MethodPost
						if out, err := serve(t.Context(), e); err != nil || out.StatusCode != http.StatusOK {
							t.Errorf("delivery %d: got %d, %v, want 200", n, out.StatusCode, err)
							return
						}
					}
				})
			}
			all.Wait()
			want := deliveries
			if fault.Code == "" {
				want = inbox.DefaultQuota
			}
			if got := len(deliveriesOf(t, db, names.Inbox)); got != want {
				t.Errorf("%d are stored, want %d", got, want)
			}
		})
	}
}
