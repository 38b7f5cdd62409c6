package procore

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	connectTimeout  = 5 * time.Second
	maxTokenAnswer  = 64 << 10
	maxTokenHeaders = 64 << 10
)

// A sender posts forms that must not be sent twice: refresh tokens and
// authorization codes are single-use.
//
// It does not use http.Transport. Over HTTP/2 that posts a body again and again to a
// peer that resets the stream, and on kept connections it may retry a request whose
// connection died. Here a request is one new connection, one write and one read, so
// nothing can send it again.
type sender struct {
	tls   *tls.Config // nil: the system's roots
	proxy func(*http.Request) (*url.URL, error)
	clock Clock
	dial  Dial

	timeout time.Duration // of the whole request; 0: 30 s
}

// post sends the form once, on its own connection, and reads the answer. sent is false
// only if no byte of the request can have reached the server.
func (s sender) post(ctx context.Context, endpoint string, form url.Values) (a answer, sent bool, err error) {
	req, err := formRequest(endpoint, form)
	if err != nil {
		return answer{}, false, err
	}
	return s.send(ctx, req)
}

// send is like post, for a request with its own header.
func (s sender) send(ctx context.Context, req *http.Request) (a answer, sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.timeout, defaultTimeout))
	defer cancel()
	l, err := s.connect(ctx, req)
	if err != nil {
		return answer{}, false, err
	}
	defer l.Close()
	return l.send(ctx, req, noDeadline)
}

func formRequest(endpoint string, form url.Values) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(form.Encode())) //nolint:noctx // line.send sets it
	if err != nil {
		return nil, errors.New("the token endpoint's address is not a URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

// connect opens a new connection to the server of req, through TLS unless the scheme is
// http, which Environment allows only for loopback.
func (s sender) connect(ctx context.Context, req *http.Request) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := s.reach(ctx, req)
	if err != nil {
		return nil, err
	}
	f := &fence{Conn: conn, clock: s.clock}
	if req.URL.Scheme != "https" {
		return newLine(f, f), nil
	}
	config := s.tls.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config.ServerName = req.URL.Hostname()
	config.NextProtos = []string{"http/1.1"}
	secure := tls.Client(f, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS with %s: %w", req.URL.Hostname(), err)
	}
	return newLine(secure, f), nil
}

// reach connects to the server, or through an HTTP proxy's CONNECT tunnel to it.
func (s sender) reach(ctx context.Context, req *http.Request) (net.Conn, error) {
	proxy, err := s.proxy(req)
	if err != nil {
		return nil, errors.New("the proxy's address is not a URL") // err may quote its password
	}
	if proxy == nil {
		return s.dial.open(ctx, "tcp", hostPort(req.URL))
	}
	if proxy.Scheme != "http" || req.URL.Scheme != "https" {
		return nil, fmt.Errorf("a %s proxy cannot carry a request to %s: only an http proxy and https", proxy.Scheme, req.URL.Host)
	}
	conn, err := s.dial.open(ctx, "tcp", hostPort(proxy))
	if err != nil {
		return nil, err
	}
	if err := tunnel(ctx, conn, proxy, hostPort(req.URL)); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// tunnel asks the proxy for a connection to host (RFC 9110 section 9.3.6).
func tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, host string) error {
	defer closeOnDone(ctx, conn)()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: host}, Host: host, Header: http.Header{}}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
		req.Header["Proxy-Authorization"] = req.Header["Authorization"]
		req.Header.Del("Authorization")
	}
	if err := req.Write(conn); err != nil {
		return withContext(ctx, err)
	}
	// One byte at a time, so that nothing of the TLS stream is read ahead.
	resp, err := http.ReadResponse(bufio.NewReaderSize(io.LimitReader(oneByte{conn}, maxTokenHeaders), 16), req)
	if err != nil {
		return withContext(ctx, readError(err))
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy refused the tunnel: %d", resp.StatusCode)
	}
	return nil
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// oneByte reads one byte in each call.
type oneByte struct{ io.Reader }

func (o oneByte) Read(p []byte) (int, error) {
	if len(p) > 1 {
		p = p[:1]
	}
	return o.Reader.Read(p)
}
