package procore

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A meter answers with rate-limit headers and records when it was called.
type meter struct {
	mu     sync.Mutex
	calls  []time.Time
	status int
	header func(n int) http.Header // of the n-th answer, from 1
	takes  time.Duration
}

func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	m.calls = append(m.calls, time.Now())
	n := len(m.calls)
	m.mu.Unlock()
	time.Sleep(m.takes)
	h := m.header(n)
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return response(r, max(m.status, 200), h, `{"id":1}`), nil
}

func left(limit, remaining int, reset time.Time) http.Header {
	return http.Header{"X-Rate-Limit-Limit": {strconv.Itoa(limit)}, "X-Rate-Limit-Remaining": {strconv.Itoa(remaining)},
		"X-Rate-Limit-Reset": {decimal(reset.Unix())}}
}

// The call after the last one waits for the next window if that begins soon enough.
// Otherwise it is not sent and fails like a refused one.
func TestUsedUp(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header   func(begin time.Time) http.Header
		maxWait  time.Duration
		deadline time.Duration
		wait     time.Duration
		refused  bool
	}{
		"some are left":       {header: func(b time.Time) http.Header { return left(25, 24, b.Add(10*time.Second)) }, maxWait: time.Minute},
		"nothing said":        {header: func(time.Time) http.Header { return http.Header{} }, maxWait: time.Minute},
		"garbage":             {header: func(time.Time) http.Header { return http.Header{"X-Rate-Limit-Remaining": {"none"}} }, maxWait: time.Minute},
		"a reset long ago":    {header: func(b time.Time) http.Header { return left(25, 0, b.Add(-time.Hour)) }, maxWait: time.Minute},
		"the spike's":         {header: func(b time.Time) http.Header { return left(25, 0, b.Add(10*time.Second)) }, maxWait: 12 * time.Second, wait: 11 * time.Second},
		"the spike's, short":  {header: func(b time.Time) http.Header { return left(25, 0, b.Add(10*time.Second)) }, maxWait: 5 * time.Second, refused: true},
		"the hour's":          {header: func(b time.Time) http.Header { return left(600, 0, b.Add(40*time.Minute)) }, maxWait: time.Minute, refused: true},
		"the hour's, long":    {header: func(b time.Time) http.Header { return left(600, 0, b.Add(40*time.Minute)) }, maxWait: time.Hour, wait: 40*time.Minute + time.Second},
		"beyond the deadline": {header: func(b time.Time) http.Header { return left(25, 0, b.Add(10*time.Second)) }, maxWait: time.Minute, deadline: 5 * time.Second, refused: true},
		"an absurd reset":     {header: func(b time.Time) http.Header { return left(25, 0, b.Add(1000*time.Hour)) }, maxWait: 2 * time.Hour, wait: time.Hour + time.Second},
		"no limit": {header: func(b time.Time) http.Header {
			h := left(0, 0, b.Add(10*time.Second))
			h.Del("X-Rate-Limit-Limit")
			return h
		}, maxWait: time.Minute, wait: 11 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				m := &meter{header: func(n int) http.Header {
					if n > 1 {
						return http.Header{}
					}
					return tt.header(begin)
				}}
				c := NewCompanyClient(Sandbox(), &http.Client{Transport: m}, 1, WithMaxWait(tt.maxWait), WithAttempts(1))
				if _, err := c.Me(t.Context()); err != nil {
					t.Fatal(err)
				}
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				// A write waits like a read.
				_, err := Post[any](ctx, c, "/rest/v1.0/x", nil, 1)
				rl, refused := errors.AsType[*RateLimitError](err)
				if refused != tt.refused || refused != (err != nil) || time.Since(begin) != tt.wait {
					t.Errorf("got %v after %v, want refused %t after %v", err, time.Since(begin), tt.refused, tt.wait)
				}
				if want := 2; !refused && len(m.calls) != want || refused && len(m.calls) != 1 {
					t.Errorf("got %d calls, refused %t", len(m.calls), refused)
				}
				if refused && (!errors.Is(err, ErrRateLimited) || rl.Reset.Before(begin) || rl.Answer.Path != "/rest/v1.0/x" || rl.Answer.CompanyID != 1) {
					t.Errorf("got %+v, %+v", rl, rl.Answer)
				}
			})
		})
	}
}

// The last quarter of a window is spread over its time: the calls slow down before
// nothing is left.
func TestSlowsDown(t *testing.T) {
	t.Parallel()
	for _, maxWait := range []time.Duration{time.Minute, math.MaxInt64} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			m := &meter{header: func(n int) http.Header { return left(20, 20-n, begin.Add(10*time.Second)) }}
			c := NewCompanyClient(Sandbox(), &http.Client{Transport: m}, 1, WithMaxWait(maxWait))
			for range 20 {
				if _, err := c.Me(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if fast := m.calls[15].Sub(begin); fast != 0 {
				t.Errorf("maxWait %v: the first 16 calls took %v, want none", maxWait, fast)
			}
			for i := 16; i < 20; i++ {
				if gap := m.calls[i].Sub(m.calls[i-1]); gap < time.Second || gap > 4*time.Second {
					t.Errorf("maxWait %v: call %d came %v after the one before, want one to four seconds", maxWait, i+1, gap)
				}
			}
			if last := m.calls[19].Sub(begin); last > 10*time.Second {
				t.Errorf("maxWait %v: the last call of the window came after %v", maxWait, last)
			}
		})
	}
}

