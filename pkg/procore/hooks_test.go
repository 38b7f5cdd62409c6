package procore

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	webhooks = "/rest/v2.0/companies/9007199254740993/webhooks"
	hookJSON = `{"id":"43593499","status":"active","payload_version":"v3.0","destination_headers":{"Authorization":"*****xMiJ9"},
		"destination_url":"https://hooks.acme.com/x","company_id":"5678","project_id":null,"namespace":"acme-app","trigger_count":2,"hook_type":"api"}`
)

func wantHook() Hook {
	return Hook{ID: "43593499", Status: HookActive, Namespace: "acme-app", DestinationURL: "https://hooks.acme.com/x", PayloadVersion: "v3.0", CompanyID: 5678}
}

// body compares the JSON of a request with want.
func body(t *testing.T, want string, status int, reply string) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if d := cmp.Diff(decoded(t, string(b)), decoded(t, want)); d != "" {
			t.Errorf("%s %s (-got +want):\n%s", r.Method, r.URL, d)
		}
		if got := r.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("got Content-Type %q", got)
		}
		answers(status, reply)(w, r)
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

func data(s string) string { return `{"data":` + s + `}` }

func TestHooks(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{
		"GET " + webhooks + "/hooks":          answers(200, data("["+hookJSON+"]")),
		"GET " + webhooks + "/hooks/43593499": answers(200, data(hookJSON)),
		"POST " + webhooks + "/hooks": body(t, `{"namespace":"acme-app","payload_version":"v3.0",
			"destination_url":"https://hooks.acme.com/x","destination_headers":{"Authorization":"Bearer k1.secret"}}`, 201, data(hookJSON)),
		"PATCH " + webhooks + "/hooks/43593499":  body(t, `{"destination_url":"https://new.acme.com/x","status":"active"}`, 200, data(hookJSON)),
		"DELETE " + webhooks + "/hooks/43593499": answers(204, ``),
	})
	c, ctx := f.company(), t.Context()
	hooks, err := Collect(c.Hooks(ctx, "acme-app"))
	if d := cmp.Diff(hooks, []Hook{wantHook()}); d != "" || err != nil {
		t.Errorf("Hooks: %v (-got +want):\n%s", err, d)
	}
	if got, want := f.all()[0].URL.RawQuery, "namespace=acme-app&per_page=100"; got != want {
		t.Errorf("got query %q, want %q", got, want)
	}
	if h, err := c.Hook(ctx, "43593499"); err != nil || h != wantHook() {
		t.Errorf("Hook: got %+v, %v", h, err)
	}
	spec := HookSpec{"acme-app", "https://hooks.acme.com/x", Headers{"Authorization": NewSecret("Bearer k1.secret")}, "v3.0", HookDisabled}
	h, err := c.CreateHook(ctx, spec)
	if err != nil || h != wantHook() {
		t.Errorf("CreateHook: got %+v, %v", h, err)
	}
	// An update keeps what the spec leaves empty.
	if _, err := c.UpdateHook(ctx, h.ID, HookSpec{DestinationURL: "https://new.acme.com/x", Status: HookActive}); err != nil {
		t.Error(err)
	}
	if err := c.DeleteHook(ctx, h.ID); err != nil {
		t.Error(err)
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{
		"GET " + webhooks + "/hooks/8/triggers": answers(200, data(`[{"id":"1","webhook_hook_id":"8","resource_name":"RFIs","event_type":"CREATE"},
			{"id":2,"resource_name":"Company Users","event_type":"updated"}]`)),
		"POST " + webhooks + "/hooks/8/triggers": body(t, `{"resource_name":"Document Upload","event_type":"Completed"}`, 201,
			data(`{"id":"4","resource_name":"Document Upload","event_type":"COMPLETED"}`)),
		"DELETE " + webhooks + "/hooks/8/triggers/4": answers(204, ``),
	})
	c, ctx := f.company(), t.Context()
	got, err := Collect(c.Triggers(ctx, "8"))
	if d := cmp.Diff(got, []Trigger{{"1", "RFIs", "create"}, {"2", "Company Users", "update"}}); d != "" || err != nil {
		t.Errorf("Triggers: %v (-got +want):\n%s", err, d)
	}
	wanted := Trigger{Resource: "Document Upload", EventType: "Completed"}
	if made, err := c.CreateTrigger(ctx, "8", wanted); err != nil || made.ID != "4" || made.Key() != wanted.Key() {
		t.Errorf("CreateTrigger: got %+v, %v", made, err)
	}
	if err := c.DeleteTrigger(ctx, "8", "4"); err != nil {
		t.Error(err)
	}
}

