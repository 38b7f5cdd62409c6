package repo

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/upkeep/announce"
	"procore-connect/internal/webhook/dispatch"
	"procore-connect/pkg/procore"
)

// sample decodes an event strictly.
func sample[T any](t *testing.T, name string) T {
	t.Helper()
	var e T
	d := json.NewDecoder(strings.NewReader(read(t, "events/"+name+".json")))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		t.Fatalf("events/%s.json: %v", name, err)
	}
	return e
}

// Each HTTP event names a route that its function has.
func TestHTTPEvents(t *testing.T) {
	t.Parallel()
	all := routes(t)
	tests := []struct {
		name, route string
	}{
		{"oauth-callback/landing", "GET /"},
		{"oauth-callback/start", "GET /oauth/start"},
		{"oauth-callback/callback", "GET /oauth/callback"},
		{"oauth-callback/callback-denied", "GET /oauth/callback"},
		{"company-select/companies", "GET /companies"},
		{"company-select/choice", "POST /companies"},
		{"company-select/connected", "GET /connected"},
		{"company-select/disconnect", "POST /connected"},
		{"company-select/return", "GET /return"},
		{"company-select/redeem", "POST /links/redeem"},
		{"webhook-receiver/v2", "POST /webhooks/procore"},
		{"webhook-receiver/v3", "POST /webhooks/procore"},
		{"webhook-receiver/v4", "POST /webhooks/procore"},
		{"webhook-receiver/duplicate", "POST /webhooks/procore"},
		{"webhook-receiver/bad-credential", "POST /webhooks/procore"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := sample[events.APIGatewayV2HTTPRequest](t, tt.name)
			h := e.RequestContext.HTTP
			if e.Version != "2.0" || e.RouteKey != tt.route || e.RequestContext.RouteKey != tt.route || h.Method+" "+e.RawPath != tt.route || h.Path != e.RawPath {
				t.Errorf("version %s, route %s, request %s %s, want %s throughout", e.Version, e.RouteKey, h.Method, e.RawPath, tt.route)
			}
			if got, want := all[e.RouteKey], functions["functions/"+path.Dir(tt.name)]; got != want {
				t.Errorf("the function of %s is %q, want %q", e.RouteKey, got, want)
			}
			query, err := url.ParseQuery(e.RawQueryString)
			if err != nil || len(query) != len(e.QueryStringParameters) {
				t.Fatalf("query %q and its parameters %v do not agree: %v", e.RawQueryString, e.QueryStringParameters, err)
			}
			for name, value := range e.QueryStringParameters {
				if query.Get(name) != value {
					t.Errorf("query parameter %s = %q, want %q", name, value, query.Get(name))
				}
			}
		})
	}
	if got := len(files(t)); got != len(tests)+8 { // three tasks, a request, and the events of consumer, dispatcher and announcer
		t.Errorf("%d sample events, but %d are tested", got, len(tests)+8)
	}
}

