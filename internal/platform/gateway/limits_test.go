package gateway_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/gateway"
)

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		limit   int64
		size    int
		tooLong bool
	}{
		{"default, at the limit", 0, gateway.DefaultMaxBody, false},
		{"default, over", 0, gateway.DefaultMaxBody + 1, true},
		{"own limit, over", 10, 11, true},
		{"no limit", -1, 1 << 20, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := fixture(t, "webhook-sam-local")
			e.Body = strings.Repeat("x", tt.size)
			var length int64
			var read int
			res, _ := send(t, func(w http.ResponseWriter, r *http.Request) {
				length = r.ContentLength
				b, err := io.ReadAll(r.Body)
				read = len(b)
				if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
					http.Error(w, "too long", http.StatusRequestEntityTooLarge)
				}
			}, e, gateway.Options{MaxBody: tt.limit})
			if got := res.StatusCode == http.StatusRequestEntityTooLarge; got != tt.tooLong {
				t.Errorf("too long = %v, want %v", got, tt.tooLong)
			}
			if length != int64(tt.size) {
				t.Errorf("ContentLength = %d, want %d: the handler must know the size before it reads", length, tt.size)
			}
			if !tt.tooLong && read != tt.size {
				t.Errorf("read %d bytes, want %d", read, tt.size)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		spoil  func(*events.APIGatewayV2HTTPRequest)
		status int
	}{
		{"base64 that is none", func(e *events.APIGatewayV2HTTPRequest) { e.Body = "secret?!" }, 400},
		{"no method", func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.HTTP.Method = "" }, 400},
		{"method with a line break", func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.HTTP.Method = "GET\nX" }, 400},
		{"query too long", func(e *events.APIGatewayV2HTTPRequest) { e.RawQueryString = strings.Repeat("q", 17<<10) }, 414},
		{"headers too long", func(e *events.APIGatewayV2HTTPRequest) { e.Headers["x"] = strings.Repeat("q", 33<<10) }, 431},
		{"cookies too long", func(e *events.APIGatewayV2HTTPRequest) { e.Cookies = []string{strings.Repeat("q", 33<<10)} }, 431},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := fixture(t, "choice-stage-base64")
			tt.spoil(&e)
			res, log := send(t, func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") }, e, gateway.Options{PublicURL: "https://connect.example"})
			if res.StatusCode != tt.status {
				t.Errorf("status = %d, want %d", res.StatusCode, tt.status)
			}
			if !strings.Contains(res.Body, "JKJaXmPLvHcESHA=") || strings.Contains(res.Body, "secret") {
				t.Errorf("body = %q, want a fixed text with the request id", res.Body)
			}
			if strings.Count(log, "\n") != 1 || strings.Contains(log, "qqqq") || strings.Contains(log, "secret") {
				t.Errorf("log = %.200q, want one line without the input", log)
			}
			wantHeaders(t, res)
		})
	}
}

// wantHeaders fails the test if an answer of the gateway itself may appear in a frame, a cache or a Referer.
func wantHeaders(t *testing.T, res events.APIGatewayV2HTTPResponse) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
		"X-Frame-Options":           "DENY",
		"Referrer-Policy":           "no-referrer",
		"Cache-Control":             "no-store",
		"X-Content-Type-Options":    "nosniff",
		"Strict-Transport-Security": "max-age=63072000",
	} {
		if got := res.Headers[name]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "half=1")
		_, _ = io.WriteString(w, "half a page")
		if r.URL.RawQuery == "runtime" {
			var p *http.Request
			_ = p.Method
		}
		if r.URL.RawQuery != "" {
			panic("token fake-access-1")
		}
	})
	f := gateway.Handler(h, gateway.Options{PublicURL: "https://connect.example", Log: slog.New(slog.NewJSONHandler(&log, nil))})
	for _, q := range []string{"text", "runtime"} {
		log.Reset()
		e := fixture(t, "callback")
		e.RawQueryString = q
		res, err := f(t.Context(), e)
		if err != nil || res.StatusCode != 500 || len(res.Cookies) != 0 {
			t.Errorf("%s: %v %v, want a 500 and nothing of the handler's", q, res, err)
		}
		wantHeaders(t, res)
		if want := "Internal Server Error. Request id: JKJaXmPLvHcESHA=\n"; res.Body != want {
			t.Errorf("%s: body = %q, want %q", q, res.Body, want)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "gateway_test.TestPanic") {
			t.Errorf("%s: log = %q, want one line with the stack", q, got)
		}
		if strings.Contains(log.String(), "fake-access") {
			t.Errorf("%s: the panic's text is in the log", q)
		}
	}
	e := fixture(t, "callback")
	e.RawQueryString = ""
	if res, err := f(t.Context(), e); err != nil || res.StatusCode != 200 || res.Body != "half a page" {
		t.Errorf("next request: %v %v, want 200", res, err)
	}
}

