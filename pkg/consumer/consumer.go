// Package consumer is the entry point of your own code. You write one function, and the
// events of all connected companies reach it:
//
//	func main() { consumer.Run(handle) }
//
//	func handle(ctx context.Context, e procore.Event, c *procore.CompanyClient) error {
//		resource, err := c.Read(ctx, e)
//		...
//	}
//
// The package does the rest: the order of a resource's events, repetition, own changes,
// stale events, the choice of the connection, departed users, and the answers 403, 404 and
// 429. It writes one log line for each event, which docs/WEBHOOKS.md specifies.
//
// A test of handle needs no Lambda and no configuration:
//
//	fake := procoretest.Start(t)
//	e := fake.Change(t, procoretest.Event{CompanyID: procoretest.MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create"})
//	err := handle(t.Context(), e, fake.Client(t, e.CompanyID))
package consumer

import (
	"context"
	"os"
	"path/filepath"

	"procore-connect/internal/wire"
	"procore-connect/internal/wire/run"
	"procore-connect/pkg/procore"
)

// Handle handles one event. It reads the changed resource with c, whose company is the
// event's, and writes to Procore with c too, so that the event of that change is recognised
// as an own one.
//
// An event arrives at least once, so be idempotent by the state that you read. The context
// ends three seconds before the function's time does. Log with it, and the lines have the
// event's id.
//
// The error decides what becomes of the event. Wrap errors of c with %w. Nil, and an error
// that matches [procore.ErrNotFound], [procore.ErrForbidden] or a
// [*procore.UnknownResourceError], finish it; see [Outcome]. After any other error, or a
// panic, it is delivered again. After fifty times, about five hours, it becomes a dead
// letter. [procore.ErrRateLimited] also leaves the company's other events of the batch for
// later.
//
// If the connection turns out to be unusable, Handle is called again with another one, if
// there is one. For a company without a connection it is called for deletions alone, with
// a client whose calls fail.
type Handle func(ctx context.Context, e procore.Event, c *procore.CompanyClient) error

// An Option changes what [Run] decides.
type Option func(*settings)

type settings struct{ own, stale, errors bool }

// WithOwnChanges passes changes of this app on to Handle, which recognises them by
// [procore.Event.SelfOriginated]. One that writes in response to them loops.
func WithOwnChanges() Option { return func(s *settings) { s.own = true } }

// WithStaleEvents passes events on of which a newer one of the same resource and type is
// stored. It is for work that needs each step, and not only the last state.
func WithStaleEvents() Option { return func(s *settings) { s.stale = true } }

// WithProcoreErrors makes [procore.ErrNotFound] and [procore.ErrForbidden] ordinary errors,
// after which the event is delivered again.
func WithProcoreErrors() Option { return func(s *settings) { s.errors = true } }

// Run runs the Lambda function, and does not return. It exits with a message that names
// every variable of the environment that is missing or wrong. docs/CONFIGURATION.md lists them.
func Run(handle Handle, options ...Option) {
	run.Function(filepath.Base(os.Args[0]), func(base *wire.Base) (Function, error) { return build(base, handle, options) })
}
