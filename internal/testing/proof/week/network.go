package week

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
)

// network connects everything without a socket, for which a bubble would not wait.
type network struct {
	mu        sync.Mutex
	listeners map[string]*listener // by address
}

// listener accepts the network's connections to one address.
type listener struct {
	address net.TCPAddr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// conn is the server's end of a connection that a process may have opened.
type conn struct {
	net.Conn

	by *process // nil: no process
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return &l.address }

type processKey struct{}

// processOf returns the process that made a request, nil without one.
func processOf(r *http.Request) *process {
	p, _ := r.Context().Value(processKey{}).(*process)
	return p
}

// serve serves an address of the network until the server is closed.
func (n *network) serve(address string, h http.Handler) *http.Server {
	l := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	n.listeners[address] = l
	n.mu.Unlock()
	s := &http.Server{Handler: h, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		if c, ok := c.(*conn); ok {
			ctx = context.WithValue(ctx, processKey{}, c.by)
		}
		return ctx
	}}
	go func() { _ = s.Serve(l) }() // ends with Close
	return s
}

// dial opens a connection for no process.
func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	return n.open(ctx, address, nil)
}

func (n *network) open(ctx context.Context, address string, by *process) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- &conn{theirs, by}:
		return ours, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
