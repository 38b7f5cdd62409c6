package procore

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A network is net/http's Transport over pipes. Its dialling and its server fail as
// a test wants. It works in a bubble, so that no test waits.
type network struct {
	dialled, received atomic.Int32
	dial              func(n int32) error          // the n-th dialling; nil: it succeeds
	serve             func(n int32, conn net.Conn) // answers the n-th request
}

func (n *network) client(t *testing.T) *http.Client {
	t.Helper()
	tr := &http.Transport{DialContext: n.open}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func (n *network) open(context.Context, string, string) (net.Conn, error) {
	if n.dial != nil {
		if err := n.dial(n.dialled.Add(1)); err != nil {
			return nil, err
		}
	}
	here, there := net.Pipe()
	go n.answer(there)
	return here, nil
}

func (n *network) answer(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if _, err := r.Discard(int(max(req.ContentLength, 0))); err != nil {
			return
		}
		n.serve(n.received.Add(1), conn)
	}
}

func ok(conn net.Conn) { writes("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"id\":1}")(conn) }

func plain() Environment {
	return Environment{Name: "custom", LoginURL: "http://127.0.0.1:1", APIURL: "http://127.0.0.1:1"}
}

// Without a connection nothing was written, so every method is repeated. After a
// broken connection only the idempotent ones are.
func TestMethodsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		network func() *network
		all     bool // repeated; else only the idempotent ones
	}{
		"dial": {all: true, network: func() *network {
			return &network{serve: func(_ int32, c net.Conn) { ok(c) }, dial: func(n int32) error {
				if n == 1 {
					return &net.OpError{Op: "dial", Err: errors.New("refused")}
				}
				return nil
			}}
		}},
		"closed after the request": {network: func() *network {
			return &network{serve: func(n int32, c net.Conn) {
				if n == 1 {
					c.Close()
					return
				}
				ok(c)
			}}
		}},
		"cut off": {network: func() *network {
			return &network{serve: func(n int32, c net.Conn) {
				if n == 1 {
					writes("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"i")(c)
					c.Close()
					return
				}
				ok(c)
			}}
		}},
	}
	for name, tt := range tests {
		for method, do := range methods() {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					n := tt.network()
					err := do(t.Context(), NewCompanyClient(plain(), n.client(t), 1))
					again := tt.all || method != "POST" && method != "PATCH"
					want := int32(1)
					if again && !tt.all {
						want = 2
					}
					if (err == nil) != again || n.received.Load() != want {
						t.Errorf("got %v after %d requests, want success %t after %d", err, n.received.Load(), again, want)
					}
				})
			})
		}
	}
}

// A kept connection may have died, as in a frozen Lambda. net/http takes another
// one, also for a POST, because nothing was written. That is not a repetition.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	for method, do := range methods() {
		synctest.Test(t, func(t *testing.T) {
			n := &network{serve: func(_ int32, c net.Conn) { ok(c) }}
			hc := n.client(t)
			var first *stale
			hc.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := n.open(ctx, network, address)
				if first == nil && err == nil {
					first = &stale{Conn: conn}
					return first, nil
				}
				return conn, err
			}
			c := NewCompanyClient(plain(), hc, 1, WithAttempts(1))
			for range 2 {
				if err := do(t.Context(), c); err != nil {
					t.Errorf("%s: %v", method, err)
				}
				synctest.Wait() // until the connection is kept
				first.dead.Store(true)
			}
			if got := n.received.Load(); got != 2 {
				t.Errorf("%s: the server got %d requests, want 2", method, got)
			}
		})
	}
}

// stale is a connection to which nothing can be written once it is dead. Nothing
// shows that before the write.
type stale struct {
	net.Conn
	dead atomic.Bool
}

func (s *stale) Write(b []byte) (int, error) {
	if s.dead.Load() {
		return 0, net.ErrClosed
	}
	return s.Conn.Write(b)
}

