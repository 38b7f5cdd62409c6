package procore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A Lambda may be frozen anywhere, so the clock is checked once the connection is open.
func TestSpendChecksTheClockLast(t *testing.T) {
	t.Parallel()
	start := time.Now()
	limit := start.Add(10 * time.Second)
	for name, tt := range map[string]struct {
		now  time.Time
		want int
	}{
		"in time":         {limit.Add(-time.Nanosecond), 1},
		"on the limit":    {limit, 0},
		"an hour frozen":  {start.Add(time.Hour), 0},
		"without reading": {start.Round(0).Add(time.Hour), 0}, // of the monotonic clock
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var frozen atomic.Bool
			p := listen(t, responds(200, testPair))
			p.hello = func() { frozen.Store(true) }
			o := p.oauth()
			o.Clock.Time = func() time.Time {
				if frozen.Load() {
					return tt.now
				}
				return start
			}
			_, err := o.Refresh(t.Context(), NewSecret(testRefresh), OutOfBand, limit)
			if tt.want == 0 {
				outcome(t, err, NotSent)
			} else if err != nil {
				t.Error(err)
			}
			p.wants(t, tt.want)
		})
	}
}

// A write that fails may have sent something.
func TestSpendWriteFails(t *testing.T) {
	t.Parallel()
	p := listen(t, responds(200, testPair))
	o := p.oauth()
	asked := 0
	o.Clock.Time = func() time.Time { // is asked the third time inside the write
		if asked++; asked == 3 {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.raw.(*net.TCPConn).SetLinger(0)
			p.raw.Close()
		}
		return time.Now()
	}
	_, err := spend(t.Context(), o)
	outcome(t, err, Unknown)
	p.wants(t, 0)
}

func TestSpendNotSent(t *testing.T) {
	t.Parallel()
	p := listen(t, responds(200, testPair))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	untrusted := p.oauth()
	untrusted.TLS = nil
	old := p.oauth()
	old.TLS.MinVersion, old.TLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	for name, tt := range map[string]struct {
		ctx   context.Context
		oauth *OAuth
	}{
		"cancelled before":      {cancelled, p.oauth()},
		"untrusted certificate": {t.Context(), untrusted},
		"old TLS":               {t.Context(), old},
		"refused":               {t.Context(), at(p, "https://"+closedPort(t))},
		"unknown name":          {t.Context(), at(p, "https://login.procore.invalid")},
		"other name":            {t.Context(), at(p, strings.Replace(p.url, "127.0.0.1", "localhost", 1))},
		"not TLS":               {t.Context(), at(p, "https://"+accept(t, func(c net.Conn) { writes("HTTP/1.1 400 Bad\r\n\r\n")(c) }))},
		"closed in handshake":   {t.Context(), at(p, "https://"+accept(t, func(net.Conn) {}))},
		"no URL":                {t.Context(), at(p, "https://\x7f:"+testSecret)},
		"no environment":        {t.Context(), at(p, "")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := spend(tt.ctx, tt.oauth)
			if e := outcome(t, err, NotSent); e.Status != 0 || e.Code != "" {
				t.Errorf("status %d %q, want none", e.Status, e.Code)
			}
			p.wants(t, 0)
		})
	}
}

// A handshake that hangs ends with the context, and nothing was sent.
func TestSpendCancelledInTheHandshake(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	silent := accept(t, func(c net.Conn) {
		cancel()
		_, _ = c.Read(make([]byte, 10<<10))
		_, _ = c.Read(make([]byte, 1)) // until it is closed
	})
	o := &OAuth{Environment: Environment{LoginURL: "https://" + silent}, ClientSecret: NewSecret(testSecret)}
	_, err := spend(ctx, o)
	outcome(t, err, NotSent)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled in it", err)
	}
}

// at returns the OAuth of a peer at another address.
func at(p *peer, login string) *OAuth {
	o := p.oauth()
	o.Environment.LoginURL = login
	return o
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
