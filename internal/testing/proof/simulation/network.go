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
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing/synctest"
	"time"

	"procore-connect/pkg/procore"
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
	Query   url.Values
	Header  http.Header
	Body    []byte
	Form    url.Values    // of the body, if it is a form
	Opened  time.Time     // when the connection was opened
	Aged    time.Duration // since then, by the sender's clock

	wire *http.Request // as it was read; its body is Body
}

// Answer is a server's.
type Answer struct {
	Status int
	Header http.Header // nil: that of JSON
	Body   []byte
	Cut    int    // so many bytes of the body are lost with the connection
	Read   func() // called when the process begins to read the answer; may be nil
	// Left is called instead if the process does not wait so long, with the time at which it ended its wait; may be nil.
	Left func(at time.Time)
}

// conn is one connection to the server, for one request.
type conn struct {
	net.Conn // its other methods are not used
	ctx      context.Context
	world    *World
	soft     bool   // the goroutines of an http.Transport use it, which must not end
	refuses  bool   // the server closes it before the request
	about    string // the request, if it is known: those of one actor may wait at the same time

	request bytes.Buffer
	once    [3]sync.Once
	expired chan struct{} // the deadline has passed
	served  chan struct{} // the request was served, or the connection closed
	closed  chan struct{}
	answer  *Answer
	reader  *bytes.Reader
	begun   bool
	opened  time.Time
	skew    time.Duration // of the process at that time
	ended   time.Time     // when the process ended its wait
}

// Dial opens a connection for code that reads and writes it in the caller's goroutine.
func (w *World) Dial(ctx context.Context, _, _ string) (net.Conn, error) { return w.dial(ctx, false) }

// DialTransport opens a connection for an http.Transport.
func (w *World) DialTransport(ctx context.Context, _, _ string) (net.Conn, error) {
	return w.dial(ctx, true)
}

func (w *World) dial(ctx context.Context, soft bool) (net.Conn, error) {
	c := &conn{ctx: ctx, world: w, soft: soft, about: procore.DialedFor(ctx),
		expired: make(chan struct{}), served: make(chan struct{}), closed: make(chan struct{})}
	f := c.gate(strings.TrimSpace("dials "+c.about), Unreachable, Closes, Crash)
	switch {
	case f == Unreachable:
		return nil, errors.New("connection refused")
	case f == Crash:
		return nil, errCrashed
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	c.opened = w.Now()
	if a := ActorOf(ctx); a != nil {
		c.skew = a.Process.skew
		if w.Connected != nil {
			w.Connected(a, c.about)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(w.conns, c)
	if c.refuses = f == Closes; c.refuses {
		w.closing = append(w.closing, c)
	}
	return c, nil
}

// closeAll closes the connections that are open.
func (w *World) closeAll() {
	w.mu.Lock()
	open := slices.Clone(w.conns)
	w.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
}

// hangUp ends the connections that the server closes before the request. Their readers
// learn it when all actors wait, because a race between reader and writer would be no
// decision of the schedule.
func (w *World) hangUp() {
	w.mu.Lock()
	closing := w.closing
	w.closing = nil
	w.mu.Unlock()
	for _, c := range closing {
		c.serve(nil)
	}
	if len(closing) > 0 {
		synctest.Wait()
	}
}

// errCrashed is what the goroutines of a crashed process meet.
var errCrashed = errors.New("the process crashed")

// gate is a gate that ends the goroutine of a crashed process if it may.
func (c *conn) gate(name string, faults ...Fault) Fault {
	f := gate(c.ctx, &arrival{name: name, faults: faults})
	if f == Crash && !c.soft && c.world.long == nil {
		runtime.Goexit()
	}
	return f
}

// SetDeadline is called with a time in the past when the request's time is over.
func (c *conn) SetDeadline(time.Time) error {
	c.once[0].Do(func() {
		c.ended = c.world.Now()
		close(c.expired)
	})
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
	c.once[2].Do(func() {
		close(c.closed)
		c.world.mu.Lock()
		defer c.world.mu.Unlock()
		c.world.conns = slices.DeleteFunc(c.world.conns, func(o *conn) bool { return o == c })
	})
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
	case c.soft && c.refuses:
		return 0, io.ErrUnexpectedEOF // as Read: which of the two an http.Transport reports is a race
	case isClosed(c.closed), isClosed(c.served), c.refuses:
		return 0, net.ErrClosed
	}
	c.request.Write(b)
	r, ok := c.parse()
	if !ok {
		return len(b), nil // the rest follows
	}
	faults := c.world.Server.Faults(r)
	if r.Path == "/oauth/token" && c.world.long != nil {
		faults = append(faults, Torn) // elsewhere an http.Transport's reader and writer would race for the error
	}
	f := c.gate("sends "+r.Method+" "+r.Path, faults...)
	if f == Crash {
		return 0, errCrashed // the reader learns nothing before the connection is closed
	}
	answer := c.world.Server.Serve(r, f)
	if f == Torn {
		return 0, syscall.EPIPE // likewise the reader
	}
	if f == CrashAfter {
		if kill(c.ctx); !c.soft && r.Actor != nil && c.world.long == nil {
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
	r := &Request{Context: c.ctx, Actor: ActorOf(c.ctx), Method: h.Method, Path: h.URL.Path, Query: h.URL.Query(),
		Header: h.Header, Body: body, Opened: c.opened, Aged: c.world.Now().Sub(c.opened), wire: h}
	if r.Actor != nil {
		r.Aged += r.Actor.Process.skew - c.skew
	}
	if strings.HasPrefix(h.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		r.Form, _ = url.ParseQuery(string(body)) // the server has its own opinion of a wrong one
	}
	h.Body = io.NopCloser(bytes.NewReader(body))
	return r, true
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
	f := c.gate(strings.TrimSpace("receives "+c.about), Lost, Hang, Crash)
	switch {
	case f == Lost:
		return io.ErrUnexpectedEOF
	case f == Crash:
		return errCrashed
	case f == Hang:
		select {
		case <-c.expired:
			c.left()
		case <-c.closed:
		}
		return os.ErrDeadlineExceeded
	case isClosed(c.expired):
		c.left()
		return os.ErrDeadlineExceeded
	}
	if c.answer.Read != nil {
		c.answer.Read()
	}
	text := c.answer.text()
	c.reader = bytes.NewReader(text[:len(text)-min(c.answer.Cut, len(c.answer.Body))])
	return nil
}

// left reports that the process has ended its wait for the answer.
func (c *conn) left() {
	if c.answer.Left != nil {
		c.answer.Left(c.ended)
	}
}

// text is the answer on the wire.
func (a *Answer) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d x\r\nConnection: close\r\nContent-Length: %d\r\n", a.Status, len(a.Body))
	if a.Header == nil {
		b.WriteString("Content-Type: application/json\r\n")
	}
	if err := a.Header.Write(&b); err != nil {
		panic(err) // a buffer takes everything
	}
	b.WriteString("\r\n")
	b.Write(a.Body)
	return b.Bytes()
}
