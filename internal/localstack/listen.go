package localstack

import (
	"cmp"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"syscall"
	"time"

	"procore-connect/internal/gatewaytest"
)

// AddrError says that an address cannot be listened on.
type AddrError struct {
	Part string // app, procore or aws
	Addr string
	Err  error
}

func (e *AddrError) Error() string {
	if errors.Is(e.Err, syscall.EADDRINUSE) {
		return fmt.Sprintf("the address %s is taken by another program", e.Addr)
	}
	return fmt.Sprintf("cannot listen on %s: %v", e.Addr, e.Err)
}

func (e *AddrError) Unwrap() error { return e.Err }

type listeners struct{ app, procore, aws net.Listener }

// listen opens the three addresses and sets their URLs.
func (s *Stack) listen() (*listeners, error) {
	var l listeners
	for _, a := range []struct {
		part, addr string
		to         *net.Listener
		url        *string
	}{
		{"app", s.options.AppAddr, &l.app, &s.AppURL},
		{"procore", s.options.ProcoreAddr, &l.procore, &s.ProcoreURL},
		{"aws", s.options.AWSAddr, &l.aws, &s.AWSURL},
	} {
		addr := cmp.Or(a.addr, "127.0.0.1:0")
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, &AddrError{a.part, addr, err}
		}
		s.cleanup = append(s.cleanup, func() { listener.Close() })
		*a.to, *a.url = listener, address(addr, listener)
	}
	return &l, nil
}

// address is how this machine reaches a listener: by the host as it was
// written, or by loopback where the listener takes any.
func address(addr string, l net.Listener) string {
	host, _, _ := net.SplitHostPort(addr)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func (s *Stack) serve(l net.Listener, h http.Handler) {
	server := &http.Server{
		Handler:           h,
		MaxHeaderBytes:    2 * gatewaytest.MaxHeader, // the front itself is stricter, in the service's words
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          log.New(s.out.prefixed("http"), "", 0),
	}
	s.servers = append(s.servers, server)
	go server.Serve(l) // ends with Close
}
