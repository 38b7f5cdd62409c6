package procore

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Secrets that a test sends and receives. None of them may show in an error.
const (
	testRefresh = "fake-refresh-sent"
	testSecret  = "fake-client-secret"
	testPair    = `{"access_token":"fake-access-new","token_type":"bearer","expires_in":5400,"refresh_token":"fake-refresh-new"}`
)

// A peer is a TLS server that a test writes byte by byte. It offers HTTP/2 and keeps
// the requests.
type peer struct {
	url   string
	roots *x509.CertPool
	hello func() // runs in each handshake; nil: nothing

	mu          sync.Mutex
	raw         net.Conn // the latest
	connections int
	requests    []request
}

type request struct {
	proto string // from ALPN
	*http.Request
	form url.Values
}

// listen starts a peer that answers each request with the function.
func listen(t *testing.T, answer func(c net.Conn)) *peer {
	t.Helper()
	certificate, roots := certificate(t)
	p := &peer{roots: roots}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if p.hello != nil {
			p.hello()
		}
		return nil, nil
	}
	p.url = "https://" + accept(t, func(raw net.Conn) {
		c := tls.Server(raw, config)
		p.mu.Lock()
		p.raw = raw
		p.mu.Unlock()
		if c.HandshakeContext(t.Context()) != nil {
			return
		}
		p.mu.Lock()
		p.connections++
		p.mu.Unlock()
		for r := bufio.NewReader(c); p.request(t, c, r); {
			answer(c)
		}
	})
	return p
}

// request reads one request. It returns false at the end of the connection.
func (p *peer) request(t *testing.T, c *tls.Conn, r *bufio.Reader) bool {
	t.Helper()
	req, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	body, err := io.ReadAll(req.Body)
	form, err2 := url.ParseQuery(string(body))
	if err != nil || err2 != nil {
		t.Errorf("the request's body: %v, %v", err, err2)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, request{c.ConnectionState().NegotiatedProtocol, req, form})
	return true
}

func (p *peer) oauth() *OAuth {
	return &OAuth{
		Environment:  Environment{Name: "custom", LoginURL: p.url, APIURL: p.url},
		ClientID:     "fake-client-id",
		ClientSecret: NewSecret(testSecret),
		TLS:          &tls.Config{RootCAs: p.roots, MinVersion: tls.VersionTLS12},
	}
}

// got returns how many connections and requests arrived.
func (p *peer) got() (connections, requests int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connections, len(p.requests)
}

// wants fails the test unless this number of requests arrived.
func (p *peer) wants(t *testing.T, requests int) {
	t.Helper()
	if _, got := p.got(); got != requests {
		t.Errorf("the server got %d requests, want %d", got, requests)
	}
}

// accept serves connections on a free loopback port until the test ends, and returns
// its address.
func accept(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(20 * time.Second))
				serve(c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

// certificate returns a certificate for 127.0.0.1 and the roots that trust it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.TLS.Certificates[0], roots
}

// writes returns an answer that is the text.
func writes(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, text) }
}

// responds returns a complete answer.
func responds(status int, body string, headers ...string) func(net.Conn) {
	return writes(fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Length: %d\r\n%s\r\n%s", status, http.StatusText(status), len(body),
		strings.Join(append(headers, ""), "\r\n"), body))
}

// floods repeats the text until the other side closes the connection.
func floods(text string) func(net.Conn) {
	return func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// closes ends the connection, gently or by a TCP reset.
func closes(linger int) func(net.Conn) {
	return func(c net.Conn) {
		raw := c.(*tls.Conn).NetConn().(*net.TCPConn)
		raw.SetLinger(linger)
		raw.Close()
	}
}

// hidesSecrets fails the test if any way to print v shows a secret of the tests.
func hidesSecrets(t *testing.T, v any) {
	t.Helper()
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", v)
	}
	encoded, err := json.Marshal(v)
	fmt.Fprintf(&out, "%s %v\n", encoded, err)
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
	for _, secret := range []string{"fake-refresh-", "fake-access-", "fake-code-", testSecret, fmt.Sprintf("%x", "fake-")} {
		if strings.Contains(out.String(), secret) {
			t.Fatalf("%q shows in:\n%s", secret, out.String())
		}
	}
}
