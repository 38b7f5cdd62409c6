package procore_test

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// wire is the fake with net/http on both sides and pipes between them, so that it
// works in a bubble, where time jumps. Every call takes up to a third of a second, so
// answers overtake each other.
type wire struct {
	*procoretest.Server
	conns chan net.Conn
	env   procore.Environment
}

func newWire(t *testing.T, o procoretest.Options) *wire {
	t.Helper()
	return newWireTaking(t, o, func() time.Duration { return time.Duration(rand.Int64N(int64(150 * time.Millisecond))) })
}

// newWireTaking returns a wire on which a request and its answer take so long each.
func newWireTaking(t *testing.T, o procoretest.Options, takes func() time.Duration) *wire {
	t.Helper()
	o.ExpiresIn = 100 * time.Hour
	w := &wire{Server: procoretest.New(o), conns: make(chan net.Conn),
		env: procore.Environment{Name: "custom", LoginURL: "http://127.0.0.1:1", APIURL: "http://127.0.0.1:1"}}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(takes())
		w.ServeHTTP(rw, r)
		time.Sleep(takes())
	})}
	go srv.Serve(w)
	t.Cleanup(func() {
		srv.Close()
		w.Server.Close()
	})
	return w
}

// Accept, Close and Addr make it a net.Listener.
func (w *wire) Accept() (net.Conn, error) {
	c, ok := <-w.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (w *wire) Close() error {
	close(w.conns)
	return nil
}

func (w *wire) Addr() net.Addr { return &net.TCPAddr{} }

// process returns the http.Client of one process, with Joe's token.
func (w *wire) process(t *testing.T) *http.Client {
	t.Helper()
	base := &http.Transport{MaxIdleConnsPerHost: 50, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case w.conns <- there:
			return here, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	t.Cleanup(base.CloseIdleConnections)
	return &http.Client{Transport: bearer{w.Token(t, procoretest.Joe, "http://127.0.0.1:3000/").AccessToken, base}}
}

// spend makes n calls from the given number of goroutines and returns how long they
// took.
func spend(t *testing.T, n, goroutines int, client func() *procore.CompanyClient) time.Duration {
	t.Helper()
	begin := time.Now()
	todo := make(chan struct{}, n)
	for range n {
		todo <- struct{}{}
	}
	close(todo)
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			c := client()
			for range todo {
				if _, err := c.Me(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	return time.Since(begin)
}

// refused counts the 429s that were answered.
func (w *wire) refused() (n int) {
	for _, c := range w.State().Calls {
		if c.Status == http.StatusTooManyRequests {
			n++
		}
	}
	return n
}

// 2,000 calls by 50 goroutines of one process, each with its own client: no call is
// refused, and they take little longer than the limits need.
func TestBurst(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spike, hourly int
		least         time.Duration // what the limits need
		refused       int
	}{
		"spike":            {spike: 25, hourly: 36_000, least: 79 * 10 * time.Second},
		"hourly":           {spike: 36_000, hourly: 600, least: 3 * time.Hour},
		"both":             {spike: 25, hourly: 590, least: 3*time.Hour + 9*10*time.Second},
		"both, older text": {spike: 100, hourly: 3_600, least: 19 * 10 * time.Second},
		// One call uses up both windows, and its answer reports only the spike. Only a
		// refusal shows that the hour is used up, and one call an hour meets it.
		"an hour that is not reported": {spike: 25, hourly: 600, least: 3*time.Hour + 7*10*time.Second, refused: 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWire(t, procoretest.Options{SpikeLimit: tt.spike, HourlyLimit: tt.hourly})
				hc, limits := w.process(t), new(procore.Limits)
				took := spend(t, 2000, 50, func() *procore.CompanyClient {
					return procore.NewCompanyClient(w.env, hc, procoretest.MyConstruction,
						procore.WithLimits(limits, "user#1234567"), procore.WithMaxWait(2*time.Hour))
				})
				n := w.refused()
				t.Logf("2,000 calls took %v, the limits need %v: %.0f %% of the allowed speed; refused %d",
					took.Round(time.Second), tt.least, 100*tt.least.Seconds()/took.Seconds(), n)
				if n > tt.refused {
					t.Errorf("%d calls were refused, want %d", n, tt.refused)
				}
				if took > tt.least*100/85 {
					t.Errorf("took %v, want at most %v", took, tt.least*100/85)
				}
			})
		})
	}
}

// A sent call is one as its process saw it.
type sent struct {
	n            int // the query's, in which the caller numbers its calls
	at, answered time.Time
	status       int
	left         string    // what the answer reports
	reset        time.Time // and until when
}

