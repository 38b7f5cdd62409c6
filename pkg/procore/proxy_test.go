package procore

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// A proxy makes CONNECT tunnels and records the bytes in both directions.
type proxy struct {
	url *url.URL

	mu       sync.Mutex
	requests []*http.Request
	seen     bytes.Buffer
}

func (p *proxy) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.Write(b)
}

// startProxy answers each CONNECT with the function, or with a tunnel if it is nil.
func startProxy(t *testing.T, answer func(net.Conn)) *proxy {
	t.Helper()
	p := &proxy{}
	address := accept(t, func(c net.Conn) {
		r := bufio.NewReader(io.TeeReader(c, p))
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.requests = append(p.requests, req)
		p.mu.Unlock()
		if answer != nil {
			answer(c)
			return
		}
		p.tunnel(c, r, req.Host)
	})
	p.url = &url.URL{Scheme: "http", Host: address, User: url.UserPassword("fake-proxy-user", "fake-proxy-password")}
	return p
}

func (p *proxy) tunnel(c net.Conn, r io.Reader, host string) {
	up, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", host)
	if err != nil {
		writes("HTTP/1.1 502 Bad Gateway\r\n\r\n")(c)
		return
	}
	defer up.Close()
	writes("HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")(c)
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(up, r); up.(*net.TCPConn).CloseWrite() })
	both.Go(func() { _, _ = io.Copy(c, io.TeeReader(up, p)); c.(*net.TCPConn).CloseWrite() })
	both.Wait()
}

func (p *proxy) sender(peer *peer) sender {
	return sender{tls: peer.oauth().TLS, proxy: http.ProxyURL(p.url)}
}

func testForm() url.Values {
	return url.Values{"refresh_token": {testRefresh}, "client_secret": {testSecret}}
}

func TestSpendThroughProxy(t *testing.T) {
	t.Parallel()
	server := listen(t, responds(200, testPair))
	p := startProxy(t, nil)
	a, sent, err := p.sender(server).post(t.Context(), server.url+"/oauth/token", testForm())
	if err != nil || !sent || a.status != 200 || string(a.body) != testPair {
		t.Fatalf("post = %d, sent %v, %v, want the answer", a.status, sent, err)
	}
	server.wants(t, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if got, want := len(p.requests), 1; got != want {
		t.Fatalf("the proxy got %d requests, want %d", got, want)
	}
	r := p.requests[0]
	if got, want := r.Method+" "+r.RequestURI+" "+r.Host, "CONNECT "+server.url[8:]+" "+server.url[8:]; got != want {
		t.Errorf("the proxy got %q, want %q", got, want)
	}
	if got, want := r.Header.Get("Proxy-Authorization"), "Basic ZmFrZS1wcm94eS11c2VyOmZha2UtcHJveHktcGFzc3dvcmQ="; got != want {
		t.Errorf("Proxy-Authorization = %q, want %q", got, want)
	}
	if got := r.Header.Get("Authorization"); got != "" {
		t.Errorf("Authorization = %q, want none", got)
	}
	for _, part := range []string{testRefresh, testSecret, "fake-access-", "/oauth/token", "fake-proxy-password@"} {
		if strings.Contains(p.seen.String(), part) {
			t.Errorf("the proxy saw %q", part)
		}
	}
}

// The server behind the tunnel must show its own certificate. A proxy that answers in
// its place receives nothing.
func TestSpendProxyInTheMiddle(t *testing.T) {
	t.Parallel()
	server, middle := listen(t, responds(200, testPair)), listen(t, responds(200, testPair))
	p := startProxy(t, func(c net.Conn) { (&proxy{}).tunnel(c, c, middle.url[8:]) })
	s := p.sender(server)
	s.tls.RootCAs = nil
	_, sent, err := s.post(t.Context(), server.url+"/oauth/token", testForm())
	if sent || err == nil {
		t.Errorf("post = sent %v, %v, want an error before anything is sent", sent, err)
	}
	middle.wants(t, 0)
}

func TestSpendProxyRefuses(t *testing.T) {
	t.Parallel()
	echo := "Proxy-Authorization Basic fake-proxy-password\r\n\r\n"
	for name, reply := range map[string]func(net.Conn){
		"403":              responds(403, "no"),
		"407":              responds(407, "", `Proxy-Authenticate: Basic realm="a"`),
		"502":              responds(502, "<html>"),
		"redirect":         responds(302, "", "Location: https://127.0.0.1/"),
		"204":              writes("HTTP/1.1 204 No Content\r\n\r\n"),
		"closes":           func(net.Conn) {},
		"not HTTP":         floods("\x00\x01\x02\x03"),
		"endless header":   func(c net.Conn) { writes("HTTP/1.1 200 OK\r\n")(c); floods("X-A: b\r\n")(c) },
		"echoes":           writes(echo),
		"echoes as header": writes("HTTP/1.1 200 OK\r\n" + echo),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, responds(200, testPair))
			p := startProxy(t, reply)
			_, sent, err := p.sender(server).post(t.Context(), server.url+"/oauth/token", testForm())
			if sent || err == nil {
				t.Errorf("post = sent %v, %v, want an error before anything is sent", sent, err)
			}
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error("the answer was read on and on")
			}
			server.wants(t, 0)
			if e := tokenError(answer{}, sent, err); strings.Contains(e.Error(), "fake-proxy") {
				t.Errorf("the proxy's password shows: %v", e)
			}
		})
	}
}

