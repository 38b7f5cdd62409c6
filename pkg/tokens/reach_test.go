package tokens

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procoretest"
)

// What fails on the way to the token endpoint fails before the claim, and then
// at once for a while.
func TestUnreachableClaimsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	before := w.row(p)
	w.clock.Advance(2 * time.Hour)
	dials, down := 0, true
	w.oauth.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; down {
			return nil, errors.New("no route to host")
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	s := w.store()
	for _, step := range []struct {
		passed time.Duration // since the last call
		dials  int           // so far
	}{{0, 1}, {0, 1}, {time.Second, 2}, {time.Second, 2}, {time.Second, 3}, {4 * time.Second, 4}, {time.Hour, 5}} {
		w.clock.Advance(step.passed)
		if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
		if dials != step.dials {
			t.Errorf("got %d connections after %v, want %d", dials, step.passed, step.dials)
		}
	}
	if after := w.row(p); after.Rev != before.Rev {
		t.Errorf("the row was written %d times, want none", after.Rev-before.Rev)
	}
	w.clock.Advance(maxUnreachable)
	down = false
	if _, err := s.Token(t.Context(), p); err != nil {
		t.Error(err)
	}
	w.clock.Advance(2 * time.Hour)
	down = true
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	dials = 0
	w.clock.Advance(minUnreachable)
	if _, _ = s.Token(t.Context(), p); dials != 1 {
		t.Errorf("after a success the pause is as long as before: %d connections, want 1", dials)
	}
}

// A server that closes the idle connection between connect and claim: nothing was sent,
// and the claim is released.
func TestConnectionClosedBeforeTheClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	closed := make(chan struct{})
	w.oauth.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &closedConn{Conn: conn, closed: sync.OnceFunc(func() { close(closed) })}, err
	}
	w.fault("", procoretest.Fault{Kind: procoretest.Hangup})
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "TransactWriteItems" {
			<-closed // the server closes it before the claim is taken
		}
		return dynamotest.Fault{}
	})
	s := w.store()
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	if got := w.row(p); got.State != Active || got.claimed() || len(w.spends()) != 0 {
		t.Errorf("got %s, claimed %t, %d tokens in the ledger; want active, free, none", got.State, got.claimed(), len(w.spends()))
	}
	w.atRest()
	if _, err := s.Token(t.Context(), p); err != nil {
		t.Errorf("the next attempt: %v", err)
	}
	if got := w.presented(); got != 1 {
		t.Errorf("%d tokens were sent, want 1", got)
	}
}

// closedConn reports when its peer has closed the connection.
type closedConn struct {
	net.Conn
	closed func()
}

func (c *closedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.closed()
	}
	return n, err
}

// An access token that expires while its refresh fails is not returned.
func TestTokenExpiresDuringItsRefresh(t *testing.T) {
	t.Parallel()
	for _, took := range []time.Duration{time.Second, 4 * time.Second} {
		w := newWorld(t)
		p := w.authorize(w.store()).Principal
		w.clock.Advance(90*time.Minute - 2*time.Second)
		w.oauth.Dial = func(context.Context, string, string) (net.Conn, error) {
			w.clock.Advance(took)
			return nil, errors.New("no route to host")
		}
		_, err := w.store().Token(t.Context(), p)
		if valid := took < 2*time.Second; valid != (err == nil) || !valid && !errors.Is(err, ErrTryAgain) {
			t.Errorf("after %v: got error %v, want none: %t", took, err, valid)
		}
	}
}
