package handler

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/procore"
)

// Every version is stored by one write, as one envelope, under ids that a FIFO queue
// accepts.
func TestStored(t *testing.T) {
	t.Parallel()
	tests := []struct {
		payload, key string
		want         procore.Event
	}{
		{"webhook-v2-old", "5678#Company Users#1469242", procore.Event{ID: "231346546", Type: "create", PayloadVersion: "v2.0"}},
		{"webhook-v2", "5678#RFIs#54321", procore.Event{ID: "01EDPD2J6SBY1163N77H95GW09", ULID: "01EDPD2J6SBY1163N77H95GW09", Type: "update", PayloadVersion: "v2.0", ProjectID: 219542}},
		{"webhook-v3", "5678#Direct Cost Line Items#379913", procore.Event{ID: "01JMYXMZRBVKK0PC6XS8SA4QRF", ULID: "01JMYXMZRBVKK0PC6XS8SA4QRF", Type: "delete", PayloadVersion: "v3.0", ProjectID: 219542}},
		{"webhook-v4", "5678#RFIs#9223372036854775807", procore.Event{ID: "01JMYXMZRBVKK0PC6XS8SA4QRE", ULID: "01JMYXMZRBVKK0PC6XS8SA4QRE", Type: "update", PayloadVersion: "v4.0", ProjectID: 9007199254740993}},
	}
	for _, tt := range tests {
		t.Run(tt.payload, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			body := sample(t, tt.payload)
			if got := r.good(body).Wants(http.StatusOK); got.Body != "" {
				t.Errorf("got body %q, want none", got.Body)
			}
			if diff := cmp.Diff(r.Storage(), []string{"PutItem"}); diff != "" {
				t.Errorf("operations (-got +want):\n%s", diff)
			}
			row := r.row()
			e, err := procore.ParseEvent([]byte(text(row, "envelope")))
			if err != nil {
				t.Fatal(err)
			}
			got := procore.Event{ID: e.ID, ULID: e.ULID, Type: e.Type, PayloadVersion: e.PayloadVersion, ProjectID: e.ProjectID}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("envelope (-got +want):\n%s", diff)
			}
			if e.Key() != tt.key || text(row, "resource") != tt.key || text(row, "event_id") != tt.want.ID {
				t.Errorf("got keys %q and %q, %q; want %q, %q", e.Key(), text(row, "resource"), text(row, "event_id"), tt.key, tt.want.ID)
			}
			for _, name := range []string{"group_id", "dedup_id"} {
				if id := text(row, name); id == "" || len(id) > 128 || strings.Contains(id, " ") {
					t.Errorf("%s is %q, which no FIFO queue takes", name, id)
				}
			}
			if raw, _ := row["body"].(*types.AttributeValueMemberB); raw == nil || string(raw.Value) != body {
				t.Error("the raw body is not in the row")
			}
			line := r.Log.Last(t)
			if line["outcome"] != "stored" || line["event_id"] != tt.want.ID || line["company_id"] != float64(company) || line["current_key"] != true {
				t.Errorf("logged %v", line)
			}
		})
	}
}

func TestDuplicate(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	for range 3 {
		r.good(sample(t, "webhook-v2")).Wants(http.StatusOK)
	}
	if diff := cmp.Diff(r.Storage(), []string{"PutItem", "PutItem", "PutItem"}); diff != "" {
		t.Errorf("operations (-got +want):\n%s", diff)
	}
	r.row()
	if diff := cmp.Diff(r.outcomes(), []string{"stored", "duplicate", "duplicate"}); diff != "" {
		t.Errorf("outcomes (-got +want):\n%s", diff)
	}
}

// The first delivery remains. A later one with the same id does not replace it.
func TestDuplicateDoesNotOverwrite(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	body := sample(t, "webhook-v2")
	r.good(body).Wants(http.StatusOK)
	before := text(r.row(), "envelope")
	r.good(strings.Replace(body, `"update"`, `"delete"`, 1)).Wants(http.StatusOK)
	if got := text(r.row(), "envelope"); got != before {
		t.Errorf("got %s, want %s", got, before)
	}
}

// API Gateway passes a body on in base64 unless its type is text.
func TestBase64Body(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	req := r.request(http.MethodPost, sample(t, "webhook-v3"))
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Authorization", header(t, functiontest.WebhookValue, company))
	r.Browser(r.base).Do(req).Wants(http.StatusOK)
	if got := text(r.row(), "event_id"); got != "01JMYXMZRBVKK0PC6XS8SA4QRF" {
		t.Errorf("got event %q, want 01JMYXMZRBVKK0PC6XS8SA4QRF", got)
	}
}

func TestMethod(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		req := r.request(method, "")
		req.Header.Set("Authorization", header(t, functiontest.WebhookValue, company))
		got := r.Browser(r.base).Do(req).Wants(http.StatusMethodNotAllowed)
		if got.Body != "" || got.Header.Get("Allow") != "HEAD, POST" {
			t.Errorf("%s: got body %q, Allow %q", method, got.Body, got.Header.Get("Allow"))
		}
	}
	if ops := r.Storage(); len(ops) > 0 {
		t.Errorf("got operations %v, want none", ops)
	}
}

