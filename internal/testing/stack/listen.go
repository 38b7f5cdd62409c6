package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"procore-connect/internal/testing/fake/gatewaytest"
	"procore-connect/pkg/procoretest"
)

// AddrError reports an address on which the stack cannot listen.
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

// AddrErrors report all the addresses on which the stack cannot listen.
type AddrErrors []*AddrError

func (e AddrErrors) Error() string {
	var all []string
	for _, one := range e {
		all = append(all, one.Error())
	}
	return strings.Join(all, "; ")
}

// Unwrap returns each address's error.
func (e AddrErrors) Unwrap() []error {
	var all []error
	for _, one := range e {
		all = append(all, one)
	}
	return all
}

type listeners struct{ app, procore, aws []net.Listener }

// listen opens the addresses, and those for containers, and sets the URLs. If it cannot, the error is [AddrErrors].
func (s *Stack) listen() (*listeners, error) {
	var l listeners
	var failed AddrErrors
	for _, a := range []struct {
		part, addr string
		inside     string // IP address for containers
		to         *[]net.Listener
		url        *string
	}{
		{"app", s.options.AppAddr, "", &l.app, &s.AppURL},
		{"procore", s.options.ProcoreAddr, s.options.ContainersIP, &l.procore, &s.ProcoreURL},
		{"aws", s.options.AWSAddr, s.options.ContainersIP, &l.aws, &s.AWSURL},
	} {
		if a.part == "procore" && s.options.Sandbox != nil {
			continue
		}
		addr := cmp.Or(a.addr, "127.0.0.1:0")
		first, err := s.open(a.part, addr, a.to)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		*a.url = address(addr, first)
		if everywhere(first) || a.inside == "" {
			continue
		}
		_, port, _ := net.SplitHostPort(first.Addr().String())
		if _, err := s.open(a.part, net.JoinHostPort(a.inside, port), a.to); err != nil {
			failed = append(failed, err)
		}
	}
	if failed != nil {
		return nil, failed
	}
	s.PublicURL = s.AppURL
	if s.options.Sandbox != nil {
		s.PublicURL = cmp.Or(s.options.Sandbox.PublicURL, s.AppURL)
	}
	return &l, nil
}

func (s *Stack) open(part, addr string, to *[]net.Listener) (net.Listener, *AddrError) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &AddrError{part, addr, err}
	}
	s.cleanup = append(s.cleanup, func() { l.Close() })
	*to = append(*to, l)
	return l, nil
}

func everywhere(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return ok && a.IP.IsUnspecified()
}

// DockerBridge returns this machine's IP address in Docker's default network, or "" if it
// has none: Docker Desktop maps host.docker.internal to loopback instead.
func DockerBridge() string {
	bridge, err := net.InterfaceByName("docker0")
	if err != nil {
		return ""
	}
	addrs, _ := bridge.Addrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

// address returns the URL at which this machine reaches a listener: with the host as it
// was written, or with loopback if the listener accepts any.
func address(addr string, l net.Listener) string {
	host, _, _ := net.SplitHostPort(addr)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func (s *Stack) serve(l net.Listener, h http.Handler) {
	named := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", fmt.Sprintf("%s%d", serverName, os.Getpid()))
		h.ServeHTTP(w, r)
	})
	server := &http.Server{
		Handler:           named,
		MaxHeaderBytes:    2 * gatewaytest.MaxHeader, // the front itself is stricter and answers as the service does
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          log.New(s.out.prefixed("http"), "", 0),
	}
	if fake, ok := h.(*procoretest.Server); ok {
		server.ConnState = fake.ConnState
	}
	s.servers = append(s.servers, server)
	go server.Serve(l) // ends with Close
}

// serverName is the header Server of every answer, before the process's id.
const serverName = "procore-connect make run, pid "

// Holder returns the process id of the stack that answers at an address, or 0 if that is another program.
func Holder(ctx context.Context, addr string) int {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	text, found := strings.CutPrefix(resp.Header.Get("Server"), serverName)
	pid, err := strconv.Atoi(text)
	if !found || err != nil {
		return 0
	}
	return pid
}