// The reference does not document the form of 207.
func TestBulkTriggers(t *testing.T) {
	t.Parallel()
	rfis, users := Trigger{Resource: "RFIs", EventType: "create"}, Trigger{Resource: "Company Users", EventType: "delete"}
	const made, refused = `{"id":"1","resource_name":"RFIs","event_type":"CREATED"}`, `"resource_name":"Company Users","event_type":"delete"`
	for answer, failed := range map[string][]Trigger{
		`201 {"data":[` + made + `,{"id":"2",` + refused + `}]}`: nil,
		`201 {}`:                      nil,
		`207 {"data":[` + made + `]}`: {users},
		`207 {"data":[` + made + `,{"id":"2","errors":["no delete"],` + refused + `}]}`:                           {users},
		`207 {"data":{"succeeded":[` + made + `],"failed":[{"id":"x","reason":"no delete",` + refused + `}]}}`:    {users},
		`207 [{"status":201,"data":` + made + `},{"status":422,"error":"no delete","data":{` + refused + `}}]`:    {users},
		`207 {"succeeded":[],"errors":[{"resource_name":"RFIs"},{` + refused + `}],"message":"none was created"}`: {rfis, users},
	} {
		status, reply := 201, answer[4:]
		if answer[:3] == "207" {
			status = 207
		}
		f := serve(t, map[string]http.HandlerFunc{"POST " + webhooks + "/hooks/8/triggers/bulk": body(t,
			`[{"resource_name":"RFIs","event_type":"create"},{`+refused+`}]`, status, reply)})
		_, err := f.company().CreateTriggers(t.Context(), "8", []Trigger{rfis, users})
		te, ok := errors.AsType[*TriggersError](err)
		if ok != (failed != nil) || !ok && err != nil || ok && (!cmp.Equal(te.Failed, failed) || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "Company Users:delete")) {
			t.Errorf("%s: got %v, want %v refused", answer, err, failed)
		}
	}
	f := serve(t, map[string]http.HandlerFunc{"DELETE " + webhooks + "/hooks/8/triggers/bulk": body(t, `["1","2"]`, 207, `{"data":{"succeeded":["1"]}}`)})
	if err := f.company().DeleteTriggers(t.Context(), "8", []ID{"1", "2"}); !errors.Is(err, ErrInvalid) {
		t.Errorf("DeleteTriggers: got %v, want an ErrInvalid", err)
	}
	refuses := serve(t, map[string]http.HandlerFunc{
		"POST " + webhooks + "/hooks/8/triggers/bulk": answers(422, `{"errors":"no"}`),
		"POST " + webhooks + "/hooks/8/triggers": func(w http.ResponseWriter, r *http.Request) {
			if b, _ := io.ReadAll(r.Body); strings.Contains(string(b), "delete") {
				answers(422, `{"errors":"no delete"}`)(w, r)
				return
			}
			answers(201, data(made))(w, r)
		},
	})
	one, err := refuses.company().CreateTriggers(t.Context(), "8", []Trigger{users, rfis})
	if te, ok := errors.AsType[*TriggersError](err); !ok || !cmp.Equal(te.Failed, []Trigger{users}) || !strings.Contains(te.Message, "no delete") || len(one) != 1 {
		t.Errorf("refused as a whole: got %v, %v, want the right trigger alone", one, err)
	}
	if made, err := f.company().CreateTriggers(t.Context(), "8", nil); made != nil || err != nil || f.company().DeleteTriggers(t.Context(), "8", nil) != nil || len(f.all()) != 1 {
		t.Errorf("no triggers: got %v, %v, and %d calls", made, err, len(f.all()))
	}
}

func TestRetiredTriggers(t *testing.T) {
	t.Parallel()
	f := serve(t, nil)
	for resource, want := range map[string]string{"Project Users": "Company Users", "project vendors": "Company Vendors"} {
		trigger := Trigger{Resource: resource, EventType: "updated"}
		_, one := f.company().CreateTrigger(t.Context(), "8", trigger)
		_, bulk := f.company().CreateTriggers(t.Context(), "8", []Trigger{trigger})
		for _, err := range []error{one, bulk, trigger.Check()} {
			if re, ok := errors.AsType[*RetiredError](err); !ok || re.Replacement != want || !strings.Contains(err.Error(), want+"/update") {
				t.Errorf("%s: got %v, want %s as replacement", resource, err, want)
			}
		}
	}
	if n := len(f.all()); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

func TestParseTriggers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Trigger{
		"": nil,
		" RFIs : create,update ;; Daily Log/Entries:delete;": {{"", "RFIs", "create"}, {"", "RFIs", "update"}, {"", "Daily Log/Entries", "delete"}},
		"Document Upload:Completed;Document Upload:Created":  {{"", "Document Upload", "Completed"}, {"", "Document Upload", "Created"}},
		"RFIs:create,Created;rfis:CREATE":                    {{"", "RFIs", "create"}},
	} {
		if got, err := ParseTriggers(text); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"RFIs", "RFIs:", ":create", "RFIs:create:update", "RFIs:<b>", "RFIs:" + strings.Repeat("x", 65), strings.Repeat("x", 101) + ":create"} {
		if got, err := ParseTriggers(text); err == nil {
			t.Errorf("%.80q: got %v without an error", text, got)
		}
	}
}

