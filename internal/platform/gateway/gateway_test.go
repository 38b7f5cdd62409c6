package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/testing/kit/logtest"
)

// fixture reads an event as the Lambda runtime does.
func fixture(t testing.TB, name string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// send passes e to h and returns the answer and what was logged.
func send(t testing.TB, h http.HandlerFunc, e events.APIGatewayV2HTTPRequest, o gateway.Options) (events.APIGatewayV2HTTPResponse, string) {
	t.Helper()
	var log bytes.Buffer
	o.Log = slog.New(slog.NewJSONHandler(io.MultiWriter(&log, logtest.Output(t)), nil))
	got, err := gateway.Handler(h, o)(t.Context(), e)
	if err != nil {
		t.Fatalf("the function's error = %v, want none", err)
	}
	return got, log.String()
}

// seen is what a handler sees of a request.
type seen struct {
	Method, Path, Query, URI, Host, Remote, Cookie, Body, ID string
	Length                                                   int64
	Header                                                   map[string]string
}

func look(t testing.TB, r *http.Request, headers ...string) seen {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("body: %v", err)
	}
	s := seen{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, URI: r.RequestURI, Host: r.Host, Remote: r.RemoteAddr,
		Cookie: r.Header.Get("Cookie"), Body: string(b), ID: gateway.RequestID(r.Context()), Length: r.ContentLength,
		Header: map[string]string{},
	}
	for _, k := range headers {
		s.Header[k] = strings.Join(r.Header.Values(k), "|")
	}
	return s
}

func TestRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fixture string
		headers []string
		want    seen
	}{
		{"callback", []string{"X-Twice", "Host", "X-Forwarded-Host"}, seen{
			Method: "GET", Path: "/oauth/callback", Query: "code=a%2Bb%20c&state=s-1&state=s-2",
			URI: "/oauth/callback?code=a%2Bb%20c&state=s-1&state=s-2", Host: "connect.example",
			Remote: "205.255.255.176:0", Cookie: "__Host-state=abc; other=1", ID: "JKJaXmPLvHcESHA=",
			Header: map[string]string{"X-Twice": "one,two", "Host": "", "X-Forwarded-Host": ""},
		}},
		{"choice-stage-base64", []string{"Content-Type"}, seen{
			Method: "POST", Path: "/companies", URI: "/companies", Host: "connect.example", Remote: "[2001:db8::7]:0",
			Cookie: "pc_session=xyz", Body: "flow=f-1&company=5678&n=%C3%A9", Length: 30, ID: "JKJaXmPLvHcESHA=",
			Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		}},
		{"webhook-sam-local", []string{"authorization", "Content-Length"}, seen{
			Method: "POST", Path: "/webhooks/procore", URI: "/webhooks/procore", Host: "connect.example", Remote: "127.0.0.1:0",
			Cookie: "a=1", Body: `{"id": 9000001}`, Length: 15, ID: "c1a1f5b4-6c5b-4a5e-9b3e-4a1c5d1f4b11",
			Header: map[string]string{"authorization": "Bearer k1.5678.1.mac", "Content-Length": ""},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.fixture, func(t *testing.T) {
			t.Parallel()
			var got seen
			res, _ := send(t, func(w http.ResponseWriter, r *http.Request) {
				got = look(t, r, tt.headers...)
				w.WriteHeader(http.StatusNoContent)
			}, fixture(t, tt.fixture), gateway.Options{PublicURL: "https://connect.example/prod"})
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("request (-got +want):\n%s", diff)
			}
			if res.StatusCode != http.StatusNoContent {
				t.Errorf("status = %d, want 204", res.StatusCode)
			}
		})
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	var got string
	send(t, func(_ http.ResponseWriter, r *http.Request) { got = r.PostFormValue("n") },
		fixture(t, "choice-stage-base64"), gateway.Options{})
	if got != "é" {
		t.Errorf("form value = %q, want é", got)
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	tests := []struct{ raw, stage, want string }{
		{"/companies", "$default", "/companies"},
		{"/companies", "", "/companies"},
		{"/prod/companies", "prod", "/companies"},
		{"/prod/prod/companies", "prod", "/prod/companies"},
		{"/prod", "prod", "/"},
		{"/prod/", "prod", "/"},
		{"/product", "prod", "/product"},
		{"/companies", "prod", "/companies"},
		{"/$default/companies", "$default", "/$default/companies"},
		{"", "$default", "/"},
		{"companies", "", "/companies"},
		{"/a%2Fb c", "", "/a%2Fb c"},
	}
	for _, tt := range tests {
		t.Run(tt.raw+" at "+tt.stage, func(t *testing.T) {
			t.Parallel()
			e := fixture(t, "callback")
			e.RawPath, e.RequestContext.Stage = tt.raw, tt.stage
			var got string
			send(t, func(_ http.ResponseWriter, r *http.Request) { got = r.URL.Path }, e, gateway.Options{})
			if got != tt.want {
				t.Errorf("path = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHeadersThatDifferInCase(t *testing.T) {
	t.Parallel()
	e := fixture(t, "webhook-sam-local")
	e.Headers["authorization"] = "Bearer other"
	var got []string
	send(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Values("Authorization") }, e, gateway.Options{})
	if diff := cmp.Diff(got, []string{"Bearer k1.5678.1.mac,Bearer other"}); diff != "" {
		t.Errorf("Authorization: one must not win over the other (-got +want):\n%s", diff)
	}
}

func TestCookieHeaderAlone(t *testing.T) {
	t.Parallel()
	e := fixture(t, "webhook-sam-local")
	e.Cookies = nil
	var got string
	send(t, func(_ http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("b"); err == nil {
			got = c.Value
		}
	}, e, gateway.Options{})
	if got != "2" {
		t.Errorf("cookie b = %q, want 2", got)
	}
}

func TestCommaInCookie(t *testing.T) {
	t.Parallel()
	e := fixture(t, "callback")
	e.Cookies = []string{"x=1,__Host-state=planted"}
	send(t, func(_ http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("__Host-state"); err == nil {
			t.Errorf("another cookie planted %v", c)
		}
	}, e, gateway.Options{})
}

func TestRequestIDPrefersLambda(t *testing.T) {
	t.Parallel()
	tests := []struct{ lambda, api, want string }{
		{"8476a536-e9f4-11e8-9739-2dfe598c3fcd", "JKJaXmPLvHcESHA=", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"},
		{"", "JKJaXmPLvHcESHA=", "JKJaXmPLvHcESHA="},
		{"bad\nid", "JKJaXmPLvHcESHA=", "JKJaXmPLvHcESHA="},
	}
	for _, tt := range tests {
		ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: tt.lambda})
		e := fixture(t, "callback")
		e.RequestContext.RequestID = tt.api
		var got string
		h := func(_ http.ResponseWriter, r *http.Request) { got = gateway.RequestID(r.Context()) }
		var log bytes.Buffer
		o := gateway.Options{Log: slog.New(slog.NewJSONHandler(&log, nil))}
		if _, err := gateway.Handler(http.HandlerFunc(h), o)(ctx, e); err != nil {
			t.Fatal(err)
		}
		if got != tt.want {
			t.Errorf("request id = %q, want %q", got, tt.want)
		}
		if named := strings.Contains(log.String(), `"api_request_id":"`+tt.api+`"`); named != (got != tt.api) {
			t.Errorf("the line names API Gateway's id beside %q: %t", got, named)
		}
	}
	if got := gateway.RequestID(context.Background()); got != "" {
		t.Errorf("outside a request: %q, want none", got)
	}
}
