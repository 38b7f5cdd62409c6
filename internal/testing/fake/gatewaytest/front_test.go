package gatewaytest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"procore-connect/internal/testing/fake/gatewaytest"
	"procore-connect/internal/testing/fake/lambdatest"
)

type function func(context.Context, []byte) ([]byte, error)

func (f function) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return f(ctx, payload) }

func serve(t *testing.T, o gatewaytest.Options, f function) string {
	t.Helper()
	front := gatewaytest.New(map[string]gatewaytest.Invoker{"GET /a": f, "POST /a": f}, o)
	server := httptest.NewServer(front)
	t.Cleanup(server.Close)
	return server.URL
}

// capture serves a function that returns its event.
func capture(t *testing.T, o gatewaytest.Options, change func(*http.Request), method, target, body string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	url := serve(t, o, func(_ context.Context, payload []byte) ([]byte, error) {
		return json.Marshal(map[string]any{"statusCode": 200, "body": string(payload)})
	})
	r, err := http.NewRequestWithContext(t.Context(), method, url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	change(r)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var e events.APIGatewayV2HTTPRequest
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
		t.Fatal(err)
	}
	if got, want := e.RequestContext.RequestID, resp.Header.Get("Apigw-Requestid"); got != want || got == "" {
		t.Errorf("request id %q, want that of the answer, %q", got, want)
	}
	return e
}

func TestEvent(t *testing.T) {
	t.Parallel()
	got := capture(t, gatewaytest.Options{}, func(r *http.Request) {
		r.Host = "app.example:3000"
		r.Header.Set("User-Agent", "test/1")
		r.Header.Add("X-Many", "1")
		r.Header.Add("X-Many", "2")
		r.Header.Set("Accept-Encoding", "identity")
		r.Header["Cookie"] = []string{"a=1; b=2", "c=3"}
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
	}, "POST", "/a?x=1&x=2&y=%20z", `{"é":1}`)
	want := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "POST /a", RawPath: "/a", RawQueryString: "x=1&x=2&y=%20z",
		Cookies: []string{"a=1", "b=2", "c=3"},
		Headers: map[string]string{
			"host": "app.example:3000", "user-agent": "test/1", "x-many": "1,2", "accept-encoding": "identity",
			"content-type": "application/json; charset=utf-8", "content-length": "8",
			"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-port": got.Headers["x-forwarded-port"],
		},
		QueryStringParameters: map[string]string{"x": "1,2", "y": " z"},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: "POST /a", AccountID: "000000000000", Stage: "$default", APIID: "local",
			DomainName: "app.example:3000", DomainPrefix: "app.example",
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: "POST", Path: "/a", Protocol: "HTTP/1.1", SourceIP: "127.0.0.1", UserAgent: "test/1",
			},
		},
		Body: `{"é":1}`,
	}
	if d := cmp.Diff(got, want, cmpopts.IgnoreFields(events.APIGatewayV2HTTPRequestContext{}, "RequestID", "Time", "TimeEpoch")); d != "" {
		t.Errorf("event (-got +want):\n%s", d)
	}
	at, err := time.Parse("02/Jan/2006:15:04:05 -0700", got.RequestContext.Time)
	if err != nil || time.Since(at) > time.Minute || at.UnixMilli()/1000 != got.RequestContext.TimeEpoch/1000 {
		t.Errorf("time = %q and %d, want now in both", got.RequestContext.Time, got.RequestContext.TimeEpoch)
	}
}

func TestStage(t *testing.T) {
	t.Parallel()
	got := capture(t, gatewaytest.Options{Stage: "prod"}, func(*http.Request) {}, "GET", "/a", "")
	if got.RawPath != "/prod/a" || got.RequestContext.Stage != "prod" || got.RouteKey != "GET /a" {
		t.Errorf("path %q, stage %q, route %q; want the stage in the path alone", got.RawPath, got.RequestContext.Stage, got.RouteKey)
	}
}

func TestBase64(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		contentType, body, want string
		encoded                 bool
	}{
		{"application/x-www-form-urlencoded", "a=1", "YT0x", true},
		{"application/octet-stream", "\x00", "AA==", true},
		{"application/json", "\xff", "/w==", true},
		{"application/vnd.x+json", "{}", "{}", false},
		{"text/plain", "é", "é", false},
		{"", "x", "x", false},
		{"text/plain", "", "", false},
	} {
		got := capture(t, gatewaytest.Options{}, func(r *http.Request) { r.Header.Set("Content-Type", test.contentType) }, "POST", "/a", test.body)
		if got.Body != test.want || got.IsBase64Encoded != test.encoded {
			t.Errorf("%s %q: body %q, base64 %v; want %q, %v", test.contentType, test.body, got.Body, got.IsBase64Encoded, test.want, test.encoded)
		}
	}
}

