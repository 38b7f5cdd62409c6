package handler

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/memnet"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// paced is a stack in a bubble of synctest, in which time passes at Procore and in storage alone.
type paced struct {
	t       *testing.T
	procore *procoretest.Server
	network memnet.Network
	storage *dynamotest.Server
	names   tables.Names
	first   *handler // whose keys the others have too

	storageTakes map[string]time.Duration // by operation
	answers      func(n int) answer       // to the n-th refresh, from 1 on; called with mu
	probes       int                      // which the runs send before

	mu       sync.Mutex
	requests int
	renewed  int
	inFlight int
	most     int // in flight at once
	early    int // refreshes that began before slow start allows it
}

// answer is Procore's to a refresh.
type answer struct {
	takes  time.Duration
	status int    // 200: the new pair
	then   func() // when it is sent; nil: nothing
}

// noAnswer is the status of a connection that breaks.
const noAnswer = -1

// inDynamoDB is how long storage takes, as docs/REFRESH.md assumes.
var inDynamoDB = map[string]time.Duration{
	"GetItem": 5 * time.Millisecond, "Query": 5 * time.Millisecond, "PutItem": 10 * time.Millisecond, "TransactWriteItems": 20 * time.Millisecond,
}

// pace returns a stack with n grants that are due. Procore takes 150 ms on average, and no two refreshes in a row the same.
func pace(t *testing.T, n int) *paced {
	t.Helper()
	p := &paced{t: t, storage: dynamotest.New(), procore: procoretest.New(procoretest.Options{}), answers: good, probes: 1}
	server := p.network.Serve("127.0.0.1:4000", http.HandlerFunc(p.serve))
	t.Cleanup(func() {
		p.procore.Close()
		_ = server.Close()
	})
	p.names = tables.CreateForTest(t, inProcessClient(p.storage))
	p.first = p.handler()
	authorize(t, p.first, p.procore, n)
	time.Sleep(2 * time.Minute) // their access tokens expire
	return p
}

func good(n int) answer { return after(100+n*7%11*10, http.StatusOK) }

// after returns an answer after some milliseconds.
func after(ms, status int) answer {
	return answer{takes: time.Duration(ms) * time.Millisecond, status: status}
}

// handler returns the handler of another process.
func (p *paced) handler() *handler {
	h := scaled(p.t, inProcessClient(http.HandlerFunc(p.store)), p.names, "http://127.0.0.1:4000", p.network.Dial)
	if p.first != nil {
		h.tokens.Keys = p.first.tokens.Keys
	}
	return h
}

func (p *paced) store(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	time.Sleep(p.storageTakes[operation])
	p.storage.ServeHTTP(w, r)
}

func (p *paced) serve(w http.ResponseWriter, r *http.Request) {
	a, probe := p.arrives()
	if probe {
		p.procore.ServeHTTP(w, r)
		return
	}
	pair := httptest.NewRecorder()
	p.procore.ServeHTTP(pair, r) // spends the refresh token
	time.Sleep(a.takes)
	p.leaves(a)
	switch a.status {
	case http.StatusOK:
		w.WriteHeader(pair.Code)
		_, _ = w.Write(pair.Body.Bytes())
	case noAnswer:
		panic(http.ErrAbortHandler)
	default:
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
	}
}

// arrives returns the answer to a refresh, and whether the request is a probe instead.
func (p *paced) arrives() (a answer, probe bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	n := p.requests - p.probes
	if n <= 0 {
		return answer{}, true
	}
	p.inFlight++
	p.most = max(p.most, p.inFlight)
	if n > 1+2*p.renewed {
		p.early++
	}
	return p.answers(n), false
}

func (p *paced) leaves(a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	if a.status == http.StatusOK {
		p.renewed++
	}
	if a.then != nil {
		a.then()
	}
}

// states returns how many of the n grants are in each state, and fails the test if a refresh token was sent twice (R1).
func (p *paced) states(n int) map[tokens.State]int {
	p.t.Helper()
	for _, token := range p.procore.State().RefreshTokens {
		if token.Presented > 1 {
			p.t.Errorf("refresh token %s was presented %d times", token.Fingerprint, token.Presented)
		}
	}
	all := map[tokens.State]int{}
	for i := range n {
		g, err := p.first.tokens.Grant(p.t.Context(), tokens.User(int64(1+i)))
		if err != nil {
			p.t.Fatal(err)
		}
		all[g.State]++
	}
	return all
}

// A run starts slowly: each success allows two more refreshes, up to the window, which is then always full.
func TestWindow(t *testing.T) {
	t.Parallel()
	for _, window := range []int{1, 10, 16} {
		synctest.Test(t, func(t *testing.T) {
			const due = 60
			p := pace(t, due)
			p.first.window = window
			if err := p.first.refresh(t.Context(), whole); err != nil {
				t.Error(err)
			}
			if p.renewed != due || p.most != window || p.early > 0 {
				t.Errorf("window %d: %d of %d grants were refreshed, %d at once, %d too early", window, p.renewed, due, p.most, p.early)
			}
		})
	}
}