// While calls are left, a call is slowed down within its maxWait and its context,
// however many are before it.
func TestSlowingDownEnds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		maxWait, deadline time.Duration
		calls             int
		took              time.Duration // by the last call, beside one with a long maxWait
	}{
		"no maxWait":                      {maxWait: 0, deadline: time.Hour, calls: 50, took: 0},
		"a second's":                      {maxWait: time.Second, deadline: time.Hour, calls: 50, took: time.Second},
		"longer than the wait":            {maxWait: time.Hour, deadline: time.Hour, calls: 1, took: 59 * time.Second},
		"the turn is after the deadline":  {maxWait: time.Hour, deadline: 10 * time.Second, calls: 50, took: 5 * time.Second},
		"the turn is just within maxWait": {maxWait: 59 * time.Second, deadline: 2 * time.Minute, calls: 5, took: 59 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				m := &meter{header: func(n int) http.Header { return left(600, 100-n, begin.Add(49*time.Minute)) }}
				hc, l := &http.Client{Transport: m}, new(Limits)
				client := func(maxWait time.Duration) *CompanyClient {
					return NewCompanyClient(Sandbox(), hc, 1, WithLimits(l, "user#1"), WithMaxWait(maxWait))
				}
				if _, err := client(0).Me(t.Context()); err != nil {
					t.Fatal(err)
				}
				var all sync.WaitGroup
				all.Go(func() { // holds the turn
					if _, err := client(time.Hour).Me(t.Context()); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
				defer cancel()
				for range tt.calls {
					all.Go(func() {
						if _, err := client(tt.maxWait).Me(ctx); err != nil || time.Since(begin) > tt.took {
							t.Errorf("got %v after %v, want it sent after %v", err, time.Since(begin), tt.took)
						}
					})
				}
				all.Wait()
				if got, want := len(m.calls), tt.calls+2; got != want {
					t.Errorf("%d calls were sent, want %d", got, want)
				}
			})
		})
	}
}

// A call that would be slowed down beyond its context is sent at once.
func TestSlowedBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		m := &meter{header: func(int) http.Header { return left(600, 99, begin.Add(50*time.Minute)) }}
		c := NewCompanyClient(Sandbox(), &http.Client{Transport: m}, 1)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			_, err := c.Me(ctx)
			cancel()
			if err != nil || time.Since(begin) != 0 {
				t.Fatalf("got %v after %v, want it sent at once", err, time.Since(begin))
			}
		}
	})
}

// The first call of a process is sent alone. If its answer takes long, other calls do
// not wait for it without end.
func TestFirstCallAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		m := &meter{takes: 2500 * time.Millisecond, header: func(n int) http.Header { return left(25, 25-n, begin.Add(10*time.Second)) }}
		c := NewCompanyClient(Sandbox(), &http.Client{Transport: m}, 1)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := c.Me(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		var got [3]time.Duration
		for i := range got {
			got[i] = m.calls[i].Sub(begin)
		}
		if want := [3]time.Duration{0, time.Second, 2 * time.Second}; got != want {
			t.Errorf("the first calls came after %v, want %v", got, want)
		}
	})
}

// Clients share by Limits, environment and owner, and nothing else.
func TestWithLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		m := &meter{header: func(int) http.Header { return left(25, 0, begin.Add(40*time.Minute)) }}
		hc, l := &http.Client{Transport: m}, new(Limits)
		if _, err := NewCompanyClient(Sandbox(), hc, 1, WithLimits(l, "user#1")).Me(t.Context()); err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			c      *CompanyClient
			shares bool
		}{
			"same owner":          {NewCompanyClient(Sandbox(), hc, 2, WithLimits(l, "user#1")), true},
			"another owner":       {NewCompanyClient(Sandbox(), hc, 1, WithLimits(l, "user#2")), false},
			"another environment": {NewCompanyClient(Production(), hc, 1, WithLimits(l, "user#1")), false},
			"other limits":        {NewCompanyClient(Sandbox(), hc, 1, WithLimits(new(Limits), "user#1")), false},
			"no limits":           {NewCompanyClient(Sandbox(), hc, 1), false},
		} {
			if _, err := tt.c.Me(t.Context()); errors.Is(err, ErrRateLimited) != tt.shares {
				t.Errorf("%s: got %v, want refused %t", name, err, tt.shares)
			}
		}
	})
}

