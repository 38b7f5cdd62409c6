package main

import (
	"crypto/tls"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// front is one service at its own address, over TLS.
type front struct {
	url    string
	server *http.Server

	opened  atomic.Int64 // connections, counted when their handshake ends
	arrived atomic.Int64 // requests
	done    atomic.Int64 // requests that were answered

	mu   sync.Mutex
	open map[net.Conn]bool
}

// newFront serves h with a certificate that the functions trust. DynamoDB and Secrets Manager speak HTTP/1.1 alone.
func newFront(h http.Handler, config *tls.Config) (*front, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	f := &front{url: "https://" + l.Addr().String(), open: make(map[net.Conn]bool)}
	f.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.arrived.Add(1)
			defer f.done.Add(1)
			h.ServeHTTP(w, r)
		}),
		ConnState: f.watch,
	}
	config.VerifyConnection = func(tls.ConnectionState) error {
		f.opened.Add(1)
		return nil
	}
	go func() { _ = f.server.Serve(tls.NewListener(l, config)) }() // ends with close
	return f, nil
}

// watch remembers the open connections.
func (f *front) watch(c net.Conn, s http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch s {
	case http.StateNew:
		f.open[c] = true
	case http.StateClosed:
		delete(f.open, c)
	}
}

// closeAll closes the connections, as AWS does with idle ones after a while. No request is in flight.
func (f *front) closeAll() {
	f.mu.Lock()
	all := slices.Collect(maps.Keys(f.open))
	f.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // the client may have closed it
	}
}

func (f *front) close() { f.server.Close() }

// region is DynamoDB and Secrets Manager at two addresses, as AWS has them, so that a function needs two connections.
type region struct{ dynamodb, secrets *front }

func (w *world) newRegion() (r region, err error) {
	if r.dynamodb, err = newFront(w.services, w.certificate); err != nil {
		return r, err
	}
	r.secrets, err = newFront(w.services, w.certificate)
	return r, err
}

// env returns the variables by which a function finds the region.
func (r region) env() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB": r.dynamodb.url, "AWS_ENDPOINT_URL_SECRETS_MANAGER": r.secrets.url,
	}
}

// opened counts the connections to both whose handshake has ended.
func (r region) opened() int64 { return r.dynamodb.opened.Load() + r.secrets.opened.Load() }

func (r region) closeAll() {
	r.dynamodb.closeAll()
	r.secrets.closeAll()
}

func (r region) close() {
	r.dynamodb.close()
	r.secrets.close()
}