// A refresh that takes long holds up no other one.
func TestSlowestHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const due = 100
		p := pace(t, due)
		before := 0
		p.answers = func(n int) answer {
			if n != 30 {
				return good(n)
			}
			slow := after(5_000, http.StatusOK)
			slow.then = func() { before = p.renewed - 1 }
			return slow
		}
		if err := p.first.refresh(t.Context(), whole); err != nil {
			t.Error(err)
		}
		if before != due-1 || p.renewed != due {
			t.Errorf("%d grants were refreshed before the slowest, want %d", before, due-1)
		}
	})
}

// R7: tokens that Procore refuses from the middle of a run on cost no more users than the brake allows, those in flight
// counted.
func TestRefusedInFlight(t *testing.T) {
	t.Parallel()
	for window, most := range map[int]int{10: maxRefused, 16: 16} {
		synctest.Test(t, func(t *testing.T) {
			const due, well = 100, 40
			p := pace(t, due)
			p.first.window = window
			p.answers = func(n int) answer {
				if n <= well {
					return after(150, http.StatusOK)
				}
				return after(150+n, http.StatusBadRequest)
			}
			err := p.first.refresh(t.Context(), whole)
			if err == nil || !strings.Contains(err.Error(), "refresh tokens of 10 users in a row were refused") {
				t.Errorf("window %d: got error %v", window, err)
			}
			if lost := p.states(due)[tokens.Reauthorize]; lost < maxRefused || lost > most {
				t.Errorf("window %d: %d tokens were refused, want %d at most", window, lost, most)
			}
		})
	}
}

// R7: an outage in the middle of a run costs what is in flight, and the run stops at the breaker. After one failure it
// begins slowly again.
func TestOutageInFlight(t *testing.T) {
	t.Parallel()
	for _, fails := range []int{1, 1_000} {
		synctest.Test(t, func(t *testing.T) {
			const due, well = 100, 40
			p := pace(t, due)
			var log bytes.Buffer
			p.first.log = slog.New(slog.NewTextHandler(&log, nil))
			known, next := false, 0 // the first failure; how many are in flight when the next refresh begins
			p.answers = func(n int) answer {
				switch {
				case n <= well:
					return after(150, http.StatusOK)
				case n <= well+fails:
					broken := after(150+n, noAnswer)
					broken.then = func() { known = true }
					return broken
				case known && next == 0:
					next = p.inFlight
				}
				return after(300, http.StatusOK)
			}
			err := p.first.refresh(t.Context(), whole)
			states, want := p.states(due), min(fails, defaultWindow)
			if states[tokens.Uncertain]+states[tokens.Reauthorize] != want {
				t.Errorf("%d failures cost %v of %d grants, want %d", fails, states, due, want)
			}
			if failed := strings.Count(log.String(), "grant not refreshed"); failed != want {
				t.Errorf("%d grants were not refreshed, want %d", failed, want)
			}
			if next > defaultWindow/2+1 {
				t.Errorf("%d refreshes are in flight when the next begins after a failure, want half of them at most", next)
			}
			if stopped := err != nil && strings.Contains(err.Error(), "the run stops: Procore's token endpoint"); stopped != (fails > 1) {
				t.Errorf("%d failures: got error %v", fails, err)
			}
		})
	}
}

// Runs at once refresh each grant once: of their own shares, and of the same grants, as when a run by hand meets the
// schedule's.
func TestRefreshersAtOnce(t *testing.T) {
	t.Parallel()
	for name, shares := range map[string][]share{
		"four shares": {{0, 4}, {1, 4}, {2, 4}, {3, 4}}, "the same grants": {whole, whole, whole, whole},
	} {
		synctest.Test(t, func(t *testing.T) {
			const due = 80
			p := pace(t, due)
			p.storageTakes, p.probes = inDynamoDB, len(shares)
			var all sync.WaitGroup
			for _, s := range shares {
				all.Go(func() {
					if err := p.handler().refresh(t.Context(), s); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			all.Wait()
			if n := p.states(due)[tokens.Active]; n != due || p.renewed != due {
				t.Errorf("%s: %d grants are active after %d refreshes, want %d", name, n, p.renewed, due)
			}
		})
	}
}

// How many grants a second a run refreshes once its window is full, and several runs together, if the processor takes no
// time. docs/REFRESH.md has the numbers.
func TestRefreshRate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		takes          map[string]time.Duration
		window, shares int
		least          float64
	}{
		{"10 in flight, storage at once", nil, 10, 1, 65},
		{"10 in flight", inDynamoDB, 10, 1, 50},
		{"20 in flight", inDynamoDB, 20, 1, 100},
		{"10 in flight, four shares", inDynamoDB, 10, 4, 200},
	} {
		synctest.Test(t, func(t *testing.T) {
			due := 240 * test.shares
			p := pace(t, due)
			p.storageTakes, p.probes = test.takes, test.shares
			var begin, end time.Time
			p.answers = func(n int) answer {
				switch n {
				case due / 4:
					begin = time.Now()
				case due * 3 / 4:
					end = time.Now()
				}
				return good(n)
			}
			var all sync.WaitGroup
			for i := range test.shares {
				all.Go(func() {
					h := p.handler()
					h.window = test.window
					if err := h.refresh(t.Context(), share{i, test.shares}); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			rate := float64(due/2) / end.Sub(begin).Seconds()
			t.Logf("%s: %.1f grants a second", test.name, rate)
			if p.renewed != due || rate < test.least {
				t.Errorf("%s: %d of %d grants were refreshed, %.1f a second, want %v at least", test.name, p.renewed, due, rate, test.least)
			}
		})
	}
}