// A recorder is a Transport that keeps the calls in the order in which they were sent.
type recorder struct {
	base http.RoundTripper
	mu   sync.Mutex
	sent []*sent
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	c := &sent{at: time.Now()}
	c.n, _ = strconv.Atoi(req.URL.Query().Get("n"))
	r.mu.Lock()
	r.sent = append(r.sent, c)
	r.mu.Unlock()
	resp, err := r.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	unix, err := strconv.ParseInt(resp.Header.Get("X-Rate-Limit-Reset"), 10, 64)
	c.answered, c.status, c.left, c.reset = time.Now(), resp.StatusCode, resp.Header.Get("X-Rate-Limit-Remaining"), time.Unix(unix, 0)
	return resp, err
}

// atReset reports whether a window that was used up had just been reset at the time. The
// client may notice that two seconds and an answer's time later, because the headers are
// in whole seconds.
func (r *recorder) atReset(at time.Time) bool {
	return slices.ContainsFunc(r.sent, func(c *sent) bool {
		late := at.Sub(c.reset)
		return c.answered.Before(at) && c.left == "0" && late >= 0 && late <= 2*time.Second+300*time.Millisecond
	})
}

// 500 calls at once: none is refused, they are sent in the order in which they came, and
// none waits once the window that was used up has reset.
func TestBurstInOrder(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]procoretest.Options{
		"spike":            {SpikeLimit: 25, HourlyLimit: 3_600},
		"the hour ends it": {SpikeLimit: 25, HourlyLimit: 190},
		"one at a time":    {SpikeLimit: 1, HourlyLimit: 3_600},
		"no spike limit":   {SpikeLimit: 10_000, HourlyLimit: 190},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWire(t, o)
				hc := w.process(t)
				r := &recorder{base: hc.Transport}
				hc.Transport = r
				c := procore.NewCompanyClient(w.env, hc, procoretest.MyConstruction, procore.WithMaxWait(2*time.Hour))
				var all sync.WaitGroup
				for n := range 500 {
					all.Go(func() {
						if _, err := procore.Get[procore.Me](t.Context(), c, "/rest/v1.0/me", url.Values{"n": {strconv.Itoa(n)}}); err != nil {
							t.Error(err)
						}
					})
					synctest.Wait() // until it waits, or is on its way
				}
				all.Wait()
				if n := w.refused(); n != 0 || len(r.sent) != 500 {
					t.Errorf("%d of %d calls were refused, want none of 500", n, len(r.sent))
				}
				slices.SortStableFunc(r.sent, func(a, b *sent) int { return a.at.Compare(b.at) })
				before, highest := 0, 0 // among the calls sent at an earlier time, and among all so far
				for i, c := range r.sent {
					if i > 0 && c.at.After(r.sent[i-1].at) {
						before = highest
						if waited := c.at.Sub(r.sent[i-1].at); waited > time.Second && !r.atReset(c.at) {
							t.Errorf("call %d was sent %v after the one before, and no window began again then", c.n, waited)
						}
					}
					if highest = max(highest, c.n); c.n < before {
						t.Errorf("call %d was sent after call %d", c.n, before)
					}
				}
			})
		})
	}
}

// Several processes see each other only in what is left, so a burst of all of them is
// refused at times. All callers of a process wait then, until the reset, and every call
// succeeds in the end.
func TestProcesses(t *testing.T) {
	t.Parallel()
	for processes, most := range map[int]int{2: 200, 4: 500, 8: 1300} {
		t.Run(strconv.Itoa(processes), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWire(t, procoretest.Options{SpikeLimit: 25, HourlyLimit: 36_000})
				begin := time.Now()
				var recorders []*recorder
				var all sync.WaitGroup
				for range processes {
					hc := w.process(t)
					r := &recorder{base: hc.Transport}
					hc.Transport, recorders = r, append(recorders, r)
					c := procore.NewCompanyClient(w.env, hc, procoretest.MyConstruction, procore.WithAttempts(100))
					all.Go(func() { spend(t, 2000/processes, 48/processes, func() *procore.CompanyClient { return c }) })
				}
				all.Wait()
				n := w.refused()
				t.Logf("2,000 calls of %d processes took %v; refused and repeated %d", processes, time.Since(begin).Round(time.Second), n)
				if n == 0 || n > most {
					t.Errorf("%d calls were refused, want some, so that the test shows something, and at most %d", n, most)
				}
				for _, r := range recorders {
					for _, refused := range r.sent {
						if refused.status != http.StatusTooManyRequests {
							continue
						}
						for _, c := range r.sent {
							if c.at.After(refused.answered) && c.at.Before(refused.reset) {
								t.Errorf("a call was sent %v before the reset that a refusal named", refused.reset.Sub(c.at))
							}
						}
					}
				}
			})
		})
	}
}
