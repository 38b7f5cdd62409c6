package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type (
	requestIDKey struct{}
	domainKey    struct{}
	notesKey     struct{}
)

// RequestID returns the id of the request that ctx belongs to. Pages show it, the log line has it, and Lambda writes it
// in its START and REPORT lines. It is empty outside a request.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// WithRequestID returns a context with this request id, for tests and for work without API Gateway.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// Domain returns the host at which API Gateway received the request that ctx belongs to, or nothing if that is unknown.
// Behind a proxy it is not the visitor's. It decides nothing but whether to redirect to the public URL.
func Domain(ctx context.Context) string {
	domain, _ := ctx.Value(domainKey{}).(string)
	return domain
}

// WithDomain returns a context with this domain, for tests.
func WithDomain(ctx context.Context, domain string) context.Context {
	return context.WithValue(ctx, domainKey{}, domain)
}

// Note adds attributes to the line that is logged when this request ends: the outcome, a company id, an error. Never
// add a token, a code or a cookie. Outside a request Note does nothing.
func Note(ctx context.Context, attrs ...slog.Attr) {
	if n, ok := ctx.Value(notesKey{}).(*notes); ok {
		n.add(attrs)
	}
}

// maxNotes is the most attributes that one request adds to its line.
const maxNotes = 32

// notes collects attributes. The mutex is for handlers that use several goroutines.
type notes struct {
	mu    sync.Mutex
	attrs []slog.Attr
}

func (n *notes) add(attrs []slog.Attr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.attrs = append(n.attrs, attrs[:min(len(attrs), maxNotes-len(n.attrs))]...)
}

func (n *notes) all() []slog.Attr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.attrs
}

// notePanic adds a panic to the line. A runtime error describes the mistake and holds no data. Any other value might
// quote a secret, so only its type is logged. The stack has addresses, no texts.
func notePanic(ctx context.Context, p any) {
	what := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	Note(ctx, slog.String("panic", what), slog.String("stack", string(debug.Stack())))
}

// requestID returns Lambda's id, by which Lambda's own log lines can be found, or else API Gateway's.
func (a *adapter) requestID(ctx context.Context, e events.APIGatewayV2HTTPRequest) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok && safeID(lc.AwsRequestID) {
		return lc.AwsRequestID
	}
	if safeID(e.RequestContext.RequestID) {
		return e.RequestContext.RequestID
	}
	return a.random.Text()
}

// safeID reports whether id has a form that both services use: a UUID, or base64 such as JKJaXmPLvHcESHA=.
func safeID(id string) bool {
	for _, c := range []byte(id) {
		if !alphanumeric(c) && c != '-' && c != '_' && c != '=' && c != '+' && c != '/' {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