func TestSpendProxyThatHangs(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := listen(t, responds(200, testPair))
	ended := make(chan error, 1)
	p := startProxy(t, func(c net.Conn) {
		cancel()
		_, err := c.Read(make([]byte, 1))
		ended <- err
	})
	_, sent, err := p.sender(server).post(ctx, server.url+"/oauth/token", testForm())
	if sent || !errors.Is(err, context.Canceled) {
		t.Errorf("post = sent %v, %v, want context.Canceled before anything is sent", sent, err)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("the proxy saw %v, want that the connection was closed at once", err)
	}
	server.wants(t, 0)
}

// A proxy that would see the form receives nothing, and neither does an unsupported one.
func TestSpendProxiesThatAreNotUsed(t *testing.T) {
	t.Parallel()
	server := listen(t, responds(200, testPair))
	connections := make(chan struct{}, 1)
	address := accept(t, func(net.Conn) { connections <- struct{}{} })
	password := errors.New("parse http://user:fake-proxy-password@host")
	for name, tt := range map[string]struct {
		endpoint string
		proxy    func(*http.Request) (*url.URL, error)
	}{
		"http endpoint": {"http://127.0.0.1:1/oauth/token", http.ProxyURL(&url.URL{Scheme: "http", Host: address})},
		"https proxy":   {server.url, http.ProxyURL(&url.URL{Scheme: "https", Host: address})},
		"socks proxy":   {server.url, http.ProxyURL(&url.URL{Scheme: "socks5", Host: address})},
		"no address":    {server.url, func(*http.Request) (*url.URL, error) { return nil, password }},
		"refused":       {server.url, http.ProxyURL(&url.URL{Scheme: "http", Host: closedPort(t), User: url.UserPassword("u", "fake-proxy-password")})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sender{tls: server.oauth().TLS, proxy: tt.proxy}
			_, sent, err := s.post(t.Context(), tt.endpoint, testForm())
			if sent || err == nil {
				t.Fatalf("post = sent %v, %v, want an error before anything is sent", sent, err)
			}
			if strings.Contains(err.Error(), "fake-proxy") {
				t.Errorf("the proxy's password shows: %v", err)
			}
			select {
			case <-connections:
				t.Error("the proxy was connected to")
			default:
			}
			server.wants(t, 0)
		})
	}
}
