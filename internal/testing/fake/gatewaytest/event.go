package gatewaytest

import (
	"encoding/base64"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

const (
	defaultStage = "$default"
	apiID        = "local"
	timeFormat   = "02/Jan/2006:15:04:05 -0700"
)

// event returns the request in payload format 2.0.
func event(r *http.Request, body []byte, key, stage, id string) events.APIGatewayV2HTTPRequest {
	now := time.Now().UTC()
	ip, port, _ := net.SplitHostPort(r.RemoteAddr)
	path := r.URL.Path // the service decodes it
	if stage != defaultStage {
		path = "/" + stage + path
	}
	domain, _, _ := strings.Cut(r.Host, ":")
	e := events.APIGatewayV2HTTPRequest{
		Version:               "2.0",
		RouteKey:              key,
		RawPath:               path,
		RawQueryString:        r.URL.RawQuery,
		Cookies:               cookies(r.Header),
		Headers:               headers(r, ip, port, len(body)),
		QueryStringParameters: query(r.URL),
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: key, AccountID: "000000000000", Stage: stage, RequestID: id, APIID: apiID,
			DomainName: r.Host, DomainPrefix: domain,
			Time: now.Format(timeFormat), TimeEpoch: now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: path, Protocol: r.Proto, SourceIP: ip, UserAgent: r.UserAgent(),
			},
		},
	}
	if len(body) > 0 {
		e.Body, e.IsBase64Encoded = string(body), false
		if !text(r.Header.Get("Content-Type"), body) {
			e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
		}
	}
	return e
}

// cookies lists the cookies of all Cookie headers.
func cookies(h http.Header) []string {
	var all []string
	for _, line := range h["Cookie"] {
		for c := range strings.SplitSeq(line, ";") {
			if c = strings.TrimSpace(c); c != "" {
				all = append(all, c)
			}
		}
	}
	return all
}

// headers returns the headers in lower case, duplicates joined by a comma, without
// Cookie, and with those that the service adds.
func headers(r *http.Request, ip, port string, length int) map[string]string {
	h := make(map[string]string)
	for name, values := range r.Header {
		if name != "Cookie" {
			h[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	h["host"] = r.Host
	h["content-length"] = strconv.Itoa(length)
	h["x-forwarded-proto"] = "http"
	h["x-forwarded-port"] = port
	h["x-forwarded-for"] = strings.TrimPrefix(h["x-forwarded-for"]+", "+ip, ", ")
	return h
}

// query joins the values of a repeated parameter by a comma.
func query(u *url.URL) map[string]string {
	if u.RawQuery == "" {
		return nil
	}
	q := make(map[string]string)
	for name, values := range u.Query() {
		q[name] = strings.Join(values, ",")
	}
	return q
}

// text reports whether the service passes a body of this type unchanged. It encodes
// any other in base64, a form's (application/x-www-form-urlencoded) too.
func text(contentType string, body []byte) bool {
	if !utf8.Valid(body) {
		return false
	}
	if contentType == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch {
	case strings.HasPrefix(t, "text/"), strings.HasSuffix(t, "+json"), strings.HasSuffix(t, "+xml"):
		return true
	}
	return t == "application/json" || t == "application/javascript" || t == "application/xml"
}