func TestWebhookResources(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET " + webhooks + "/resources": answers(200, data(
		`[{"category":"core","tool":"rfi","name":"RFIs","payload_version":"v4.0","actions":["create","Updated"]},{"name":"Trades","actions":[{"name":"create"},{"action":"delete"}]},{"name":"Bids","actions":null}]`))})
	got, err := Collect(f.company().WebhookResources(t.Context(), "v4.0"))
	want := []WebhookResource{{"RFIs", "core", "rfi", "v4.0", []EventType{"create", "update"}}, {Name: "Trades", Actions: []EventType{"create", "delete"}}, {Name: "Bids"}}
	if d := cmp.Diff(got, want); d != "" || err != nil {
		t.Errorf("%v (-got +want):\n%s", err, d)
	}
	if q := f.all()[0].URL.Query(); q.Get("payload_version") != "v4.0" || q.Get("per_page") != "100" {
		t.Errorf("got query %v", q)
	}
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	const deliveries = webhooks + "/hooks/8/deliveries"
	f := serve(t, map[string]http.HandlerFunc{"GET " + deliveries: answers(200, data(`[{"id":"77","status":"discarded",
		"payload":{"id":"5982324300946918154","ulid":"01J0Z","timestamp":"2026-01-02T03:04:05Z","resource_name":"RFIs","resource_id":"42","event_type":"update",
		"company_id":"5678","project_id":7,"user_id":1,"api_version":"v2","metadata":{}},
		"delivery_attempts":[{"id":"5","success":false,"response_status":503,"response_body":"busy","response_headers":{},"started_at":"2026-01-02T03:04:06Z","completed_at":null}]}]`))})
	filter := DeliveryFilter{Status: DeliveryDiscarded, Resource: "RFIs", EventType: "update", From: time.Date(2026, 1, 2, 23, 0, 0, 0, time.UTC)}
	got, err := Collect(f.company().Deliveries(t.Context(), "8", filter))
	if err != nil || len(got) != 1 || got[0].Status != DeliveryDiscarded || len(got[0].Attempts) != 1 || got[0].Attempts[0].ResponseStatus != 503 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if e, err := DecodeEvent(got[0].Payload); err != nil || e.Resource != "RFIs" || e.CompanyID != 5678 {
		t.Errorf("got event %+v, %v", e, err)
	}
	query := f.all()[0].URL.Query()
	query.Del("per_page")
	if want := "filter[event_type]=update&filter[resource_name]=RFIs&filter[start]=2026-01-02&filter[status]=discarded"; query.Encode() != strings.NewReplacer("[", "%5B", "]", "%5D").Replace(want) {
		t.Errorf("got query %v, want %s", query.Encode(), want)
	}
}

// A page is the last one if Procore links to others, and none of them is the next. An empty object is no delivery: it would
// look like one that is being retried.
func TestDeliveryPage(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]bool{"": false, `<https://x/y?page=1>; rel="first"`: true, `<https://x/y?page=3>; rel="next"`: false} {
		f := serve(t, map[string]http.HandlerFunc{"GET " + webhooks + "/hooks/8/deliveries": func(w http.ResponseWriter, r *http.Request) {
			if link != "" {
				w.Header().Set("Link", link)
			}
			answers(200, data(`[{},{"id":1},{"id":"2"},{"payload":{}}]`))(w, r)
		}})
		all, last, err := f.company().DeliveryPage(t.Context(), "8", DeliveryFilter{}, 2)
		if err != nil || last != want || len(all) != 3 || all[0].ID != "1" || f.all()[0].URL.Query().Get("page") != "2" {
			t.Errorf("%q: got %v, %t, %v; want last %t", link, all, last, err, want)
		}
	}
}

// An empty list may be null; a single answer may not, nor may data be absent.
func TestNoData(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{`{"data":null}`: true, `{"Data":[]}`: true, `{}`: false} {
		f := serve(t, map[string]http.HandlerFunc{"GET " + webhooks + "/hooks": answers(200, answer), "GET " + webhooks + "/hooks/8": answers(200, answer)})
		all, err := Collect(f.company().Hooks(t.Context(), "acme-app"))
		if len(all) != 0 || (err == nil) != want {
			t.Errorf("%s: got the list %v, %v", answer, all, err)
		}
		if h, err := f.company().Hook(t.Context(), "8"); err == nil {
			t.Errorf("%s: got the hook %+v", answer, h)
		}
	}
}