// A connection that stays refused ends the call after three attempts, or with the
// caller's context.
func TestConnectionStaysRefused(t *testing.T) {
	t.Parallel()
	for limit, want := range map[time.Duration]int32{time.Hour: 3, 100 * time.Millisecond: 1} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{dial: func(int32) error { return &net.DNSError{Err: "no such host", IsNotFound: true} }}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := Post[any](ctx, NewCompanyClient(plain(), n.client(t), 1), "/rest/x", nil, 1)
			if _, dns := errors.AsType[*net.DNSError](err); !dns || n.dialled.Load() != want {
				t.Errorf("got %v after %d attempts, want the DNS error after %d", err, n.dialled.Load(), want)
			}
		})
	}
}

// A wrong certificate is not retried: it would still be wrong.
func TestWrongCertificateIsFinal(t *testing.T) {
	t.Parallel()
	p := listen(t, responds(200, `{"id":1}`))
	dialled := 0
	hc := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled++
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	_, err := NewUserClient(Environment{APIURL: p.url}, hc).Me(t.Context())
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok || dialled != 1 {
		t.Errorf("got %v after %d attempts", err, dialled)
	}
}

// Connections that the Transport makes for a token do not count for the call; those
// that it makes afterwards do.
func TestProgress(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	tests := []struct {
		name   string
		events string // a: asked for a connection, o: wrote to another host, w: wrote to the API
		post   bool
	}{
		{"nothing asked", "", false},
		{"another host alone", "ao", false},
		{"token, then no connection", "aoa", true},
		{"written", "aw", false},
		{"token, then written", "aoaw", false},
		{"asked twice", "aa", true},
		{"written, then no connection", "awa", false},
	}
	for _, tt := range tests {
		var p progress
		ctx, cancel := p.trace(t.Context(), "https://api.procore.com")
		trace := httptrace.ContextClientTrace(ctx)
		for _, e := range tt.events {
			switch e {
			case 'a':
				trace.GetConn("proxy.example.com:3128")
			case 'o':
				trace.WroteHeaderField("Host", []string{"dynamodb.us-east-1.amazonaws.com"})
			case 'w':
				trace.WroteHeaderField("Host", []string{"api.procore.com"})
			}
		}
		p.failed()
		if got := p.repeatable(http.MethodPost, broken); got != tt.post {
			t.Errorf("%s: POST repeated %t, want %t", tt.name, got, tt.post)
		}
		cancel(nil)
	}
}

// Behind a proxy, as without one, a broken call is repeated where that does no harm,
// and counts where Procore may have seen it.
func TestBrokenBehindProxy(t *testing.T) {
	t.Parallel()
	breaks := map[string]struct {
		proxy, server bool // which of them breaks the first time
	}{"the tunnel": {proxy: true}, "the connection": {server: true}}
	for name, tt := range breaks {
		for method, do := range methods() {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				var received, tunnels atomic.Int32
				server := listen(t, func(c net.Conn) {
					if received.Add(1) == 1 && tt.server {
						closes(0)(c)
						return
					}
					responds(200, `{"id":1}`)(c)
				})
				var p *proxy
				p = startProxy(t, func(c net.Conn) {
					if tunnels.Add(1) == 1 && tt.proxy {
						return
					}
					p.tunnel(c, c, strings.TrimPrefix(server.url, "https://"))
				})
				tr := &http.Transport{Proxy: http.ProxyURL(p.url), TLSClientConfig: server.oauth().TLS}
				t.Cleanup(tr.CloseIdleConnections)
				c := NewCompanyClient(Environment{APIURL: server.url}, &http.Client{Transport: tr}, 1)
				c.api.pacer.hour = window{limit: 600, end: time.Now().Add(time.Hour)}
				err := do(t.Context(), c)
				again := tt.proxy || method != "POST" && method != "PATCH"
				if (err == nil) != again {
					t.Errorf("got %v, want success %t", err, again)
				}
				if got, want := c.api.pacer.hour.used, int(received.Load()); got != want {
					t.Errorf("%d calls count, want %d", got, want)
				}
			})
		}
	}
}
