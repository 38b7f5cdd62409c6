package procore

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxIdle is how old a connection may be when the request begins. No server closes an
// idle connection sooner than after seconds.
const maxIdle = 2 * time.Second

// The reasons why a request was not sent.
var (
	// errTooLate means that its time was over, as after a Lambda was frozen between the
	// claim and the request.
	errTooLate = errors.New("the time to send had passed")
	errIdle    = errors.New("the connection was open for too long")
	errEarly   = errors.New("the server closed the connection, or sent something, before the request")
)

// An answer is one complete response of the token endpoint.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	received time.Time
}

// A line is an open connection for one request. Its reader waits from the start, so a
// connection that the server has closed is found before the request, not after it.
type line struct {
	net.Conn
	fence  *fence
	opened time.Time
	reader *bufio.Reader
	begun  chan struct{} // closed when the wait for the answer's first byte ended,
	end    error         // with this
}

func newLine(c net.Conn, f *fence) *line {
	l := &line{Conn: c, fence: f, opened: f.clock.Now(), begun: make(chan struct{}),
		reader: bufio.NewReader(io.LimitReader(c, maxTokenHeaders+maxTokenAnswer))}
	go func() {
		defer close(l.begun)
		_, l.end = l.reader.Peek(1)
	}()
	return l
}

// send writes the request and reads the answer. sent is false only if no byte of
// the request can have reached the server. The first byte is not written after
// notAfter, by the wall clock.
func (l *line) send(ctx context.Context, req *http.Request, notAfter time.Time) (a answer, sent bool, err error) {
	req = req.WithContext(ctx)
	request, err := requestBytes(req)
	if err != nil {
		return answer{}, false, err
	}
	defer closeOnDone(ctx, l.Conn)()
	if l.fence.clock.Now().Sub(l.opened) > maxIdle {
		return answer{}, false, errIdle
	}
	if err := ctx.Err(); err != nil {
		return answer{}, false, err
	}
	select {
	case <-l.begun:
		return answer{}, false, errEarly
	default:
	}
	l.fence.arm(notAfter)
	if _, err := l.Conn.Write(request); err != nil {
		return answer{}, l.fence.passed(), withContext(ctx, err)
	}
	if <-l.begun; l.end != nil {
		return answer{}, true, withContext(ctx, readError(l.end))
	}
	a, err = l.read(req)
	return a, true, withContext(ctx, err)
}

// requestBytes returns the request as it is sent.
func requestBytes(req *http.Request) ([]byte, error) {
	req.GetBody = nil
	req.Close = true
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", userAgent)
	var b bytes.Buffer
	err := req.Write(&b)
	return b.Bytes(), err
}

// A fence checks the wall clock at the last moment: below TLS, inside the
// request's first Write.
type fence struct {
	net.Conn
	clock Clock

	mu       sync.Mutex // TLS may write from the reader's goroutine too
	notAfter time.Time  // zero: the request has not begun
	crossed  bool       // a byte of the request may have left
}

// arm begins the request.
func (f *fence) arm(notAfter time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notAfter = notAfter.Round(0)
}

// passed reports whether a byte of the request may have left.
func (f *fence) passed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crossed
}

func (f *fence) pass() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.notAfter.IsZero() || f.crossed {
		return nil
	}
	if !f.clock.Now().Before(f.notAfter) {
		return errTooLate
	}
	f.crossed = true
	return nil
}

func (f *fence) Write(b []byte) (int, error) {
	if err := f.pass(); err != nil {
		return 0, err
	}
	return f.Conn.Write(b)
}

// read reads the complete final response, up to a limit.
func (l *line) read(req *http.Request) (answer, error) {
	for {
		resp, err := http.ReadResponse(l.reader, req)
		if err != nil {
			return answer{}, readError(err)
		}
		a := answer{status: resp.StatusCode, header: resp.Header, received: l.fence.clock.Now()}
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

// readError returns an error of the network and hides net/http's error for a malformed
// answer, which quotes the answer and so may repeat what was sent.
func readError(err error) error {
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return errors.New("the answer is not HTTP/1.1")
}

// closeOnDone makes the connection's reads and writes end with ctx, until the returned
// function is called.
func closeOnDone(ctx context.Context, conn net.Conn) func() {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

// withContext returns the context's cause instead of the timeout that it caused.
func withContext(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