// Owners are forgotten when their windows are over.
func TestLimitsAreBounded(t *testing.T) {
	t.Parallel()
	var l Limits
	now := time.Now()
	busy := l.pacer("busy", now)
	busy.hour = window{limit: 1, used: 1, end: now.Add(time.Hour)}
	for i := range 3 * maxOwners {
		l.pacer(strconv.Itoa(i), now)
	}
	if n := len(l.owners); n > maxOwners {
		t.Errorf("%d owners are remembered", n)
	}
	if l.pacer("busy", now) != busy {
		t.Error("an owner without calls left was forgotten")
	}
}

// A wait ends with its caller, for queued calls too, and leaves nothing behind.
func TestWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		m := &meter{header: func(n int) http.Header { return left(25, 0, begin.Add(30*time.Second)) }}
		c := NewCompanyClient(Sandbox(), &http.Client{Transport: m}, 1)
		if _, err := c.Me(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := c.Me(ctx); !errors.Is(err, context.Canceled) || time.Since(begin) != time.Second {
					t.Errorf("got %v after %v", err, time.Since(begin))
				}
			})
		}
		all.Wait()
		m.header = func(int) http.Header { return http.Header{} }
		if _, err := c.Me(t.Context()); err != nil || time.Since(begin) != 31*time.Second || len(m.calls) != 2 {
			t.Errorf("got %v after %v and %d calls", err, time.Since(begin), len(m.calls))
		}
	})
}

// A refusal of one goroutine's call delays those of other goroutines, by Retry-After
// too.
func TestRefusalHoldsAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		m := &meter{status: 429, header: func(int) http.Header { return http.Header{"Retry-After": {"20"}} }}
		c := NewCompanyClient(Sandbox(), &http.Client{Transport: m}, 1, WithAttempts(1))
		if _, err := c.Me(t.Context()); !errors.Is(err, ErrRateLimited) {
			t.Fatal(err)
		}
		m.status = 200
		if _, err := c.Me(t.Context()); err != nil || time.Since(begin) != 20*time.Second {
			t.Errorf("got %v after %v, want 20s", err, time.Since(begin))
		}
	})
}

// Calls that were never sent do not use up a window.
func TestUnsentCallsAreNotCounted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for sent, want := range map[bool]bool{false: false, true: true} {
		l := newPacer()
		l.hour = window{limit: 600, used: 590, end: now.Add(time.Hour)}
		for range 20 {
			l.inFlight++
			l.leave(nil, sent, now)
		}
		if got := l.hold(now).usedUp; got != want {
			t.Errorf("sent %t: used up %t, want %t", sent, got, want)
		}
	}
}

// A call is slowed down no longer than its maxWait, and is never sent where nothing is
// left.
func TestMaxWaitDoesNotPassAUsedUpWindow(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newPacer()
	l.lastSent, l.reportedUntil = now, now.Add(time.Hour)
	l.hour = window{limit: 600, used: 599, end: now.Add(time.Hour)}
	soft := now.Add(5 * time.Second)
	s := slowdown{soft: soft, end: now.Add(time.Hour)}
	if until, _ := l.pass(now, s); !until.Equal(soft) {
		t.Errorf("slowed down until %v, want %v", until, soft)
	}
	l.spike = window{limit: 25, used: 25, end: now.Add(8 * time.Second)}
	if until, _ := l.pass(now, s); !until.Equal(l.spike.end) {
		t.Errorf("held until %v, want %v", until, l.spike.end)
	}
}

// Whatever the headers say, a call is held for an hour at most.
func FuzzReported(f *testing.F) {
	f.Add("25", "24", "1466182247", "Fri, 17 Jun 2016 16:50:37 GMT", 200)
	f.Add("600", "0", "1466182244", "", 429)
	f.Add("-1", "-1", "-1", "x", 503)
	f.Add("9223372036854775807", "9223372036854775807", "9223372036854775807", "Mon, 01 Jan 0001 00:00:00 GMT", 200)
	f.Fuzz(func(t *testing.T, limit, remaining, reset, date string, status int) {
		now := time.Unix(1466182240, 0)
		h := http.Header{"X-Rate-Limit-Limit": {limit}, "X-Rate-Limit-Remaining": {remaining}, "X-Rate-Limit-Reset": {reset}, "Date": {date}}
		l := newPacer()
		for i := range 3 {
			l.inFlight++
			l.lastSent = now
			l.leave(response(nil, status, h, ""), true, now)
			if w, ok := windowOf(response(nil, status, h, ""), now); ok && (w.used < 0 || w.used > w.limit) {
				t.Fatalf("used %d of %d", w.used, w.limit)
			}
			if h := l.hold(now); max(h.until.Sub(now), h.slower.Sub(now)) > hourWindow+2*time.Second {
				t.Fatalf("held until %v, %v", h.until, h.slower)
			}
			now = now.Add(time.Duration(i) * 20 * time.Second)
		}
		if l.inFlight != 0 {
			t.Fatal("a call is in flight for ever")
		}
	})
}
