package procore

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
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

// At most as many calls are in flight as are left.
func TestInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		m := &meter{takes: time.Second, header: func(n int) http.Header { return left(25, max(4-n, 0), begin.Add(10*time.Second)) }}
		c := NewCompanyClient(Sandbox(), &http.Client{Transport: m}, 1)
		if _, err := c.Me(t.Context()); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := c.Me(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		var got []time.Duration
		for _, at := range m.calls[1:] {
			got = append(got, at.Sub(begin))
		}
		want := []time.Duration{time.Second, time.Second, time.Second, 11 * time.Second}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("sent after (-want +got):\n%s", diff)
		}
	})
}

// After a refusal fewer calls are in flight. Calls one after the other still do not
// wait while one is left.
func TestInFlightAfterARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		m := &meter{takes: time.Second, status: 429, header: func(n int) http.Header { return left(25, 0, begin.Add(2*time.Second)) }}
		c := NewCompanyClient(Sandbox(), &http.Client{Transport: m}, 1, WithAttempts(1))
		if _, err := c.Me(t.Context()); !errors.Is(err, ErrRateLimited) {
			t.Fatal(err)
		}
		m.status, m.header = 200, func(n int) http.Header { return left(25, 14-n, begin.Add(12*time.Second)) }
		var all sync.WaitGroup
		for _, calls := range []int{1, 6, 1, 1, 1, 1, 1} { // 12 are left after the first one
			for range calls {
				all.Go(func() {
					if _, err := c.Me(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		var got []time.Duration
		for _, at := range m.calls {
			got = append(got, at.Sub(begin)/time.Second)
		}
		want := []time.Duration{0, 3, 4, 4, 4, 5, 5, 5, 6, 7, 8, 9, 10}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("sent after so many seconds (-want +got):\n%s", diff)
		}
	})
}

// A server that reports no limits is not called one at a time. One that fails may
// report them later.
func TestUnreportedLimits(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]time.Duration{200: 200 * time.Millisecond, 404: 200 * time.Millisecond, 500: 400 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			m := &meter{status: status, takes: 200 * time.Millisecond, header: func(int) http.Header { return http.Header{} }}
			c := NewCompanyClient(Sandbox(), &http.Client{Transport: m}, 1, WithAttempts(1))
			_, _ = c.Me(t.Context())
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() { _, _ = c.Me(t.Context()) })
			}
			all.Wait()
			if got := m.calls[2].Sub(begin); got != want || len(m.calls) != 4 {
				t.Errorf("%d: the third of %d calls was sent after %v, want %v", status, len(m.calls), got, want)
			}
		})
	}
}

// A queued call fails as soon as it is known that it would have to wait for too long,
// although the call before it waits.
func TestQueuedCallFailsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		m := &meter{takes: time.Second / 2, header: func(int) http.Header { return left(600, 0, begin.Add(40*time.Minute)) }}
		hc, l := &http.Client{Transport: m}, new(Limits)
		var all sync.WaitGroup
		for _, tt := range []struct {
			maxWait, deadline, took time.Duration
			refused                 bool
		}{
			{time.Hour, time.Hour, time.Second / 2, false},
			{time.Hour, time.Hour, 40*time.Minute + 2*time.Second, false},
			{time.Minute, time.Hour, time.Second / 2, true},
			{time.Hour, time.Minute, time.Second / 2, true},
		} {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
				defer cancel()
				c := NewCompanyClient(Sandbox(), hc, 1, WithLimits(l, "user#1"), WithMaxWait(tt.maxWait))
				if _, err := c.Me(ctx); errors.Is(err, ErrRateLimited) != tt.refused || time.Since(begin) != tt.took {
					t.Errorf("got %v after %v, want refused %t after %v", err, time.Since(begin), tt.refused, tt.took)
				}
			})
			synctest.Wait()
		}
		all.Wait()
	})
}

// A clock that is set back does not make a call wait for longer.
func TestClockIsSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		clock := Clock{Time: func() time.Time {
			if time.Since(begin) > 5*time.Second {
				return time.Now().Add(-time.Hour)
			}
			return time.Now()
		}}
		m := &meter{header: func(n int) http.Header { return left(25, n-1, begin.Add(10*time.Duration(n)*time.Second)) }}
		c := NewCompanyClient(Sandbox(), &http.Client{Transport: m}, 1, WithClock(clock))
		for range 2 {
			if _, err := c.Me(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took != 11*time.Second {
			t.Errorf("the second call was sent after %v, want 11s", took)
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
		synctest.Wait()
		all.Go(func() { // behind them
			if _, err := c.Me(t.Context()); err != nil || time.Since(begin) != 31*time.Second || len(m.calls) != 2 {
				t.Errorf("got %v after %v and %d calls", err, time.Since(begin), len(m.calls))
			}
		})
		all.Wait()
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
		l := &pacer{hour: window{limit: 600, used: 590, end: now.Add(time.Hour)}}
		for range 20 {
			l.inFlight++
			l.leave(nil, sent, now)
		}
		if next, _ := l.next(0); next.After(now) != want {
			t.Errorf("sent %t: the next window begins at %v, want used up %t", sent, next, want)
		}
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
		l := new(pacer)
		for i := range 3 {
			l.inFlight++
			l.lastSent = now
			l.leave(response(nil, status, h, ""), true, now)
			if w, ok := windowOf(response(nil, status, h, ""), now); ok && (w.used < 0 || w.used > w.limit) {
				t.Fatalf("used %d of %d", w.used, w.limit)
			}
			if next, _ := l.next(maxLimit); next.Sub(now) > hourWindow+2*time.Second {
				t.Fatalf("held until %v", next)
			}
			now = now.Add(time.Duration(i) * 20 * time.Second)
		}
		if l.inFlight != 0 {
			t.Fatal("a call is in flight for ever")
		}
	})
}
