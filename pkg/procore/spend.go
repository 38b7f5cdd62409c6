package procore

import (
	"bufio"
	"bytes"
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

// errTooLate is why a request was not sent: its time was over, as after a
// Lambda was frozen between the claim and the request.
var errTooLate = errors.New("the time to send had passed")

// answer is one whole response of the token endpoint.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	received time.Time
}

// A sender posts forms that must not be sent twice: refresh tokens and
// authorization codes are single-use.
//
// It does not use http.Transport. Behind HTTP/2 that one posts a body again and
// again to a peer that resets the stream, and behind kept connections it may
// retry a request whose connection died. Here a request is one fresh connection,
// one write and one read from top to bottom, so nothing can send it again.
type sender struct {
	tls   *tls.Config // nil: the system's roots
	proxy func(*http.Request) (*url.URL, error)
	now   func() time.Time
	open  func(ctx context.Context, network, address string) (net.Conn, error) // nil: net.Dialer

	timeout time.Duration // of the whole request; 0: 30 s
}

// post sends the form once and reads the answer. sent is false only if no byte
// of the request can have reached the server. The first byte is not written
// after notAfter, by the wall clock.
func (s sender) post(ctx context.Context, endpoint string, form url.Values, notAfter time.Time) (a answer, sent bool, err error) {
	req, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(form.Encode())) //nolint:noctx // send gives it one
	if err != nil {
		return answer{}, false, errors.New("the token endpoint's address is not a URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.send(ctx, req, notAfter)
}

// send is post for a request that has its own header.
func (s sender) send(ctx context.Context, req *http.Request, notAfter time.Time) (a answer, sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.timeout, defaultTimeout))
	defer cancel()
	req = req.WithContext(ctx)
	request, err := written(req)
	if err != nil {
		return answer{}, false, err
	}
	conn, err := s.connect(ctx, req)
	if err != nil {
		return answer{}, false, err
	}
	defer conn.Close()
	defer closeOnDone(ctx, conn)()

	// Round strips the monotonic clock, which stands still in a frozen sandbox.
	if now := s.now().Round(0); !now.Before(notAfter.Round(0)) {
		return answer{}, false, errTooLate
	}
	if err := ctx.Err(); err != nil {
		return answer{}, false, err
	}
	if _, err := conn.Write(request); err != nil {
		return answer{}, true, withContext(ctx, err)
	}
	a, err = s.read(conn, req)
	return a, true, withContext(ctx, err)
}

// written are the bytes of the request.
func written(req *http.Request) ([]byte, error) {
	req.GetBody = nil
	req.Close = true
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	var b bytes.Buffer
	err := req.Write(&b)
	return b.Bytes(), err
}

// connect opens a connection of its own to the server of req, through TLS
// unless the scheme is http, which Environment admits for loopback only.
func (s sender) connect(ctx context.Context, req *http.Request) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := s.dial(ctx, req)
	if err != nil || req.URL.Scheme != "https" {
		return conn, err
	}
	config := s.tls.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config.ServerName = req.URL.Hostname()
	config.NextProtos = []string{"http/1.1"}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS with %s: %w", req.URL.Hostname(), err)
	}
	return secure, nil
}

// dial connects to the server, or through an HTTP proxy's CONNECT tunnel to it.
func (s sender) dial(ctx context.Context, req *http.Request) (net.Conn, error) {
	open := s.open
	if open == nil {
		open = new(net.Dialer).DialContext
	}
	proxy, err := s.proxy(req)
	if err != nil {
		return nil, errors.New("the proxy's address is not a URL") // err may quote its password
	}
	if proxy == nil {
		return open(ctx, "tcp", address(req.URL))
	}
	if proxy.Scheme != "http" || req.URL.Scheme != "https" {
		return nil, fmt.Errorf("a %s proxy cannot carry a request to %s: only an http proxy and https", proxy.Scheme, req.URL.Host)
	}
	conn, err := open(ctx, "tcp", address(proxy))
	if err != nil {
		return nil, err
	}
	if err := tunnel(ctx, conn, proxy, address(req.URL)); err != nil {
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

// read reads the final response, whole and bounded.
func (s sender) read(conn net.Conn, req *http.Request) (answer, error) {
	r := bufio.NewReader(io.LimitReader(conn, maxTokenHeaders+maxTokenAnswer))
	for {
		resp, err := http.ReadResponse(r, req)
		if err != nil {
			return answer{}, readError(err)
		}
		a := answer{status: resp.StatusCode, header: resp.Header, received: s.now()}
		if a.status >= 100 && a.status < 200 {
			continue // informational: the answer follows
		}
		a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer+1))
		switch {
		case err != nil:
			err = readError(err)
		case len(a.body) > maxTokenAnswer:
			err = errors.New("the answer is larger than 64 KB")
		}
		return a, err
	}
}

// readError passes what the network says and hides what net/http says of a
// malformed answer: it quotes the answer, which may echo what was sent.
func readError(err error) error {
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return errors.New("the answer is not HTTP/1.1")
}

// closeOnDone makes the connection's reads and writes end with ctx. The
// function it returns ends the watch.
func closeOnDone(ctx context.Context, conn net.Conn) func() {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

// withContext prefers the context's reason over the timeout it caused.
func withContext(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// oneByte reads one byte a call.
type oneByte struct{ io.Reader }

func (o oneByte) Read(p []byte) (int, error) {
	if len(p) > 1 {
		p = p[:1]
	}
	return o.Reader.Read(p)
}
