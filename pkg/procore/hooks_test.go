package procore

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const hookJSON = `{"id":43593499,"api_version":"v3.0","destination_headers":{"Authorization":"*****xMiJ9"},
	"destination_url":"https://hooks.acme.com/x","owned_by_company_id":5678,"owned_by_project_id":null,"owned_by_user_id":1,"namespace":"acme-app"}`

func wantHook() Hook {
	return Hook{ID: 43593499, Namespace: "acme-app", DestinationURL: "https://hooks.acme.com/x",
		DestinationHeaders: Headers{"Authorization": NewSecret("*****xMiJ9")}, PayloadVersion: "v3.0", CompanyID: 5678}
}

// body compares the JSON of a request with want.
func body(t *testing.T, want, reply string) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if d := cmp.Diff(decoded(t, string(b)), decoded(t, want)); d != "" {
			t.Errorf("%s %s (-got +want):\n%s", r.Method, r.URL, d)
		}
		if got := r.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("got Content-Type %q", got)
		}
		answers(201, reply)(w, r)
	}
}

func decoded(t *testing.T, s string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Errorf("%s: %v", s, err)
	}
	return v
}

func TestHooks(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{
		"GET /rest/v1.0/webhooks/hooks": answers(200, "["+hookJSON+"]"),
		"POST /rest/v1.0/webhooks/hooks": body(t, `{"company_id":9007199254740993,"hook":{"namespace":"acme-app","api_version":"v3.0",
			"destination_url":"https://hooks.acme.com/x","destination_headers":{"Authorization":"Bearer k1.secret"}}}`, hookJSON),
		"PATCH /rest/v1.0/webhooks/hooks/43593499":  body(t, `{"company_id":9007199254740993,"hook":{"destination_url":"https://new.acme.com/x"}}`, hookJSON),
		"DELETE /rest/v1.0/webhooks/hooks/43593499": answers(200, ``),
	})
	c, ctx := f.company(), t.Context()
	hooks, err := Collect(c.Hooks(ctx, "acme-app"))
	if d := cmp.Diff(hooks, []Hook{wantHook()}); d != "" || err != nil {
		t.Errorf("Hooks: %v (-got +want):\n%s", err, d)
	}
	if got, want := f.all()[0].URL.RawQuery, inTestCompany+"&namespace=acme-app&per_page=100"; got != want {
		t.Errorf("got query %q, want %q", got, want)
	}
	spec := HookSpec{"acme-app", "https://hooks.acme.com/x", Headers{"Authorization": NewSecret("Bearer k1.secret")}, "v3.0"}
	h, err := c.CreateHook(ctx, spec)
	if d := cmp.Diff(h, wantHook()); d != "" || err != nil {
		t.Errorf("CreateHook: %v (-got +want):\n%s", err, d)
	}
	// An update keeps the namespace, and what the spec leaves empty.
	if _, err := c.UpdateHook(ctx, h.ID, HookSpec{Namespace: "other", DestinationURL: "https://new.acme.com/x"}); err != nil {
		t.Error(err)
	}
	if err := c.DeleteHook(ctx, h.ID); err != nil {
		t.Error(err)
	}
	if got := f.all()[3].URL.RawQuery; got != inTestCompany {
		t.Errorf("DeleteHook: got query %q", got)
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{
		"GET /rest/v1.0/webhooks/hooks/8/triggers": answers(200, `[{"id":1,"webhook_hook_id":8,"resource_name":"RFIs","event_type":"CREATE"},
			{"id":2,"resource_name":"Company Users","event_type":"updated"},{"id":3,"resource_name":"RFIs","event_type":"delete"}]`),
		"POST /rest/v1.0/webhooks/hooks/8/triggers": body(t, `{"company_id":9007199254740993,"api_version":"v4.0",
			"trigger":{"resource_name":"RFIs","event_type":"update"}}`, `{"id":4,"resource_name":"RFIs","event_type":"UPDATE"}`),
		"DELETE /rest/v1.0/webhooks/hooks/8/triggers/4": answers(204, ``),
	})
	c, ctx := f.company(), t.Context()
	got, err := Collect(c.Triggers(ctx, 8))
	want := []Trigger{{1, "RFIs", "create"}, {2, "Company Users", "update"}, {3, "RFIs", "delete"}}
	if d := cmp.Diff(got, want); d != "" || err != nil {
		t.Errorf("Triggers: %v (-got +want):\n%s", err, d)
	}
	tr, err := c.CreateTrigger(ctx, Hook{ID: 8, PayloadVersion: "v4.0"}, "RFIs", "update")
	if d := cmp.Diff(tr, Trigger{4, "RFIs", "update"}); d != "" || err != nil {
		t.Errorf("CreateTrigger: %v (-got +want):\n%s", err, d)
	}
	if err := c.DeleteTrigger(ctx, 8, 4); err != nil {
		t.Error(err)
	}
	for i, want := range []string{inTestCompany + "&per_page=100", "", inTestCompany} {
		if got := f.all()[i].URL.RawQuery; got != want {
			t.Errorf("call %d: got query %q, want %q", i, got, want)
		}
	}
}

