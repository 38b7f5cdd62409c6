package procore

import (
	"net/http"
	"testing"
	"time"
)

// Answers overtake each other, and the resets of one window may differ by a second if the
// server computes them from the time left.
func TestMerge(t *testing.T) {
	t.Parallel()
	now := time.Unix(1466182240, 0)
	const reset = 1466182250
	have := window{limit: 25, used: 5, reset: reset, end: now.Add(10 * time.Second)}
	tests := []struct {
		name string
		said window
		at   time.Duration // after now
		used int
		end  time.Duration
		over bool
	}{
		{"more", window{limit: 25, used: 7, reset: reset, end: now.Add(10 * time.Second)}, 0, 7, 10 * time.Second, false},
		{"overtaken", window{limit: 25, used: 3, reset: reset, end: now.Add(10 * time.Second)}, 0, 5, 10 * time.Second, false},
		{"ends earlier", window{limit: 25, used: 6, reset: reset, end: now.Add(9 * time.Second)}, 0, 6, 9 * time.Second, false},
		{"ends later", window{limit: 25, used: 6, reset: reset, end: now.Add(11 * time.Second)}, 0, 6, 10 * time.Second, false},
		{"a second more", window{limit: 25, used: 4, reset: reset + 1, end: now.Add(11 * time.Second)}, 0, 5, 10 * time.Second, false},
		{"a second less", window{limit: 25, used: 4, reset: reset - 1, end: now.Add(11 * time.Second)}, 0, 5, 10 * time.Second, false},
		{"the window before", window{limit: 25, used: 25, reset: reset - 10, end: now.Add(time.Second)}, 0, 5, 10 * time.Second, true},
		{"the next window", window{limit: 30, used: 1, reset: reset + 10, end: now.Add(20 * time.Second)}, 0, 1, 20 * time.Second, false},
		{"the same name, after its end", window{limit: 25, used: 1, reset: reset, end: now.Add(30 * time.Second)}, 11 * time.Second, 1, 30 * time.Second, false},
		{"long after", window{limit: 25, used: 1, reset: reset + 1000, end: now.Add(1010 * time.Second)}, 1000 * time.Second, 1, 1010 * time.Second, false},
	}
	for _, tt := range tests {
		got := have
		if ok := got.merge(tt.said, now.Add(tt.at)); ok == tt.over {
			t.Errorf("%s: merged %t", tt.name, ok)
		}
		if got.used != tt.used || !got.end.Equal(now.Add(tt.end)) {
			t.Errorf("%s: got used %d, end after %v, want %d, %v", tt.name, got.used, got.end.Sub(now), tt.used, tt.end)
		}
	}
}

// The time to the reset is measured by Procore's clock, whatever the local clock shows.
// Without a Date there is only the local clock.
func TestReportedByTheDate(t *testing.T) {
	t.Parallel()
	reset := time.Unix(1466182250, 0)
	h := left(25, 3, reset)
	for _, wrong := range []time.Duration{-48 * time.Hour, 0, time.Minute, 48 * time.Hour} {
		now := reset.Add(-10 * time.Second).Add(wrong)
		h.Set("Date", reset.Add(-10*time.Second).UTC().Format(http.TimeFormat))
		if w, ok := windowOf(response(nil, 200, h, ""), now); !ok || w.end.Sub(now) != 11*time.Second || w.used != 22 {
			t.Errorf("a clock %v off: got %+v, %t", wrong, w, ok)
		}
		h.Del("Date")
		if w, ok := windowOf(response(nil, 200, h, ""), now); ok != (wrong <= 0) || ok && w.end.Sub(now) != min(10*time.Second-wrong, time.Hour)+time.Second {
			t.Errorf("a clock %v off, no Date: got %+v, %t", wrong, w, ok)
		}
	}
	if w, ok := windowOf(response(nil, 429, left(25, 24, reset), ""), reset.Add(-time.Second)); !ok || w.used != w.limit {
		t.Errorf("a refusal with some left: got %+v, %t, want none left", w, ok)
	}
	if w, ok := windowOf(response(nil, 200, left(0, 0, reset), ""), reset.Add(-time.Second)); ok {
		t.Errorf("a limit of 0: got %+v, want no window, because the call was answered", w)
	}
}

// Each call counts in both windows, although its answer describes one.
func TestBothWindowsCount(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := &pacer{hour: window{limit: 600, used: 598, reset: now.Add(time.Hour).Unix(), end: now.Add(time.Hour)}}
	for n := range 2 {
		l.inFlight++
		l.leave(response(nil, 200, left(25, 24-n, now.Add(10*time.Second)), ""), true, now)
	}
	if next, limit := l.next(0); !next.Equal(l.hour.end) || limit != 600 || l.spike.used != 2 {
		t.Errorf("the next window of %d begins at %v, and %d of the spike are used; want the hour used up", limit, next, l.spike.used)
	}
}

// The windows may reset at the same time. They are not mistaken for each other.
func TestWindowsThatResetTogether(t *testing.T) {
	t.Parallel()
	now := time.Unix(1466182240, 0)
	reset := now.Add(9 * time.Second)
	l := &pacer{hour: window{limit: 600, used: 580, reset: reset.Unix(), end: reset.Add(time.Second)}}
	for _, answer := range []http.Header{left(25, 14, reset), left(600, 13, reset), left(25, 12, reset)} {
		l.inFlight++
		l.leave(response(nil, 200, answer, ""), true, now)
	}
	if l.spike.used != 13 || l.hour.used != 588 {
		t.Errorf("got %d of the spike and %d of the hour used, want 13 and 588", l.spike.used, l.hour.used)
	}
}

// A limit of 0 is no limit, and delays no call. A refusal is one, whatever its limit.
func TestNoLimit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		limit, remaining string
		status           int
		want             bool
	}{
		{"0", "0", 200, false}, {"0", "600", 200, false}, {"-1", "0", 200, false}, {"0", "0", 404, false}, {"0", "", 200, false}, {"", "", 200, false},
		{"600", "0", 200, true}, {"", "0", 200, true}, {"unlimited", "5", 200, true}, {"0", "0", 429, true},
	} {
		h := left(600, 0, now.Add(time.Hour))
		h.Set("X-Rate-Limit-Limit", tt.limit)
		h.Set("X-Rate-Limit-Remaining", tt.remaining)
		p := new(pacer)
		p.inFlight++
		p.leave(response(nil, tt.status, h, ""), true, now)
		if _, ok := windowOf(response(nil, tt.status, h, ""), now); ok != tt.want {
			t.Errorf("limit %q, remaining %q, status %d: a window %t, want %t", tt.limit, tt.remaining, tt.status, ok, tt.want)
		}
		if next, _ := p.next(0); !tt.want && next.After(now) {
			t.Errorf("limit %q, remaining %q: the next call waits until %v", tt.limit, tt.remaining, next)
		}
	}
}
