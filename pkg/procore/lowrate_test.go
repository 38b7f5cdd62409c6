package procore

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// others answers as Procore does while other processes call for the same owner. They
// have used so many calls at the end of each window, or already at its begin.
func others(begin time.Time, length time.Duration, limit, used int, atOnce bool) func(int) http.Header {
	var mu sync.Mutex
	window, own := 0, 0
	return func(int) http.Header {
		mu.Lock()
		defer mu.Unlock()
		since := time.Since(begin)
		if n := int(since / length); n != window {
			window, own = n, 0
		}
		own++
		byOthers := used
		if !atOnce {
			byOthers = int(int64(used) * int64(since%length) / int64(length))
		}
		return left(limit, max(limit-own-byOthers, 0), begin.Add(time.Duration(window+1)*length))
	}
}

// A process that makes few calls does not wait while more calls are left than it has
// in flight, whatever other processes use.
func TestLowRateNeverWaits(t *testing.T) {
	t.Parallel()
	const events, calls = 60, 3
	for name, tt := range map[string]struct {
		length       time.Duration
		limit, used  int
		atOnce       bool
		every        time.Duration
		concurrently bool
	}{
		"others use two thirds of an hour":                      {time.Hour, 3600, 2400, false, time.Minute, false},
		"others use two thirds of an hour, calls side by side":  {time.Hour, 3600, 2400, false, time.Minute, true},
		"others have used all of an hour except these calls":    {time.Hour, 3600, 3600 - 1 - events*calls, true, 30 * time.Second, false},
		"others have used all except these calls, side by side": {time.Hour, 3600, 3600 - 1 - events*calls, true, 30 * time.Second, true},
		"others use two thirds of each spike window":            {10 * time.Second, 25, 16, false, 13 * time.Second, false},
		"others have used most of each spike window":            {10 * time.Second, 25, 25 - calls - 2, true, 10 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var slept atomic.Int64
				clock := Clock{Wait: func(ctx context.Context, d time.Duration) error {
					begin := time.Now()
					defer func() { slept.Add(int64(time.Since(begin))) }()
					return Clock{}.Sleep(ctx, d)
				}}
				m := &meter{takes: 200 * time.Millisecond, header: others(time.Now(), tt.length, tt.limit, tt.used, tt.atOnce)}
				c := NewCompanyClient(Sandbox(), &http.Client{Transport: m}, 1, WithClock(clock))
				call := func() {
					if _, err := c.Me(t.Context()); err != nil {
						t.Error(err)
					}
				}
				call() // what is left is unknown before
				for range events {
					var all sync.WaitGroup
					for range calls {
						if all.Go(call); !tt.concurrently {
							all.Wait()
						}
					}
					all.Wait()
					time.Sleep(tt.every)
				}
				if d := time.Duration(slept.Load()); d != 0 {
					t.Errorf("waited %v, %v an event, want not at all", d, d/events)
				}
			})
		})
	}
}
