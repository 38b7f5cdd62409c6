package simulation

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"sync"
	"time"
)

// Server answers the requests that are sent over a world's connections.
type Server interface {
	// Faults lists how a request may end, besides being served.
	Faults(r *Request) []Fault
	// Serve serves a request in the way that was decided. nil: the connection ends without
	// an answer.
	Serve(r *Request, f Fault) *Answer
}

// Request is one request over a connection.
type Request struct {
	Context context.Context // of the call that dialled
	Actor   *Actor          // nil: the world's own call
	Method  string
	Path    string
	Header  http.Header
	Form    url.Values // of the body
}

// Answer is a server's.
type Answer struct {
	Status int
	Body   []byte
	Cut    int    // so many bytes of the body are lost with the connection
	Read   func() // called when the process begins to read the answer; may be nil
}

// conn is one connection to the server, for one request.
type conn struct {
	net.Conn // its other methods are not used
	ctx      context.Context
	world    *World
	soft     bool // the goroutines of an http.Transport use it, which must not end

	request bytes.Buffer
	once    [3]sync.Once
	expired chan struct{} // the deadline has passed
	served  chan struct{} // the request was served, or the connection closed
	closed  chan struct{}
	answer  *Answer
	reader  *bytes.Reader
	begun   bool
}

// Dial opens a connection for code that reads and writes it in the caller's goroutine.
func (w *World) Dial(ctx context.Context, _, _ string) (net.Conn, error) { return w.dial(ctx, false) }

// DialTransport opens a connection for an http.Transport.
func (w *World) DialTransport(ctx context.Context, _, _ string) (net.Conn, error) {
	return w.dial(ctx, true)
}

func (w *World) dial(ctx context.Context, soft bool) (net.Conn, error) {
	c := &conn{ctx: ctx, world: w, soft: soft,
		expired: make(chan struct{}), served: make(chan struct{}), closed: make(chan struct{})}
	f := c.gate("dials", Unreachable, Closes, Crash)
	switch {
	case f == Unreachable:
		return nil, errors.New("connection refused")
	case f == Crash:
		return nil, errCrashed
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case f == Closes:
		c.serve(nil)
	}
	w.mu.Lock()
	w.conns = append(w.conns, c)
	w.mu.Unlock()
	return c, nil
}

// errCrashed is what the goroutines of a crashed process meet.
var errCrashed = errors.New("the process crashed")

// gate is a gate that ends the goroutine of a crashed process if it may.
func (c *conn) gate(name string, faults ...Fault) Fault {
	f := gate(c.ctx, name, faults)
	if f == Crash && !c.soft {
		runtime.Goexit()
	}
	return f
}

// SetDeadline is called with a time in the past when the request's time is over.
func (c *conn) SetDeadline(time.Time) error {
	c.once[0].Do(func() { close(c.expired) })
	return nil
}

// SetReadDeadline does nothing.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr returns no real address.
func (c *conn) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr returns no real address.
func (c *conn) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// Close ends a Read that waits.
func (c *conn) Close() error {
	c.once[2].Do(func() { close(c.closed) })
	c.serve(nil)
	return nil
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// serve lets the reader read the answer.
func (c *conn) serve(a *Answer) {
	c.once[1].Do(func() {
		c.answer = a
		close(c.served)
	})
}

// Write sends the request.
func (c *conn) Write(b []byte) (int, error) {
	switch {
	case isClosed(c.expired):
		return 0, os.ErrDeadlineExceeded
	case isClosed(c.closed), isClosed(c.served):
		return 0, net.ErrClosed
	}
	c.request.Write(b)
	r, ok := c.parse()
	if !ok {
		return len(b), nil // the rest follows
	}
	f := c.gate("sends "+r.Method+" "+r.Path, c.world.Server.Faults(r)...)
	if f == Crash {
		c.serve(nil)
		return 0, errCrashed
	}
	answer := c.world.Server.Serve(r, f)
	if f == CrashAfter {
		if kill(c.ctx); !c.soft && r.Actor != nil {
			runtime.Goexit() // before the reader continues
		}
	}
	c.serve(answer)
	return len(b), nil
}

// parse returns the request if it is complete.
func (c *conn) parse() (*Request, bool) {
	h, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.request.Bytes())))
	if err != nil {
		return nil, false
	}
	body, err := io.ReadAll(h.Body)
	if err != nil {
		return nil, false
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		panic(err)
	}
	return &Request{c.ctx, ActorOf(c.ctx), h.Method, h.URL.Path, h.Header, form}, true
}

// Read waits for the answer and returns it.
func (c *conn) Read(b []byte) (int, error) {
	select {
	case <-c.served:
	case <-c.expired:
		return 0, os.ErrDeadlineExceeded
	}
	if c.answer != nil && !c.begun {
		if err := c.receive(); err != nil {
			c.answer = nil
			return 0, err
		}
		c.begun = true
	}
	if c.answer == nil {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.reader.Read(b)
	if err == io.EOF && c.answer.Cut > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// receive decides whether the answer arrives.
func (c *conn) receive() error {
	f := c.gate("receives", Lost, Hang, Crash)
	switch {
	case f == Lost:
		return io.ErrUnexpectedEOF
	case f == Crash:
		return errCrashed
	case f == Hang:
		select {
		case <-c.expired:
		case <-c.closed:
		}
		return os.ErrDeadlineExceeded
	case isClosed(c.expired):
		return os.ErrDeadlineExceeded
	}
	if c.answer.Read != nil {
		c.answer.Read()
	}
	text := fmt.Appendf(nil, "HTTP/1.1 %d x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		c.answer.Status, len(c.answer.Body), c.answer.Body)
	c.reader = bytes.NewReader(text[:len(text)-min(c.answer.Cut, len(c.answer.Body))])
	return nil
}
