package procore

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// If something arrives before the request, nothing was spent, however the connection
// ended.
func TestConnectionEndsBeforeTheRequest(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *peer, raw net.Conn){
		"closed": func(_ *peer, raw net.Conn) { raw.Close() },
		"reset":  func(_ *peer, raw net.Conn) { raw.(*net.TCPConn).SetLinger(0); raw.Close() },
		"bytes":  func(_ *peer, raw net.Conn) { writes("HTTP/1.1 408 Request Timeout\r\n\r\n")(raw) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := listen(t, responds(200, testPair))
			c, err := p.oauth().Connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			p.mu.Lock()
			raw := p.raw
			p.mu.Unlock()
			end(p, raw)
			<-c.line.begun // the reader has noticed
			_, err = c.Refresh(t.Context(), NewSecret(testRefresh), OutOfBand, noDeadline)
			outcome(t, err, NotSent)
			p.wants(t, 0)
		})
	}
}

// A connection that is open for longer than a server may keep it is not used.
func TestConnectionIsOld(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]int{maxIdle: 1, maxIdle + time.Millisecond: 0} {
		p := listen(t, responds(200, testPair))
		o := p.oauth()
		begin := time.Now()
		var passed atomic.Int64
		o.Clock.Time = func() time.Time { return begin.Add(time.Duration(passed.Load())) }
		c, err := o.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		passed.Store(int64(age))
		_, err = c.Refresh(t.Context(), NewSecret(testRefresh), OutOfBand, noDeadline)
		if want == 0 {
			outcome(t, err, NotSent)
		} else if err != nil {
			t.Error(err)
		}
		p.wants(t, want)
		c.Close()
	}
}

// Connect fails if no connection can be made.
func TestConnectFails(t *testing.T) {
	t.Parallel()
	p := listen(t, responds(200, testPair))
	for _, login := range []string{"https://" + closedPort(t), "https://login.procore.invalid", "", "https://\x7f"} {
		_, err := at(p, login).Connect(t.Context())
		outcome(t, err, NotSent)
	}
}