// What is not a request in payload format 2.0 is answered 400, and is an error of the deployment in the log: a front of
// the older format would refuse every delivery.
func TestNotARequest(t *testing.T) {
	t.Parallel()
	for event, reason := range map[string]string{
		`{"version":"1.0","resource":"/webhooks/procore","path":"/webhooks/procore","httpMethod":"POST","headers":{"Authorization":"Bearer fake-x"},
		  "multiValueHeaders":{"Authorization":["Bearer fake-x"]},"requestContext":{"httpMethod":"POST","identity":{"sourceIp":"1.2.3.4"},"authorizer":null},
		  "queryStringParameters":null,"body":"{}","isBase64Encoded":false}`: "not payload format 2.0: set",
		`{"resource":"/webhooks/procore","path":"/webhooks/procore","httpMethod":"POST","headers":null,"body":null,"requestContext":{"httpMethod":"POST"}}`: "not payload format 2.0",
		`{"requestContext":{"elb":{"targetGroupArn":"arn:x"}},"httpMethod":"GET","path":"/","headers":{}}`:                                                  "not payload format 2.0",
		`{"source":"warmup"}`: "not payload format 2.0",
		`{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events","time":"2026-11-28T16:04:43Z","resources":[],"detail":{}}`: "not payload format 2.0",
		`{}`:   "not payload format 2.0",
		`null`: "not payload format 2.0",
	} {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal([]byte(event), &e); err != nil {
			t.Fatal(err)
		}
		res, log := send(t, func(http.ResponseWriter, *http.Request) { t.Errorf("%s: the handler was called", event) }, e, gateway.Options{})
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400", event, res.StatusCode)
		}
		var line map[string]any
		if err := json.Unmarshal([]byte(log), &line); err != nil {
			t.Fatalf("%v in %q", err, log)
		}
		got, _ := line["reason"].(string)
		if line["level"] != "ERROR" || line["outcome"] != "failed" || !strings.HasPrefix(got, reason) || strings.Contains(log, "fake-x") {
			t.Errorf("%s: logged %s", event, log)
		}
	}
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth/callback", func(w http.ResponseWriter, r *http.Request) {
		gateway.Note(r.Context(), slog.String("outcome", "denied"), slog.Int64("company_id", 5678))
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	e := fixture(t, "callback")
	e.RawQueryString = "code=fake-code-1"
	_, log := send(t, mux.ServeHTTP, e, gateway.Options{})
	var got map[string]any
	if err := json.Unmarshal([]byte(log), &got); err != nil {
		t.Fatalf("%v in %q", err, log)
	}
	delete(got, "time")
	delete(got, "duration_ms")
	want := map[string]any{
		"level": "ERROR", "msg": "request", "request_id": "JKJaXmPLvHcESHA=", "method": "GET",
		"route": "GET /oauth/callback", "status": 503.0, "outcome": "denied", "company_id": 5678.0,
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("line (-got +want):\n%s", diff)
	}

	for key, route := range map[string]string{"$default": "none", "POST /webhooks/procore": "POST /webhooks/procore"} {
		e.RawPath, e.RouteKey = "/nothing/fake-code-1", key
		_, log = send(t, mux.ServeHTTP, e, gateway.Options{})
		if strings.Contains(log, "fake-code") || !strings.Contains(log, `"route":"`+route+`"`) {
			t.Errorf("log of an unknown path = %q, want no path in it but %s", log, route)
		}
	}
}
