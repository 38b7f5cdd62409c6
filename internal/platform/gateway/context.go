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
	notesKey     struct{}
)

// RequestID returns the id of the request that ctx belongs to: what a page shows, what the log line has, and what
// Lambda itself writes in its START and REPORT lines. Empty outside a request.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// WithRequestID returns a context of a request called id, for tests and for work that has no API Gateway before it.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// Note adds attributes to the line that is logged when this request ends: the outcome, a company id, an error. Never a
// token, a code, a cookie. Outside a request it does nothing.
func Note(ctx context.Context, attrs ...slog.Attr) {
	if n, ok := ctx.Value(notesKey{}).(*notes); ok {
		n.add(attrs)
	}
}

// maxNotes bounds what one request adds to its line.
const maxNotes = 32

// notes collects attributes; the mutex is for handlers that work in several goroutines.
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

// notePanic puts a panic into the line. A runtime error says what was wrong and holds no data; any other
// value might quote a secret, so only its type is told. The stack has addresses, no texts.
func notePanic(ctx context.Context, p any) {
	what := fmt.Sprintf("%T", p)
	if err, ok := p.(runtime.Error); ok {
		what = err.Error()
	}
	Note(ctx, slog.String("panic", what), slog.String("stack", string(debug.Stack())))
}

// requestID prefers Lambda's id, by which its own log lines can be found, to API Gateway's.
func (d *door) requestID(ctx context.Context, e events.APIGatewayV2HTTPRequest) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok && safeID(lc.AwsRequestID) {
		return lc.AwsRequestID
	}
	if safeID(e.RequestContext.RequestID) {
		return e.RequestContext.RequestID
	}
	return d.random.Text()
}

// safeID accepts what both services use: UUIDs, and base64 such as JKJaXmPLvHcESHA=.
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
