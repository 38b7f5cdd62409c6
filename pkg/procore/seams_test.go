package procore

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The monotonic clock stops while a Lambda sandbox is frozen: by it a token would be
// taken from memory for days, and its connection's state not read again.
func TestClockHasNoMonotonicReading(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Clock{"machine": {}, "own": {Time: time.Now}} {
		if got := c.Now(); strings.Contains(got.String(), "m=") {
			t.Errorf("%s: now is %v, want the wall clock's alone", name, got)
		}
	}
}

func TestClockSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := (Clock{}).Sleep(t.Context(), time.Minute); err != nil || time.Since(start) != time.Minute {
			t.Errorf("slept %v, %v; want a minute", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errReset)
		defer cancel()
		start = time.Now()
		if err := (Clock{}).Sleep(ctx, time.Minute); !errors.Is(err, errReset) || time.Since(start) != time.Second {
			t.Errorf("slept %v, %v; want a second and the context's cause", time.Since(start), err)
		}
	})
	own := Clock{Wait: func(context.Context, time.Duration) error { return errReset }}
	if err := own.Sleep(t.Context(), time.Hour); !errors.Is(err, errReset) {
		t.Errorf("got %v, want what the own Wait returns", err)
	}
}

func TestTimeLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if _, ok := TimeLeft(t.Context()); ok {
			t.Error("a context without a deadline has one")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if left, ok := TimeLeft(ctx); !ok || left != time.Minute {
			t.Errorf("got %v, %t; want a minute", left, ok)
		}
	})
}

// Of its own source a Random makes texts and jitter that follow from what was read.
func TestRandom(t *testing.T) {
	t.Parallel()
	own := Random{Read: func(p []byte) {
		clear(p)
		binary.LittleEndian.PutUint64(p, 33)
	}}
	if got, want := own.Text(), "B"+strings.Repeat("A", 25); got != want {
		t.Errorf("got text %q, want %q", got, want)
	}
	if got := own.Jitter(10); got != 6 {
		t.Errorf("got jitter %d, want 6", got)
	}
	seen := map[string]bool{}
	for range 100 {
		text, jitter := Random{}.Text(), Random{}.Jitter(2)
		if len(text) != 26 || seen[text] || jitter < 0 || jitter > 1 {
			t.Errorf("got %q and %d, want 26 new characters and 0 or 1", text, jitter)
		}
		seen[text] = true
	}
}

// API calls and token requests go through the app's Dial.
func TestDialOpensEveryConnection(t *testing.T) {
	t.Parallel()
	p := listen(t, responds(200, testPair))
	app := p.oauth()
	var dialled []string
	app.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return nil, errReset
	}
	app.Environment.APIURL = "https://api.example.com"
	if _, err := app.ClientCredentials(t.Context()); !errors.Is(err, errReset) {
		t.Errorf("token: got %v, want the error of Dial", err)
	}
	c := NewCompanyClient(app.Environment, nil, 1, WithAttempts(1))
	c.api.http.Transport = app.Dial.Transport()
	if _, err := Get[any](t.Context(), c, "/rest/v1.0/x", nil); !errors.Is(err, errReset) {
		t.Errorf("call: got %v, want the error of Dial", err)
	}
	if len(dialled) != 2 || dialled[1] != "api.example.com:443" {
		t.Errorf("dialled %q, want the token endpoint and the API", dialled)
	}
}
