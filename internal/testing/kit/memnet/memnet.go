// Package memnet connects the clients and servers of one process without sockets, for which a bubble of testing/synctest
// would not wait.
//
//	var n memnet.Network
//	server := n.Serve("127.0.0.1:4000", handler)
//	client := &http.Client{Transport: procore.Dial(n.Dial).Transport()}
package memnet

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// Network connects everything that it serves. The zero value is a network without a server.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*listener // by address
}

// Serve serves an address until the server is closed. Another server may have had the address before.
func (n *Network) Serve(address string, h http.Handler) *http.Server {
	l := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	if n.listeners == nil {
		n.listeners = map[string]*listener{}
	}
	n.listeners[address] = l
	n.mu.Unlock()
	s := &http.Server{Handler: h, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		if c, ok := c.(*conn); ok {
			ctx = context.WithValue(ctx, callerKey{}, c.by)
		}
		return ctx
	}}
	go func() { _ = s.Serve(l) }() // ends with Close
	return s
}

// Dial opens a connection for no caller in particular.
func (n *Network) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	return n.Open(ctx, address, nil)
}

// Open opens a connection whose requests [Caller] attributes to by.
func (n *Network) Open(ctx context.Context, address string, by any) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("%s: connection refused", address)
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- &conn{theirs, by}:
		return ours, nil
	case <-l.closed:
		return nil, fmt.Errorf("%s: connection refused", address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type callerKey struct{}

// Caller returns who opened the connection of a request, nil if that is not known.
func Caller(r *http.Request) any { return r.Context().Value(callerKey{}) }

// listener accepts the network's connections to one address.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// conn is the server's end of a connection.
type conn struct {
	net.Conn

	by any
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
func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }
