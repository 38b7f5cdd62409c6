package procoretest

import (
	"net"
	"net/http"
	"time"
)

// TB is the part of [testing.TB] that this package uses. It keeps package testing and
// its flags out of programs that run the fake outside a test.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start serves a new fake at [Server.URL], on a loopback port, until the test ends.
// It takes one Options at most.
func Start(t TB, opts ...Options) *Server {
	t.Helper()
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("procoretest: %v", err)
		return nil
	}
	s := New(o)
	s.URL = "http://" + l.Addr().String()
	h := &http.Server{Handler: s, ConnState: s.ConnState, ReadTimeout: 30 * time.Second}
	go h.Serve(l)
	t.Cleanup(func() {
		h.Close()
		s.Close()
	})
	return s
}
