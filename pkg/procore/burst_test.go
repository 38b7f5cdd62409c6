package procore_test

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
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
	o.ExpiresIn = 100 * time.Hour
	w := &wire{Server: procoretest.New(o), conns: make(chan net.Conn),
		env: procore.Environment{Name: "custom", LoginURL: "http://127.0.0.1:1", APIURL: "http://127.0.0.1:1"}}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Duration(rand.Int64N(int64(150 * time.Millisecond))))
		w.ServeHTTP(rw, r)
		time.Sleep(time.Duration(rand.Int64N(int64(150 * time.Millisecond))))
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

// Several processes see each other only in what is left. A call that is refused
// nevertheless is repeated, so every call succeeds. Where many processes share a small
// limit, three attempts are not always enough.
func TestProcesses(t *testing.T) {
	t.Parallel()
	for processes, tt := range map[int]struct{ attempts, refused int }{2: {3, 5}, 4: {3, 20}, 8: {10, 200}} {
		t.Run(strconv.Itoa(processes), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWire(t, procoretest.Options{SpikeLimit: 25, HourlyLimit: 36_000})
				begin := time.Now()
				var all sync.WaitGroup
				for range processes {
					c := procore.NewCompanyClient(w.env, w.process(t), procoretest.MyConstruction,
						procore.WithMaxWait(2*time.Hour), procore.WithAttempts(tt.attempts))
					all.Go(func() { spend(t, 2000/processes, 48/processes, func() *procore.CompanyClient { return c }) })
				}
				all.Wait()
				n := w.refused()
				t.Logf("2,000 calls of %d processes took %v; refused and repeated %d", processes, time.Since(begin).Round(time.Second), n)
				if n > tt.refused {
					t.Errorf("%d calls were refused, want at most %d", n, tt.refused)
				}
			})
		})
	}
}
