// Package console is the operator's command as a page on loopback: cmd/procore-connect serves it for one person, with that
// person's credentials.
//
// It reads by package operator. It changes nothing itself: a change is a run of the command in the same process, whose
// question a person answers on the page. So plan, confirmation, audit and output are the command's own.
//
// A view is a file with a method that returns a page, a template of the same name, and a line in routes.
package console

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"procore-connect/internal/operator"
)

// Streams are where a run of the command writes, and how it asks.
type Streams struct {
	Out, Err io.Writer
	Ask      func(ctx context.Context, plan string) bool
}

// Config is what a console is made of. All fields must be set.
type Config struct {
	Operator *operator.Operator
	// Stack names what is operated on, in a few words.
	Stack string
	// LogGroups are searched too; see [operator.Target].
	LogGroups []string
	// Run runs the command with these arguments, on the stack of Operator, and returns its exit code.
	Run func(ctx context.Context, args []string, to Streams) int
	// Line returns the command line that a person types to do the same.
	Line func(args []string) string
	// Help returns what the command says of a verb: a line, and paragraphs.
	Help func(verb string) (short, long string)
	// Log says what the person at the terminal should know.
	Log func(text string)
}

// Console is the pages of one stack. [New] returns one. It is an [http.Handler] for one address on loopback.
type Console struct {
	Config
	guard
	handler  http.Handler
	pages    map[string]*template.Template
	style    []byte
	list     snapshot
	meters   meterReader
	activity activities
	searches searches
	jobs     jobs
}

// New returns the console that is reached at an address of loopback, whose host is 127.0.0.1 or localhost. Changes that are
// under way when ctx ends are interrupted as by ^C.
func New(ctx context.Context, addr net.Addr, c Config) (*Console, error) {
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	one := &Console{Config: c, guard: newGuard(port, c.Log), style: stylesheet()}
	one.list.read = one.Operator.Overview
	one.jobs.begin(ctx)
	one.pages = one.parse()
	one.handler = one.protect(one.routes())
	one.list.begin(ctx, one.now())
	return one, nil
}

// ServeHTTP serves a page.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// menu are the views that every page links to.
func menu() []link {
	return []link{
		{"/", "Companies"},
		{"/events", "Events"},
		{"/quarantine", "Quarantine"},
		{"/dead", "Dead letters"},
		{"/keys", "Keys"},
		{"/system", "System"},
		{"/changes", "Changes"},
	}
}

type link struct{ Path, Text string }

// routes lists the pages.
func (c *Console) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /style.css", c.serve("text/css; charset=utf-8", c.style))
	mux.HandleFunc("GET /console.js", c.serve("text/javascript; charset=utf-8", script()))
	mux.HandleFunc("GET /{$}", c.view(c.companies))
	mux.HandleFunc("GET /companies/{id}", c.view(c.company))
	mux.HandleFunc("GET /events", c.view(c.events))
	mux.HandleFunc("GET /events/find", c.view(c.findEvent))
	mux.HandleFunc("GET /events/{company}/{id}", c.view(c.event))
	mux.HandleFunc("GET /quarantine", c.view(c.quarantine))
	mux.HandleFunc("GET /quarantine/{company}/{digest}", c.view(c.held))
	mux.HandleFunc("GET /dead", c.view(c.dead))
	mux.HandleFunc("GET /keys", c.view(c.keys))
	mux.HandleFunc("GET /system", c.view(c.system))
	mux.HandleFunc("GET /system/reconciliation", c.view(c.reconciliation))
	mux.HandleFunc("POST /system/run/{verb}", c.view(c.examine))
	mux.HandleFunc("GET /changes", c.view(c.changes))
	mux.HandleFunc("GET /changes/{verb}", c.view(c.form))
	mux.HandleFunc("POST /changes/{verb}", c.view(c.start))
	mux.HandleFunc("GET /runs/{id}", c.view(c.run))
	mux.HandleFunc("POST /runs/{id}", c.view(c.answer))
	mux.HandleFunc("/", c.view(func(*http.Request) (page, error) { return page{}, errNotFound }))
	return mux
}

// now returns the time.
func (c *Console) now() time.Time { return c.Operator.Clock().Now() }

// Serve serves the console until ctx ends. It returns when the changes that were under way have ended.
func (c *Console) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: c, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
	}
	var ended sync.WaitGroup
	ended.Go(func() {
		<-ctx.Done()
		_ = server.Close() // a page that is being read is not worth a wait
	})
	err := server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
		ended.Wait()
	}
	c.jobs.wait()
	return err
}
