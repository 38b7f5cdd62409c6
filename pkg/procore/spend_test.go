package procore

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// spend refreshes once, with an hour of time.
func spend(ctx context.Context, o *OAuth) (Token, error) {
	return o.Refresh(ctx, NewSecret(testRefresh), "http://127.0.0.1:3000/oauth/callback", time.Now().Add(time.Hour))
}

func TestSpendGood(t *testing.T) {
	t.Parallel()
	chunked := fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(testPair), testPair)
	for name, answer := range map[string]func(net.Conn){
		"whole":       responds(200, testPair),
		"chunked":     writes(chunked),
		"until close": func(c net.Conn) { writes("HTTP/1.0 200 OK\r\n\r\n" + testPair)(c); c.Close() },
		"after 1xx": func(c net.Conn) {
			writes("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")(c)
			responds(200, testPair)(c)
		},
		"after two 1xx": func(c net.Conn) {
			writes(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 2))(c)
			responds(200, testPair)(c)
		},
		"a long header":   responds(200, testPair, "X-Long: "+strings.Repeat("x", 30<<10)),
		"another follow":  func(c net.Conn) { responds(200, testPair)(c); responds(400, `{"error":"invalid_grant"}`)(c) },
		"created":         responds(201, testPair),
		"a pair with 500": responds(500, testPair),
		"over 64 KB":      responds(200, testPair+strings.Repeat(" ", maxTokenAnswer)),
		"truncated":       func(c net.Conn) { writes("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + testPair)(c); c.Close() },
		"gzip": func(c net.Conn) {
			var b strings.Builder
			w := gzip.NewWriter(&b)
			_, _ = w.Write([]byte(testPair))
			w.Close()
			responds(200, b.String(), "Content-Encoding: gzip")(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := listen(t, answer)
			got, err := spend(t.Context(), p.oauth())
			if err != nil || got.AccessToken.Reveal() != "fake-access-new" || got.RefreshToken.Reveal() != "fake-refresh-new" {
				t.Errorf("spend = %v, %v, want the new pair", got, err)
			}
			p.wants(t, 1)
		})
	}
}

// The request on the wire.
func TestSpendRequest(t *testing.T) {
	t.Parallel()
	p := listen(t, responds(200, testPair))
	if _, err := spend(t.Context(), p.oauth()); err != nil {
		t.Fatal(err)
	}
	r := p.requests[0]
	if got, want := r.proto, "http/1.1"; got != want {
		t.Errorf("ALPN = %q, want %q", got, want)
	}
	if got, want := r.Method+" "+r.URL.String(), "POST /oauth/token"; got != want {
		t.Errorf("request = %q, want %q: nothing of the form in the URL", got, want)
	}
	if !r.Close {
		t.Error("the connection is kept, want it closed")
	}
	for name, want := range map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json", "User-Agent": userAgent,
		"Authorization": "", "Accept-Encoding": "identity", "Expect": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"grant_type": "refresh_token", "refresh_token": testRefresh, "client_id": "fake-client-id", "client_secret": testSecret,
		"redirect_uri": "http://127.0.0.1:3000/oauth/callback",
	} {
		if got := r.form[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s = %q, want %q once", name, got, want)
		}
	}
	if got, want := len(r.form), 5; got != want {
		t.Errorf("the form has %d fields, want %d", got, want)
	}
}

