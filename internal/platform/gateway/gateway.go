// Package gateway runs an ordinary http.Handler as a Lambda function behind an API Gateway HTTP API, with payload
// format 2.0 (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
//
//	lambda.Start(gateway.Handler(mux, gateway.Options{PublicURL: cfg.PublicURL, Log: log}))
//
// # What the handler sees
//
// The path without the stage, the query as it was sent, the decoded body with its true length, cookies as one
// Cookie header, header names in canonical case, and the caller's address. The Host header is ignored: Request.Host is
// the host of Options.PublicURL, whatever the client sent; [Domain] returns the host that API Gateway reports. Reading a body over Options.MaxBody fails with
// *http.MaxBytesError, so that the handler decides what that means. Request.ContentLength is its size beforehand.
//
// # What the operator sees
//
// One line per request, written when it ends: request_id, api_request_id (API Gateway's, in the answer's header
// Apigw-Requestid and in the access log), method, route (the mux pattern or the route's key, never the
// path), status, duration_ms, and what the handler added with [Note]. The outcome is the handler's, or else ok, rejected
// (4xx) or failed (5xx). A panic is a 500 with a fixed text; the same line has its stack. An event of another form, such as
// payload format 1.0 or a scheduled ping, is a 400, failed with its reason: the deployment is wrong, not the caller.
package gateway

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/pkg/procore"
)

// DefaultMaxBody is the limit of a body when Options.MaxBody is zero.
const DefaultMaxBody = 256 << 10

// Options configures Handler. The zero value works.
type Options struct {
	// PublicURL is where people reach the application; its host becomes Request.Host. Empty leaves Request.Host empty.
	// With https, Handler's own answers carry Strict-Transport-Security.
	PublicURL string

	// Log receives the line per request. Nil means slog.Default().
	Log *slog.Logger

	// MaxBody is how many bytes of a body a handler can read before *http.MaxBytesError. Zero means
	// DefaultMaxBody. Negative means no limit except Lambda's own of 6 MB
	// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
	MaxBody int64

	// Clock measures how long a request takes.
	Clock procore.Clock

	// Random generates the id of a request that has none.
	Random procore.Random
}

// Func is a function for lambda.Start.
type Func func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)

// Handler returns h as a Lambda function. The function's error is always nil: a Lambda error would become a bare 500
// of API Gateway, without our headers and without a request id.
func Handler(h http.Handler, o Options) Func {
	a := &adapter{handler: h, log: o.Log, maxBody: cmp.Or(o.MaxBody, DefaultMaxBody), clock: o.Clock, random: o.Random}
	if u, err := url.Parse(o.PublicURL); err == nil {
		a.host, a.https = u.Host, u.Scheme == "https"
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	return a.serve
}

// adapter translates between API Gateway and the handler.
type adapter struct {
	handler http.Handler
	host    string
	https   bool
	log     *slog.Logger
	maxBody int64
	clock   procore.Clock
	random  procore.Random
}

func (a *adapter) serve(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	start := a.clock.Now()
	notes := &notes{}
	ctx = context.WithValue(WithRequestID(ctx, a.requestID(ctx, e)), notesKey{}, notes)
	ctx = WithDomain(ctx, e.RequestContext.DomainName)
	var w *recorder
	r, status := a.request(ctx, e)
	if status != 0 {
		r = &http.Request{Method: safeMethod(e.RequestContext.HTTP.Method)}
		w = a.refusal(ctx, status)
	} else {
		w = a.handle(r)
	}
	a.report(ctx, e, cmp.Or(r.Pattern, routeKey(e), "none"), r.Method, w.status, a.clock.Now().Sub(start), notes)
	return w.response(r.Method), nil
}

// handle runs the handler. A panic discards what the handler had written.
func (a *adapter) handle(r *http.Request) (w *recorder) {
	w = newRecorder()
	defer func() {
		if p := recover(); p != nil {
			notePanic(r.Context(), p)
			w = a.refusal(r.Context(), http.StatusInternalServerError)
		}
	}()
	if r.Body != http.NoBody && a.maxBody > 0 {
		r.Body = http.MaxBytesReader(w, r.Body, a.maxBody)
	}
	a.handler.ServeHTTP(w, r)
	w.finish()
	return w
}

// routeKey returns API Gateway's name of the route, such as "POST /webhooks/procore". No part of it comes from the caller.
func routeKey(e events.APIGatewayV2HTTPRequest) string {
	if e.RouteKey == "$default" {
		return ""
	}
	return e.RouteKey
}

// report writes the one line. It has no path, no query and no header: /oauth/callback carries a code.
func (a *adapter) report(ctx context.Context, e events.APIGatewayV2HTTPRequest, route, method string, status int, took time.Duration, n *notes) {
	attrs := []slog.Attr{
		slog.String("request_id", RequestID(ctx)),
		slog.String("method", safeMethod(method)),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Int64("duration_ms", max(took.Milliseconds(), 0)), // the clock may be set back
	}
	noted, word := n.all(), outcomeOf(status)
	if i := slices.IndexFunc(noted, func(a slog.Attr) bool { return a.Key == outcome }); i >= 0 {
		word = noted[i].Value.String()
	} else {
		attrs = append(attrs, slog.String(outcome, word))
	}
	if id := e.RequestContext.RequestID; id != RequestID(ctx) && safeID(id) {
		attrs = append(attrs, slog.String("api_request_id", id))
	}
	level := slog.LevelInfo
	if status >= 500 || word == failed {
		level = slog.LevelError
	}
	a.log.LogAttrs(ctx, level, "request", append(attrs, noted...)...)
}

const outcome, failed = "outcome", "failed"

// outcomeOf returns the outcome of a request whose handler notes none.
func outcomeOf(status int) string {
	switch {
	case status >= 500:
		return failed
	case status >= 400:
		return "rejected"
	}
	return "ok"
}
