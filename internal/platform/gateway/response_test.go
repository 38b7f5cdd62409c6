package gateway_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/gateway"
)

func TestResponse(t *testing.T) {
	t.Parallel()
	const text = "text/plain; charset=utf-8"
	binary := "\x89PNG\xff"
	tests := []struct {
		name string
		h    http.HandlerFunc
		want events.APIGatewayV2HTTPResponse
	}{
		{"nothing written", func(http.ResponseWriter, *http.Request) {},
			events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{}}},
		{"text of no declared type", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<b>") },
			events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "<b>", Headers: map[string]string{"Content-Type": text}}},
		{"cookies and repeated headers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "a=1; Path=/")
			w.Header().Add("Set-Cookie", "b=2; Path=/")
			w.Header().Add("vary", "Accept")
			w.Header().Add("Vary", "Cookie")
			w.WriteHeader(303)
			w.WriteHeader(200)
			w.Header().Set("Late", "not sent")
		}, events.APIGatewayV2HTTPResponse{StatusCode: 303, Headers: map[string]string{"Vary": "Accept, Cookie"},
			Cookies: []string{"a=1; Path=/", "b=2; Path=/"}}},
		{"binary", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			_, _ = io.WriteString(w, binary)
		}, events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{"Content-Type": "image/png"},
			Body: base64.StdEncoding.EncodeToString([]byte(binary)), IsBase64Encoded: true}},
		{"header injection", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/a\r\nSet-Cookie: x=1")
			w.Header()["Bad Name:"] = []string{"x"}
			w.Header().Set("Content-Length", "7")
			w.WriteHeader(http.StatusFound)
		}, events.APIGatewayV2HTTPResponse{StatusCode: 302, Headers: map[string]string{"Location": "/a  Set-Cookie: x=1"}}},
		{"no content", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			_, _ = io.WriteString(w, "lost")
		}, events.APIGatewayV2HTTPResponse{StatusCode: 204, Headers: map[string]string{}}},
		{"early hints", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
		}, events.APIGatewayV2HTTPResponse{StatusCode: 418, Headers: map[string]string{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _ := send(t, tt.h, fixture(t, "callback"), gateway.Options{})
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("response (-got +want):\n%s", diff)
			}
		})
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth/callback", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	e := fixture(t, "callback")
	e.RequestContext.HTTP.Method = http.MethodHead
	got, _ := send(t, mux.ServeHTTP, e, gateway.Options{})
	if got.StatusCode != 200 || got.Body != "" || got.Headers["Content-Type"] == "" {
		t.Errorf("%+v, want the headers of GET without the body", got)
	}
}

// FuzzHandler sends arbitrary events through a mux. The function answers each of them without an error, and nothing
// that a client chose becomes a second header or a second log line.
func FuzzHandler(f *testing.F) {
	for _, name := range []string{"callback", "choice-stage-base64", "webhook-sam-local"} {
		e := fixture(f, name)
		f.Add(e.RequestContext.HTTP.Method, e.RawPath, e.RawQueryString, e.RequestContext.Stage, "X-A", "v", "c=1", e.Body, e.IsBase64Encoded)
	}
	f.Add("GET", "//evil.example/%2e%2e/x", "a=%zz", "", "", "\r\n", ",;=", "===", true)
	f.Fuzz(func(t *testing.T, method, path, query, stage, name, value, cookie, body string, encoded bool) {
		mux := http.NewServeMux()
		mux.HandleFunc("/echo/{rest...}", func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			w.Header().Set("X-Echo", r.Header.Get(name)+r.URL.Path)
			_, _ = io.WriteString(w, r.FormValue("a"))
		})
		e := events.APIGatewayV2HTTPRequest{RawPath: path, RawQueryString: query, Cookies: []string{cookie}, Body: body,
			IsBase64Encoded: encoded, Headers: map[string]string{name: value}}
		e.RequestContext.HTTP.Method, e.RequestContext.Stage = method, stage
		got, log := send(t, mux.ServeHTTP, e, gateway.Options{})
		if got.StatusCode < 200 || got.StatusCode > 599 || strings.Contains(log, "panic") {
			t.Errorf("status %d, log %s", got.StatusCode, log)
		}
		for k, v := range got.Headers {
			if strings.ContainsAny(k+v, "\r\n") {
				t.Errorf("header %q: %q", k, v)
			}
		}
		// "//host" and, to a browser, "/\\host" are other sites.
		if l := got.Headers["Location"]; l != "" && (l[0] != '/' || strings.HasPrefix(l, "//") || strings.HasPrefix(l, `/\`)) {
			t.Errorf("redirect leaves the site: %q", l)
		}
		if strings.Count(log, "\n") != 1 {
			t.Errorf("log = %q, want one line", log)
		}
	})
}