func TestRetiredTriggers(t *testing.T) {
	t.Parallel()
	f := serve(t, nil)
	for resource, want := range map[string]string{"Project Users": "Company Users", "Project Vendors": "Company Vendors"} {
		_, err := f.company().CreateTrigger(t.Context(), Hook{ID: 8}, resource, "update")
		if re, ok := errors.AsType[*RetiredError](err); !ok || re.Replacement != want || !strings.Contains(err.Error(), want+"/update") {
			t.Errorf("%s: got %v, want %s as replacement", resource, err, want)
		}
	}
	if n := len(f.all()); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/webhooks/hooks/8/deliveries": answers(200, `[{"event_id":5982324300946918154,
		"outcome":"discarded","response_status":503,"response_error":null,"response_body":"busy","started_at":"2026-01-02T03:04:05Z","completed_at":null,
		"event":{"id":5982324300946918154,"timestamp":"2026-01-02T03:04:05Z","resource_name":"RFIs","resource_id":42,"event_type":"update",
		"company_id":5678,"project_id":7,"user_id":1,"api_version":"v2"}}]`)})
	got, err := Collect(f.company().Deliveries(t.Context(), 8, DiscardedDeliveries))
	if err != nil || len(got) != 1 || got[0].Outcome != "discarded" || got[0].ResponseStatus != 503 {
		t.Fatalf("got %+v, %v", got, err)
	}
	e, err := DecodeEvent(got[0].Event)
	if err != nil || e.ID != "5982324300946918154" || e.Key() != "5678#RFIs#42" || e.SelfOriginated != nil {
		t.Errorf("got event %+v, %v", e, err)
	}
	query := f.all()[0].URL.Query()
	if query.Get("filter[status]") != "discarded" || query.Get("company_id") == "" {
		t.Errorf("got query %v", query)
	}
}

func TestHeadersMasks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		shown, value string
		want         bool
	}{
		{"*****xMiJ9", "Bearer k1.5678.1.xMiJ9", true},
		{"*****xMiJ9", "Bearer k1.5678.1.xMiJ8", false},
		{"Bearer whole", "Bearer whole", true},
		{"*****", "Bearer x", false},
		{"", "", false},
		{"*****longer", "ger", false},
	}
	for _, tt := range tests {
		if got := (Headers{"Authorization": NewSecret(tt.shown)}).Masks("Authorization", NewSecret(tt.value)); got != tt.want {
			t.Errorf("%q for %q: got %t, want %t", tt.shown, tt.value, got, tt.want)
		}
	}
	if (Headers{}).Masks("Authorization", NewSecret("x")) {
		t.Error("a header that is not there masks a value")
	}
}
