//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"procore-connect/pkg/procoretest"
)

// tlsListener is a listener for TLS that speaks HTTP/2. Sometimes it is the peer to which
// net/http posts a body again and again: it reads the request and then refuses the
// stream, which RFC 9113 section 8.7 calls safe to retry.
type tlsListener struct {
	net.Listener
	p     *process
	conns chan net.Conn
	once  sync.Once
	ended chan struct{} // closed with the listener
}

func newTLSListener(l net.Listener, p *process) *tlsListener {
	s := &tlsListener{Listener: l, p: p, conns: make(chan net.Conn), ended: make(chan struct{})}
	go s.accept()
	return s
}

func (s *tlsListener) accept() {
	for {
		raw, err := s.Listener.Accept()
		if err != nil {
			_ = s.Close()
			return
		}
		c := tls.Server(raw, s.p.w.tls)
		if s.p.w.calm.Load() || !s.p.w.dice.oneIn(4) {
			s.handOver(c)
			continue
		}
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			switch {
			case c.HandshakeContext(ctx) != nil:
				c.Close()
			case c.ConnectionState().NegotiatedProtocol == "h2":
				s.p.w.network.add("HTTP/2 streams refused after they were read")
				s.p.refuseStreams(c)
			default:
				s.handOver(c)
			}
		}()
	}
}

// Close closes the listener.
func (s *tlsListener) Close() error {
	s.once.Do(func() { close(s.ended) })
	return s.Listener.Close()
}

func (s *tlsListener) handOver(c net.Conn) {
	select {
	case s.conns <- c:
	case <-s.ended:
		c.Close()
	}
}

// Accept returns the next connection.
func (s *tlsListener) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.ended:
		return nil, net.ErrClosed
	}
}

// The part of HTTP/2 that is needed to refuse streams (RFC 9113).
const (
	preface     = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	frameHeader = 9

	dataFrame, headersFrame, resetFrame, settingsFrame, goAwayFrame = 0, 1, 3, 4, 7

	endStream, ack = 1, 1
	refusedStream  = 7
)

// refuseStreams reads a few whole requests and refuses their streams.
func (p *process) refuseStreams(c *tls.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(c, make([]byte, len(preface))); err != nil {
		return
	}
	frame(c, settingsFrame, 0, 0, nil)
	bodies := map[uint32]*bytes.Buffer{}
	for refused := 0; refused < 3; {
		header := make([]byte, frameHeader)
		if _, err := io.ReadFull(c, header); err != nil {
			return
		}
		length := int(header[0])<<16 | int(header[1])<<8 | int(header[2])
		payload := make([]byte, length)
		if _, err := io.ReadFull(c, payload); err != nil {
			return
		}
		kind, flags, stream := header[3], header[4], binary.BigEndian.Uint32(header[5:])
		switch {
		case kind == settingsFrame && flags&ack == 0:
			frame(c, settingsFrame, ack, 0, nil)
		case kind == headersFrame:
			bodies[stream] = new(bytes.Buffer)
		case kind == dataFrame && bodies[stream] != nil:
			bodies[stream].Write(payload)
		}
		if (kind == headersFrame || kind == dataFrame) && flags&endStream != 0 && bodies[stream] != nil {
			p.presentedOverHTTP2(bodies[stream].String())
			frame(c, resetFrame, 0, stream, binary.BigEndian.AppendUint32(nil, refusedStream))
			refused++
		}
	}
	frame(c, goAwayFrame, 0, 0, make([]byte, 8))
}

// frame writes a frame. It ignores errors, because the peer may have gone.
func frame(w io.Writer, kind, flags byte, stream uint32, payload []byte) {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	_, _ = w.Write(append(binary.BigEndian.AppendUint32(b, stream), payload...))
}

// presentedOverHTTP2 records a refresh token that arrived over HTTP/2. None should, because
// the code that sends them speaks HTTP/1.1.
func (p *process) presentedOverHTTP2(body string) {
	form, _ := url.ParseQuery(body) // an unreadable form has no token
	if token := form.Get("refresh_token"); token != "" {
		now := time.Now()
		p.w.provider.record(&call{p: p, at: now, done: now, token: procoretest.Fingerprint(token), answer: "refused HTTP/2 stream"})
	}
}

type connKey struct{}

// withConn stores the connection in the context of its requests.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// connOf returns the request's connection, or nil if it is the driver's.
func connOf(r *http.Request) *flakyConn {
	c, _ := r.Context().Value(connKey{}).(*flakyConn)
	return c
}

// abort ends a request without an answer, with a TCP reset if no other request shares
// the connection.
func abort(r *http.Request) {
	if c := connOf(r); c != nil && r.ProtoMajor == 1 {
		c.mu.Lock()
		c.harmed.Store(true)
		c.reset()
		c.mu.Unlock()
	}
	panic(http.ErrAbortHandler) // net/http's way to close the connection or the stream
}

// heldAnswer is an answer that is held back.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
	reset  bool
}

func newHeldAnswer() *heldAnswer { return &heldAnswer{header: http.Header{}, status: http.StatusOK} }

func (k *heldAnswer) Header() http.Header         { return k.header }
func (k *heldAnswer) WriteHeader(status int)      { k.status = status }
func (k *heldAnswer) Write(b []byte) (int, error) { return k.body.Write(b) }

// Hijack records that the fake resets the connection.
func (k *heldAnswer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	k.reset = true
	return nil, nil, errors.New("the caller resets the connection")
}

// send sends the answer, or only its first half.
func (k *heldAnswer) send(w http.ResponseWriter, part bool) {
	maps.Copy(w.Header(), k.header)
	w.WriteHeader(k.status)
	body := k.body.Bytes()
	if part {
		body = body[:len(body)/2]
	}
	_, _ = w.Write(body) // the peer may have gone
	if part {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
