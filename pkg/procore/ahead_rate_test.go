package procore_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// A crowd is a Transport that counts how many calls are in flight.
type crowd struct {
	base         http.RoundTripper
	mu           sync.Mutex
	flying, most int
}

func (c *crowd) RoundTrip(r *http.Request) (*http.Response, error) {
	c.add(1)
	defer c.add(-1)
	return c.base.RoundTrip(r)
}

func (c *crowd) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flying += n
	c.most = max(c.most, c.flying)
}

// 2,000 companies, a hundred to a page: the nineteen pages after the first one take one call
// time, and more if the rate limit leaves few calls. None is refused.
func TestReadAheadWithinTheRateLimit(t *testing.T) {
	t.Parallel()
	const callTime = 150 * time.Millisecond
	ahead := []procore.Option{procore.WithReadAhead(2000)}
	for name, tt := range map[string]struct {
		limit, before int // calls in 10 seconds, and those that were made already
		options       []procore.Option
		took          time.Duration // at most
		most          int           // calls in flight
	}{
		"one after another": {limit: 100, took: 20 * callTime, most: 1},
		"many left":         {limit: 100, options: ahead, took: 2 * callTime, most: 19},
		"as documented":     {limit: 25, options: ahead, took: 4 * callTime, most: 12},
		"few left":          {limit: 25, before: 4, options: ahead, took: 6 * callTime, most: 10},
		"a second window":   {limit: 25, before: 20, options: ahead, took: 11 * time.Second, most: 12},
		"a small limit":     {limit: 10, options: ahead, took: 13 * time.Second, most: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWireTaking(t, procoretest.Options{SpikeLimit: tt.limit, MaxPerPage: 100}, func() time.Duration { return callTime / 2 })
				for i := range int64(1997) { // and the three that Joe has
					if err := w.AddCompany(procoretest.NewCompany(1_000_000+i, "Branch", procoretest.Joe)); err != nil {
						t.Fatal(err)
					}
				}
				hc := w.process(t)
				counter := &crowd{base: hc.Transport}
				hc.Transport = counter
				c := procore.NewUserClient(w.env, hc, tt.options...)
				for range tt.before {
					if _, err := c.Me(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				begin := time.Now()
				all, err := procore.Collect(c.Companies(t.Context()))
				took := time.Since(begin)
				if err != nil || len(all) != 2000 || took > tt.took || counter.most != tt.most || w.refused() > 0 {
					t.Errorf("%v; %d companies took %v with up to %d calls at once, want %v with %d; refused %d",
						err, len(all), took, counter.most, tt.took, tt.most, w.refused())
				}
			})
		})
	}
}