// files returns the sample events. Payloads and envelopes are parts of them.
func files(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, "events"), func(path string, d fs.DirEntry, err error) error {
		parent := filepath.Base(filepath.Dir(path))
		if err == nil && !d.IsDir() && parent != "payloads" && parent != "envelopes" {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The cookie, the flow and the form belong to the state of the callback.
func TestFlowOfEvents(t *testing.T) {
	t.Parallel()
	callback := sample[events.APIGatewayV2HTTPRequest](t, "oauth-callback/callback")
	flow := session.FlowOf(procore.NewSecret(callback.QueryStringParameters["state"]))
	for _, name := range []string{"oauth-callback/callback-denied", "company-select/companies", "company-select/choice", "company-select/connected", "company-select/disconnect", "company-select/return"} {
		e := sample[events.APIGatewayV2HTTPRequest](t, name)
		if d := cmp.Diff(e.Cookies, callback.Cookies); d != "" {
			t.Errorf("%s: cookies (-got +want):\n%s", name, d)
		}
		if got, ok := e.QueryStringParameters[pages.FieldFlow]; ok && got != flow {
			t.Errorf("%s: flow %q, want %q", name, got, flow)
		}
	}
	form := posted(t, sample[events.APIGatewayV2HTTPRequest](t, "company-select/choice"))
	if form.Get(pages.FieldFlow) != flow || form.Get(pages.FieldCompany) != "5678" || form.Get(pages.FieldCSRF) == "" {
		t.Errorf("the form = %v, want flow %s and company 5678", form, flow)
	}
	if form := posted(t, sample[events.APIGatewayV2HTTPRequest](t, "company-select/redeem")); !form.Has("code") || !form.Has("verifier") {
		t.Errorf("the form of a redemption = %v, want a code and a verifier", form)
	}
	if want := "__Host-flow-" + flow; !strings.HasPrefix(callback.Cookies[0], want+"=") {
		t.Errorf("cookie %s, want %s", callback.Cookies[0], want)
	}
}

// posted returns the form that a handler gets.
func posted(t *testing.T, e events.APIGatewayV2HTTPRequest) (form url.Values) {
	t.Helper()
	h := func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		form = r.PostForm
	}
	if _, err := gateway.Handler(http.HandlerFunc(h), gateway.Options{Log: slog.New(slog.DiscardHandler)})(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return form
}

// The bodies of the webhook events are the payloads.
func TestWebhookEvents(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{"v2": "v2", "v3": "v3", "v4": "v4", "duplicate": "v2", "bad-credential": "v2"} {
		e := sample[events.APIGatewayV2HTTPRequest](t, "webhook-receiver/"+name)
		var want bytes.Buffer
		if err := json.Compact(&want, []byte(read(t, "events/payloads/webhook-"+payload+".json"))); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(e.Body, want.String()); d != "" {
			t.Errorf("%s (-body +payload):\n%s", name, d)
		}
	}
}

// The dispatcher's record has what the consumer's message has, and the announcer's are announced: the mappings let all through.
func TestStreamEvents(t *testing.T) {
	t.Parallel()
	for name, filters := range map[string][]string{"dispatcher/event": dispatch.Filters(), "announcer/disconnected": announce.ConnectionFilters(), "announcer/connected": announce.ConnectionFilters()} {
		for _, record := range sample[struct{ Records []any }](t, name).Records {
			if ok, err := streamtest.Matches(filters, record); !ok || err != nil {
				t.Errorf("events/%s.json does not match the filters: %v", name, err)
			}
		}
	}
	image := sample[events.DynamoDBEvent](t, "dispatcher/event").Records[0].Change.NewImage
	message := sample[events.SQSEvent](t, "event-consumer/event").Records[0]
	got := []string{image["envelope"].String(), image["group_id"].String(), image["dedup_id"].String()}
	if d := cmp.Diff(got, []string{message.Body, message.Attributes["MessageGroupId"], message.Attributes["MessageDeduplicationId"]}); d != "" {
		t.Errorf("the dispatcher's record - the consumer's message +:\n%s", d)
	}
}

// The consumer's message is the envelope of the first webhook event, as the dispatcher sends it.
func TestConsumerEvent(t *testing.T) {
	t.Parallel()
	e := sample[events.SQSEvent](t, "event-consumer/event")
	event, err := procore.DecodeEvent([]byte(sample[events.APIGatewayV2HTTPRequest](t, "webhook-receiver/v2").Body))
	if err != nil {
		t.Fatal(err)
	}
	want, err := procore.EncodeEvent(event)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(e.Records[0].Body, string(want)); d != "" {
		t.Errorf("body (-got +want):\n%s", d)
	}
}

// The sample tasks are the tasks that the schedules send.
func TestTaskEvents(t *testing.T) {
	t.Parallel()
	n := template(t)
	for name, schedule := range map[string][2]string{
		"refresher/refresh": {"RefresherFunction", "Refresh"}, "refresher/housekeeping": {"RefresherFunction", "Housekeeping"},
		"reconciler/reconcile": {"ReconcilerFunction", "Reconcile"},
	} {
		got := sample[struct {
			Task string `json:"task"`
		}](t, name)
		// By hand a run does the whole. The time is replaced by EventBridge Scheduler.
		const time = `,"scheduled_at":"<aws.scheduler.scheduled-time>"`
		input := strings.Replace(text(get(triggerOf(t, n, schedule[0], schedule[1]), "Input")), time, "", 1)
		if want := `{"task":"` + got.Task + `"}`; got.Task != path.Base(name) || input != want {
			t.Errorf("events/%s.json has task %q, the schedule sends %s", name, got.Task, input)
		}
	}
}

// No sample looks like a secret to a scanner or to a person.
func TestEventsHaveNoSecrets(t *testing.T) {
	t.Parallel()
	for _, path := range files(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var e events.APIGatewayV2HTTPRequest
		if json.Unmarshal(b, &e) != nil {
			continue
		}
		if a := e.Headers["authorization"]; a != "" && !strings.HasSuffix(a, ".invalid") {
			t.Errorf("%s: Authorization %s, want one that ends in .invalid", path, a)
		}
		for _, c := range append(e.Cookies, "="+e.QueryStringParameters["code"], "="+e.QueryStringParameters["state"]) {
			if _, value, _ := strings.Cut(c, "="); value != "" && !strings.HasPrefix(value, "made-up-") {
				t.Errorf("%s: %q, want a value that begins made-up-", path, c)
			}
		}
	}
}