// Procore may probe the address before there is a credential. It costs no storage, and
// not even the secret. A URL that was entered with a trailing slash is the same.
func TestHead(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.Secrets.Put(functiontest.WebhookSecret, "nonsense")
	for _, at := range []string{path, path + "/"} {
		for _, authorization := range []string{"", "Bearer x", header(t, functiontest.WebhookValue, company)} {
			req := r.request(http.MethodHead, "")
			req.URL.Path = at
			req.Header.Set("Authorization", authorization)
			if got := r.Browser(r.base).Do(req).Wants(http.StatusOK); got.Body != "" {
				t.Errorf("HEAD %s: got body %q", at, got.Body)
			}
		}
	}
	if ops := r.Storage(); len(ops) > 0 {
		t.Errorf("got operations %v, want none", ops)
	}
}

func TestTrailingSlash(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	req := r.request(http.MethodPost, sample(t, "webhook-v2"))
	req.URL.Path += "/"
	req.Header.Set("Authorization", header(t, functiontest.WebhookValue, company))
	r.Browser(r.base).Do(req).Wants(http.StatusOK)
	r.row()
}

// R4: an authentic delivery that is not understood is quarantined and answered 200,
// because an error would pause the hook.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	v2 := sample(t, "webhook-v2")
	large := `{"filler":"` + strings.Repeat("x", 300<<10) + `"}`
	tests := []struct{ name, body, reason string }{
		{"not JSON", `{"id":`, "not JSON"},
		{"no body", "", "not a JSON object"},
		{"not an object", `[1,2]`, "not a JSON object"},
		{"no resource", strings.Replace(v2, "resource_name", "resource_nombre", 1), "resource_name"},
		{"no resource id", strings.Replace(v2, "54321", "null", 1), "resource_id"},
		{"resource id of another form", strings.Replace(v2, "54321", `{"id":54321}`, 1), "resource_id"},
		{"resource id 0", strings.Replace(v2, "54321", "0", 1), "resource_id"},
		{"no type", strings.Replace(v2, `"update"`, `" "`, 1), "event_type"},
		{"another company", strings.Replace(v2, `"company_id": 5678,`, `"company_id": 91011,`, 1), "another company"},
		{"300 KB", large, "larger than 128 KB"},
		{"300 KB and valid", strings.Replace(v2, "{", `{"filler":"`+strings.Repeat("x", 300<<10)+`",`, 1), "larger than 128 KB"},
		{"not UTF-8", "\xff\xfe{}", "not a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			for range 2 { // Procore may repeat it
				r.good(tt.body).Wants(http.StatusOK)
			}
			if diff := cmp.Diff(r.Storage(), []string{"UpdateItem", "PutItem", "UpdateItem", "PutItem"}); diff != "" {
				t.Errorf("operations (-got +want):\n%s", diff)
			}
			row := r.row()
			if got := text(row, "resource"); got != "5678#quarantine" {
				t.Errorf("got resource %q, want that of the credential's company", got)
			}
			if got := text(row, "reason"); !strings.Contains(got, tt.reason) {
				t.Errorf("got reason %q, want %q", got, tt.reason)
			}
			if row["envelope"] != nil || row["group_id"] != nil {
				t.Error("what is quarantined would be handed on")
			}
			if raw, _ := row["body"].(*types.AttributeValueMemberB); raw != nil && len(raw.Value) != len(tt.body) && len(raw.Value) != 4<<10 {
				t.Errorf("%d bytes of the body are kept, want all, or 4 KB of one that is too large", len(raw.Value))
			}
			if line := r.Log.Last(t); line["outcome"] != "quarantined" || line["status"] != float64(200) ||
				line["company_id"] != float64(company) || !strings.Contains(line["reason"].(string), tt.reason) {
				t.Errorf("logged %v", line)
			}
		})
	}
}

// An event that is understood and still does not fit is quarantined, in storage and in
// the log.
func TestTooLargeForAnItem(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	related := `"related_resources":[` + strings.Repeat(`{"id":1},`, 13_000) + `{"id":1}],`
	r.good(strings.Replace(sample(t, "webhook-v2"), "{", "{"+related, 1)).Wants(http.StatusOK)
	if got := text(r.row(), "resource"); got != "5678#quarantine" {
		t.Errorf("got resource %q, want it quarantined", got)
	}
	if line := r.Log.Last(t); line["outcome"] != "quarantined" || line["reason"] != "its item would be too large" || line["event_id"] == nil {
		t.Errorf("logged %v", line)
	}
}

// A bad delivery does not delay good ones.
func TestQuarantineThenGood(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.good("nonsense").Wants(http.StatusOK)
	r.good(sample(t, "webhook-v4")).Wants(http.StatusOK)
	if diff := cmp.Diff(r.outcomes(), []string{"quarantined", "stored"}); diff != "" {
		t.Errorf("outcomes (-got +want):\n%s", diff)
	}
}

// The log of a delivery holds nothing of its body.
func TestLogHoldsNoBody(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	var payload map[string]any
	if err := json.Unmarshal([]byte(sample(t, "webhook-v4")), &payload); err != nil {
		t.Fatal(err)
	}
	payload["data"] = map[string]string{"note": "a-private-note"}
	body, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	r.good(string(body)).Wants(http.StatusOK)
	r.good(`{"a-private-note":`).Wants(http.StatusOK)
	if strings.Contains(r.Log.String(), "a-private-note") {
		t.Errorf("the body is in the log: %s", r.Log)
	}
	if !slices.Equal(r.outcomes(), []string{"stored", "quarantined"}) {
		t.Errorf("got outcomes %v", r.outcomes())
	}
}
