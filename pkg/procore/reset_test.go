package procore

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// The frame types and error codes of RFC 9113 that streams needs.
const (
	frameHeaders, frameReset, frameSettings, frameGoAway = 1, 3, 4, 7

	protocolError, refusedStream = 1, 7
)

// streams is an HTTP/2 server that a test writes frame by frame.
type streams struct {
	opened atomic.Int32
	answer func(n int32, stream uint32, conn net.Conn) // to the n-th header
}

// maxStreams stops a client that never stops.
const maxStreams = 50

func (s *streams) start(t *testing.T) (Environment, *http.Client) {
	t.Helper()
	certificate, roots := certificate(t)
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}}
	ended := make(chan struct{})
	url := "https://" + accept(t, func(c net.Conn) {
		go func() { // the client does not close a connection that was reset
			<-ended
			c.Close()
		}()
		s.serve(tls.Server(c, config))
	})
	t.Cleanup(func() { close(ended) })
	tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(tr.CloseIdleConnections)
	return Environment{Name: "custom", LoginURL: url, APIURL: url}, &http.Client{Transport: tr}
}

func (s *streams) serve(conn net.Conn) {
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	const ack = 1
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, conn, length); err != nil {
			return
		}
		switch head[3] {
		case frameSettings:
			if head[4]&ack == 0 {
				frame(conn, frameSettings, 0, 0, nil)
				frame(conn, frameSettings, ack, 0, nil)
			}
		case frameHeaders:
			n := s.opened.Add(1)
			if n > maxStreams {
				return
			}
			s.answer(n, binary.BigEndian.Uint32(head[5:]), conn)
		}
	}
}

func frame(conn net.Conn, kind, flags byte, stream uint32, payload []byte) {
	b := []byte{0, byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	b = binary.BigEndian.AppendUint32(b, stream)
	_, _ = conn.Write(append(b, payload...))
}

func reset(conn net.Conn, stream, code uint32) {
	frame(conn, frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code))
}

// status writes a header with the status alone, in HPACK (RFC 7541): a literal after
// the eighth name of the static table. After 1xx the stream stays open.
func status(conn net.Conn, stream uint32, code int) {
	const endStream, endHeaders = 1, 4
	flags := byte(endHeaders)
	if code >= 200 {
		flags |= endStream
	}
	frame(conn, frameHeaders, flags, stream, fmt.Appendf([]byte{0x48, 3}, "%d", code))
}

// A server that resets a stream may have carried out the call. Only the client
// repeats an idempotent call, as often as WithAttempts allows. POST and PATCH are not
// repeated, not even without a body. net/http would repeat each until the context ends.
func TestResetStreams(t *testing.T) {
	t.Parallel()
	do := methods()
	do["POST without a body"] = func(ctx context.Context, c *CompanyClient) error {
		_, err := Post[any](ctx, c, "/rest/x", nil, nil)
		return err
	}
	do["PATCH without a body"] = func(ctx context.Context, c *CompanyClient) error {
		_, err := Patch[any](ctx, c, "/rest/x", nil, nil)
		return err
	}
	for name, answer := range map[string]func(n int32, stream uint32, conn net.Conn){
		"PROTOCOL_ERROR": func(_ int32, s uint32, c net.Conn) { reset(c, s, protocolError) },
		"REFUSED_STREAM": func(_ int32, s uint32, c net.Conn) { reset(c, s, refusedStream) },
		"GOAWAY":         func(_ int32, _ uint32, c net.Conn) { frame(c, frameGoAway, 0, 0, make([]byte, 8)) },
		"103, then PROTOCOL_ERROR": func(_ int32, s uint32, c net.Conn) {
			status(c, s, http.StatusEarlyHints)
			reset(c, s, protocolError)
		},
	} {
		for method, do := range do {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				s := &streams{answer: answer}
				env, hc := s.start(t)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // net/http would take longer
				defer cancel()
				err := do(ctx, NewCompanyClient(env, hc, 1, WithAttempts(2)))
				want := int32(1)
				if method == "GET" || method == "PUT" || method == "DELETE" {
					want = 2
				}
				if got := s.opened.Load(); got != want || err == nil || errors.Is(err, context.Canceled) {
					t.Errorf("got %v after %d requests, want an error after %d", err, got, want)
				}
			})
		}
	}
}

// After an answer the Transport may send the request again, as after a 401.
func TestAnsweredStreamsAreRepeated(t *testing.T) {
	t.Parallel()
	for method, do := range methods() {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := &streams{answer: func(n int32, stream uint32, c net.Conn) {
				if n == 1 {
					status(c, stream, http.StatusUnauthorized)
					return
				}
				reset(c, stream, protocolError)
			}}
			env, hc := s.start(t)
			base, bodies := hc.Transport, 0
			hc.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
				resp, err := base.RoundTrip(r)
				if err != nil || resp.StatusCode != http.StatusUnauthorized {
					return resp, err
				}
				resp.Body.Close()
				again := r.Clone(r.Context())
				if r.Body != nil && r.Body != http.NoBody {
					bodies++
					if again.Body, err = r.GetBody(); err != nil {
						return nil, err
					}
				}
				return base.RoundTrip(again)
			})
			err := do(t.Context(), NewCompanyClient(env, hc, 1, WithAttempts(1)))
			if got := s.opened.Load(); got != 2 || err == nil || bodies != 1 && method != "GET" && method != "DELETE" {
				t.Errorf("got %v after %d requests, %d with a body again; want an error after 2", err, got, bodies)
			}
		})
	}
}

// The Transport's own calls, as for a token, are its own affair.
func TestResetOfAnotherCall(t *testing.T) {
	t.Parallel()
	login := &streams{answer: func(n int32, stream uint32, c net.Conn) {
		if n == 1 {
			reset(c, stream, refusedStream)
			return
		}
		status(c, stream, http.StatusOK)
	}}
	loginEnv, loginClient := login.start(t)
	api := &streams{answer: func(_ int32, stream uint32, c net.Conn) { status(c, stream, http.StatusNoContent) }}
	env, hc := api.start(t)
	base := hc.Transport
	hc.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		own, err := http.NewRequestWithContext(r.Context(), http.MethodGet, loginEnv.LoginURL, nil)
		if err != nil {
			return nil, err
		}
		resp, err := loginClient.Do(own)
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
		return base.RoundTrip(r)
	})
	err := methods()["POST"](t.Context(), NewCompanyClient(env, hc, 1, WithAttempts(1)))
	if login.opened.Load() != 2 || api.opened.Load() != 1 {
		t.Errorf("%v; %d of its own requests and %d for the call, want 2 and 1", err, login.opened.Load(), api.opened.Load())
	}
}
