package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// API Gateway accepts 10,240 bytes of request line and headers in all
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html); a local front may accept more.
const (
	maxTarget  = 16 << 10
	maxHeaders = 32 << 10
)

// notARequest returns why the event is no request in payload format 2.0, or "". Such an event is a mistake of the
// deployment: an integration of format 1.0, which a REST API always has, or a schedule that keeps functions warm.
func notARequest(e events.APIGatewayV2HTTPRequest) string {
	switch {
	case e.RequestContext.HTTP.Method != "":
		return ""
	case e.Version == "1.0":
		return "not payload format 2.0: set PayloadFormatVersion 2.0 on the integration of an HTTP API"
	}
	return "not payload format 2.0: not a request of an HTTP API"
}

// request returns the handler's request, or the status with which to reject the event.
func (a *adapter) request(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, int) {
	if reason := notARequest(e); reason != "" {
		Note(ctx, slog.String(outcome, failed), slog.String("reason", reason))
		return nil, http.StatusBadRequest
	}
	method := e.RequestContext.HTTP.Method
	if safeMethod(method) != method {
		return nil, http.StatusBadRequest
	}
	if len(e.RawPath)+len(e.RawQueryString) > maxTarget {
		return nil, http.StatusRequestURITooLong
	}
	header, ok := header(e)
	if !ok {
		return nil, http.StatusRequestHeaderFieldsTooLarge
	}
	body, err := body(e)
	if err != nil {
		return nil, http.StatusBadRequest
	}
	u := &url.URL{Path: path(e.RawPath, e.RequestContext.Stage), RawQuery: e.RawQueryString}
	r := &http.Request{
		Method: method, URL: u, RequestURI: u.RequestURI(), Host: a.host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: http.NoBody, ContentLength: int64(len(body)),
		RemoteAddr: remoteAddr(e.RequestContext.HTTP.SourceIP),
	}
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return r.WithContext(ctx), 0
}

// path removes a named stage. API Gateway leaves it in rawPath, `sam local start-api` does not, and $default is never
// there. rawPath arrives decoded, so it is not decoded again.
func path(raw, stage string) string {
	if stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(raw, "/"+stage); ok && (rest == "" || rest[0] == '/') {
			raw = rest
		}
	}
	if !strings.HasPrefix(raw, "/") {
		raw = "/" + raw
	}
	return raw
}

// header returns the headers under canonical names. When two names differ only in case, their values are joined by a
// comma, as API Gateway joins duplicates, so that neither of two Authorization headers wins. Host and the headers of
// proxies about it are left out: addresses are built from the public URL alone.
func header(e events.APIGatewayV2HTTPRequest) (http.Header, bool) {
	h := make(http.Header, len(e.Headers)+1)
	size := 0
	for _, k := range slices.Sorted(maps.Keys(e.Headers)) {
		v := e.Headers[k]
		size += len(k) + len(v)
		name := http.CanonicalHeaderKey(k)
		switch name {
		case "Host", "X-Forwarded-Host", "Forwarded", "Content-Length", "Transfer-Encoding":
			continue
		}
		if old, ok := h[name]; ok {
			v = old[0] + "," + v
		}
		h[name] = []string{v}
	}
	if c := cookies(e.Cookies); c != "" {
		size += len(c)
		h["Cookie"] = []string{c}
	}
	return h, size <= maxHeaders
}

// cookies joins API Gateway's list as a browser would have sent it. The list wins over a Cookie header (`sam local`
// sends both). An element is not split at commas. Otherwise any cookie, such as one that a sibling subdomain sets, could
// carry a second one inside and bypass the __Host- prefix.
func cookies(list []string) string {
	return strings.Join(list, "; ")
}

func body(e events.APIGatewayV2HTTPRequest) ([]byte, error) {
	if !e.IsBase64Encoded {
		return []byte(e.Body), nil
	}
	return base64.StdEncoding.DecodeString(e.Body)
}

// remoteAddr returns the caller's address as net/http writes it. It is for logs and counting, not for trust.
func remoteAddr(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	return net.JoinHostPort(a.WithZone("").String(), "0")
}

// safeMethod returns method if it looks like one (RFC 9110 section 9.1, in capitals as all known ones are), else
// "INVALID", so that a method can be logged.
func safeMethod(method string) string {
	for _, c := range []byte(method) {
		if c < 'A' || c > 'Z' {
			return "INVALID"
		}
	}
	if method == "" || len(method) > 16 {
		return "INVALID"
	}
	return method
}
