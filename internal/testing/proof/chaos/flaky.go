//go:build unix

package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// flaky is a listener whose connections misbehave as a bad network does. It is where
// a proxy between a function and a service would be, below TLS.
type flaky struct {
	net.Listener
	w     *world
	p     *process
	name  string // of the service, for the count
	every int    // one in this many connections misbehaves; 0: none
}

// How a connection misbehaves.
const (
	resetIn   = iota // is reset while the request is read
	resetOut         // is reset when the answer is written
	dropOut          // discards the answer, and ends a while later
	halfClose        // ends its answer in the middle and still reads
	stall            // delivers late
	kinds
)

var kindNames = [kinds]string{"reset before the request", "reset before the answer", "answer discarded", "half-closed in the answer", "stalled"}

// Accept returns the next connection.
func (f *flaky) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t, ok := c.(*net.TCPConn)
	if !ok {
		return nil, errors.New("not TCP")
	}
	conn := &flakyConn{Conn: t, tcp: t, f: f, accepted: time.Now(), kind: kinds}
	if f.every > 0 && !f.w.calm.Load() && f.w.dice.oneIn(f.every) {
		// Early enough for a handshake or a first request, or well within a connection that is kept open.
		conn.kind, conn.after = f.w.dice.n(kinds), int64(f.w.dice.n(pick(f.w.dice, []int{1, 600, 6_000, 60_000})+1))
	}
	return conn, nil
}

type flakyConn struct {
	net.Conn
	tcp      *net.TCPConn
	f        *flaky
	accepted time.Time
	kind     int
	after    int64 // bytes that pass before the fault, in its direction

	mu      sync.Mutex
	in, out int64
	harmed  atomic.Bool // the fault has happened
	broken  bool        // nothing passes from now on
}

var errNetwork = errors.New("the network failed")

// due reports whether the fault happens now. The caller holds mu.
func (c *flakyConn) due(passed int64, n int) bool {
	return !c.harmed.Load() && passed+int64(n) > c.after && !c.f.w.calm.Load()
}

func (c *flakyConn) hit() {
	c.harmed.Store(true)
	c.f.w.network.add(c.f.name + " " + kindNames[c.kind])
	if c.f.name == procoreService {
		c.f.p.addConnFault()
	}
}

// Read reads from the function.
func (c *flakyConn) Read(b []byte) (int, error) {
	n, err := c.tcp.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kind == resetIn && n > 0 && c.due(c.in, n) {
		c.hit()
		c.reset()
		return 0, errNetwork
	}
	c.in += int64(n)
	return n, err
}

// Write writes to the function.
func (c *flakyConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return len(b), nil
	}
	if c.kind < kinds && c.kind != resetIn && c.due(c.out, len(b)) {
		c.hit()
		switch c.kind {
		case resetOut:
			c.reset()
			return 0, errNetwork
		case dropOut:
			c.broken = true
			time.AfterFunc(2*time.Second, func() { c.Close() })
			return len(b), nil
		case halfClose:
			_, _ = c.tcp.Write(b[:len(b)/2])
			_ = c.tcp.CloseWrite()
			c.broken = true
			return len(b), nil
		case stall:
			c.f.w.wait(c.f.w.ctx, c.f.w.dice.between(200*time.Millisecond, 4*time.Second))
		}
	}
	n, err := c.tcp.Write(b)
	c.out += int64(n)
	return n, err
}

// reset closes the connection with a TCP reset.
func (c *flakyConn) reset() {
	c.broken = true
	_ = c.tcp.SetLinger(0)
	_ = c.Close()
}

// wait waits for d, or until the context ends.
func (w *world) wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