func TestResponse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  string
		status  int
		body    string
		typ     string
		cookies []string
	}{
		"whole": {
			`{"statusCode":201,"headers":{"content-type":"text/html","x":1},"cookies":["a=1; Secure","b=2"],"body":"<p>"}`,
			201, "<p>", "text/html", []string{"a=1; Secure", "b=2"},
		},
		"base64":          {`{"statusCode":200,"headers":{"Content-Type":"image/png"},"body":"AAE=","isBase64Encoded":true}`, 200, "\x00\x01", "image/png", nil},
		"status as text":  {`{"statusCode":"202"}`, 202, "", "", nil},
		"no content type": {`{"statusCode":200,"body":"<p>"}`, 200, "<p>", "text/plain;charset=UTF-8", nil},
		"inferred":        {`{"a":1}`, 200, `{"a":1}`, "application/json", nil},
		"inferred text":   {`"hello"`, 200, `hello`, "application/json", nil},
		"bad status":      {`{"statusCode":99}`, 500, `{"message":"Internal Server Error"}`, "application/json", nil},
		"bad base64":      {`{"statusCode":200,"body":"!","isBase64Encoded":true}`, 500, `{"message":"Internal Server Error"}`, "application/json", nil},
		"not JSON":        {`<p>`, 500, `{"message":"Internal Server Error"}`, "application/json", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, gatewaytest.Options{}, func(context.Context, []byte) ([]byte, error) { return []byte(test.answer), nil })
			status, header, body := get(t, url+"/a")
			if status != test.status || body != test.body || header.Get("Content-Type") != test.typ {
				t.Errorf("got %d %q of type %q, want %d %q of type %q", status, body, header.Get("Content-Type"), test.status, test.body, test.typ)
			}
			if d := cmp.Diff(header["Set-Cookie"], test.cookies); d != "" {
				t.Errorf("cookies (-got +want):\n%s", d)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path   string
		err    error
		status int
		body   string
	}{
		"no route":       {"/b", nil, 404, `{"message":"Not Found"}`},
		"trailing slash": {"/a/", nil, 404, `{"message":"Not Found"}`},
		"long header":    {"/a?" + strings.Repeat("x", gatewaytest.MaxHeader), nil, 431, `{"message":"Request Header Fields Too Large"}`},
		"function error": {"/a", &lambdatest.FunctionError{Message: "details"}, 500, `{"message":"Internal Server Error"}`},
		"too large":      {"/a", lambdatest.ErrTooLarge, 413, `{"message":"Request Entity Too Large"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var logged error
			o := gatewaytest.Options{Log: func(_ string, err error) { logged = err }}
			url := serve(t, o, func(context.Context, []byte) ([]byte, error) { return []byte(`{}`), test.err })
			status, _, body := get(t, url+test.path)
			if status != test.status || body != test.body {
				t.Errorf("got %d %s, want %d %s", status, body, test.status, test.body)
			}
			if !errors.Is(logged, test.err) {
				t.Errorf("logged %v, want %v", logged, test.err)
			}
		})
	}
}

func TestIntegrationTimeout(t *testing.T) {
	t.Parallel()
	url := serve(t, gatewaytest.Options{Timeout: time.Millisecond}, func(ctx context.Context, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	if status, _, body := get(t, url+"/a"); status != 503 || body != `{"message":"Service Unavailable"}` {
		t.Errorf("got %d %s, want 503", status, body)
	}
}

func TestLargeBody(t *testing.T) {
	t.Parallel()
	url := serve(t, gatewaytest.Options{}, func(context.Context, []byte) ([]byte, error) { return []byte(`{}`), nil })
	for size, want := range map[int]int{10 << 20: 200, 10<<20 + 1: 413} {
		if status, _, _ := send(t, http.MethodPost, url+"/a", strings.Repeat("x", size)); status != want {
			t.Errorf("%d bytes: status %d, want %d", size, status, want)
		}
	}
}

func get(t *testing.T, url string) (int, http.Header, string) {
	t.Helper()
	return send(t, http.MethodGet, url, "")
}

func send(t *testing.T, method, url, body string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, strings.TrimSuffix(string(answer), "\n")
}

// A greedy route has all addresses below its path. What no route matches goes to the default one, if there is one.
func TestDefaultRoute(t *testing.T) {
	t.Parallel()
	answer := func(text string) function {
		return func(_ context.Context, payload []byte) ([]byte, error) {
			var e events.APIGatewayV2HTTPRequest
			if err := json.Unmarshal(payload, &e); err != nil {
				return nil, err
			}
			return json.Marshal(map[string]any{"statusCode": 200, "body": text + " " + e.RouteKey + " " + e.RequestContext.RouteKey + " " + e.RawPath})
		}
	}
	server := httptest.NewServer(gatewaytest.New(map[string]gatewaytest.Invoker{
		"GET /a": answer("a"), "GET /b/{proxy+}": answer("b"), "$default": answer("other"),
	}, gatewaytest.Options{}))
	t.Cleanup(server.Close)
	for path, want := range map[string]string{"/a": "a GET /a GET /a /a", "/a/": "other $default $default /a/", "//": "other $default $default //",
		"/b/c/": "b GET /b/{proxy+} GET /b/{proxy+} /b/c/", "/b/": "other $default $default /b/"} {
		if status, _, body := get(t, server.URL+path); status != http.StatusOK || body != want {
			t.Errorf("%s: got %d %q, want %q", path, status, body, want)
		}
	}
}