// R1: whatever the server does after it has read the request, the value is not sent
// again, and its outcome is unknown.
func TestSpendUnusableAnswers(t *testing.T) {
	t.Parallel()
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	form := "client_secret=" + testSecret + "&refresh_token=" + testRefresh
	for name, answer := range map[string]func(net.Conn){
		"reset":                 closes(0),
		"closed":                closes(-1),
		"closed, TLS":           func(c net.Conn) { c.Close() },
		"closed after 1xx":      func(c net.Conn) { writes("HTTP/1.1 100 Continue\r\n\r\n")(c); c.Close() },
		"switching protocols":   func(c net.Conn) { writes("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")(c); c.Close() },
		"endless 1xx":           floods("HTTP/1.1 103 Early Hints\r\n\r\n"),
		"endless header":        func(c net.Conn) { writes(head)(c); floods("X-A: b\r\n")(c) },
		"endless line":          floods("HTTP/1.1 200 "),
		"endless body":          func(c net.Conn) { writes(head + "\r\n")(c); floods("      ")(c) },
		"endless chunks":        func(c net.Conn) { writes(head + "Transfer-Encoding: chunked\r\n\r\n")(c); floods("1\r\n \r\n")(c) },
		"over 64 KB":            responds(200, strings.Repeat(" ", maxTokenAnswer)+testPair),
		"truncated chunks":      func(c net.Conn) { writes(head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{}")(c); c.Close() },
		"truncated until close": func(c net.Conn) { writes(head + "\r\n" + testPair[:20])(c); closes(-1)(c) },
		"not HTTP":              floods("\x00\x01\x02\x03"),
		"HTTP/2 frames":         func(c net.Conn) { writes("\x00\x00\x12\x04" + strings.Repeat("\x00", 23))(c); c.Close() },
		"echoes as status line": func(c net.Conn) { writes(form + "\r\n\r\n")(c); c.Close() },
		"echoes as header":      func(c net.Conn) { writes(head + form + "\r\n\r\n")(c); c.Close() },
		"echoes as length":      writes(head + "Content-Length: " + form + "\r\n\r\n"),
		"echoes as encoding":    writes(head + "Transfer-Encoding: " + form + "\r\n\r\n"),
		"echoes as trailer": writes(head + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n" +
			"2\r\n{}\r\n0\r\n" + form + "\r\n\r\n"),
		"echoes as chunk": writes(head + "Transfer-Encoding: chunked\r\n\r\n" + form + "\r\n"),
		"echoes as body":  responds(200, form),
		"echoes as error": responds(400, `{"error":"`+testRefresh+`","error_description":"`+testRefresh+`"}`),
		"invalid_grant, cut": func(c net.Conn) {
			writes("HTTP/1.1 400 Bad Request\r\nContent-Length: 99\r\n\r\n" + `{"error":"invalid_grant"}`)(c)
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := listen(t, answer)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			got, err := spend(ctx, p.oauth())
			outcome(t, err, Unknown)
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error("the answer was read on and on")
			}
			if !got.AccessToken.IsZero() || !got.RefreshToken.IsZero() {
				t.Error("there is a token beside the error")
			}
			p.wants(t, 1)
			if connections, _ := p.got(); connections != 1 {
				t.Errorf("%d connections, want 1", connections)
			}
		})
	}
}

func TestSpendDoesNotFollowRedirects(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			other := listen(t, responds(200, testPair)) // it has the same certificate
			p := listen(t, responds(status, "", "Location: "+other.url+"/oauth/token"))
			_, err := spend(t.Context(), p.oauth())
			if e := outcome(t, err, Unknown); e.Status != status {
				t.Errorf("status = %d, want %d", e.Status, status)
			}
			p.wants(t, 1)
			other.wants(t, 0)
		})
	}
}

// The caller gives up after the server has the request and does not finish the answer.
func TestSpendCancelledAfterTheWrite(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]string{
		"no answer":     "",
		"half a header": "HTTP/1.1 200 OK\r\nContent-",
		"half a body":   "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + testPair[:20],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			p := listen(t, func(c net.Conn) { writes(part)(c); cancel() })
			_, err := spend(ctx, p.oauth())
			outcome(t, err, Unknown)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error = %v, want context.Canceled in it", err)
			}
			p.wants(t, 1)
		})
	}
}

// A server that never answers does not block a caller without a deadline.
func TestSpendTimesOut(t *testing.T) {
	t.Parallel()
	p := listen(t, func(net.Conn) {})
	s := sender{tls: p.oauth().TLS, proxy: noProxy, timeout: 3 * time.Second} // long enough for a handshake on a busy machine
	_, sent, err := s.post(t.Context(), p.url+"/oauth/token", nil)
	if !sent || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("post = sent %v, %v, want sent and context.DeadlineExceeded", sent, err)
	}
	p.wants(t, 1)
}

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }
