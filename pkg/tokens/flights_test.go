package tokens

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

func TestManyCallersMakeOneRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	w.fault("token", procoretest.Fault{Kind: procoretest.Delay, DelayMS: 100})
	stores := []*Store{w.store(), w.store(), w.store(), w.store()}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			a, err := stores[i%len(stores)].Token(t.Context(), p)
			if err != nil {
				t.Error(err)
			} else if a.Generation != 2 {
				t.Errorf("got generation %d, want 2", a.Generation)
			}
		})
	}
	all.Wait()
	if got, want := w.presented(), 1; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// A caller leaves, and its refresh goes on: the handler returns after it.
func TestCallerLeavesTheRefreshGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	w.fault("token", procoretest.Fault{Kind: procoretest.Delay, DelayMS: 300})
	s := w.store()
	handler := Wrap(s, func(ctx context.Context, _ string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		_, err := s.Token(ctx, p)
		if !errors.Is(err, ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
		return "", nil
	})
	if _, err := handler(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got := w.row(p); got.Generation != 2 {
		t.Errorf("the handler returned before its refresh was stored: generation %d", got.Generation)
	}
}

// A wait for another process's refresh ends when its last caller leaves: the handler does
// not wait for it.
func TestWaitEndsWithItsLastCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, other := w.store(), w.store()
	p := w.authorize(s).Principal
	w.clock.Advance(2 * time.Hour)
	w.claim(other) // and nothing else, for maxWork and more
	reads := make(chan struct{}, 100)
	w.dynamo.Intercept(func(string, []byte) dynamotest.Fault {
		select {
		case reads <- struct{}{}:
		default:
		}
		return dynamotest.Fault{}
	})
	begin := time.Now()
	handler := Wrap(s, func(ctx context.Context, _ string) (string, error) {
		ctx, cancel := context.WithCancel(ctx)
		go func() {
			<-reads // the wait has begun
			<-reads
			cancel()
		}()
		_, err := s.Token(ctx, p)
		if !errors.Is(err, ErrTryAgain) || !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want ErrTryAgain of a caller who left", err)
		}
		return "", nil
	})
	if _, err := handler(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the handler waited %v for a caller who had left", took)
	}
}

// One caller of several leaves: the others' wait goes on, and so does that of a caller
// who arrives when the last one has just left.
func TestCallersShareAFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flights
		var yields atomic.Int64
		clock := procore.Clock{Yield: func(context.Context) { yields.Add(1) }}
		want := Access{Generation: 7}
		runs := 0
		work := func(ctx context.Context) (Access, error) {
			runs++
			select {
			case <-time.After(time.Second):
				return want, nil
			case <-ctx.Done():
				time.Sleep(time.Second) // the flight is still there when the next caller arrives
				return Access{}, later("user#1", "left", ctx.Err())
			}
		}
		join := func(ctx context.Context) <-chan error {
			done := make(chan error, 1)
			go func() {
				a, err := f.do(ctx, clock, "user#1", work)
				if err == nil && a.Generation != want.Generation {
					t.Errorf("got generation %d, want %d", a.Generation, want.Generation)
				}
				done <- err
			}()
			synctest.Wait()
			return done
		}
		impatient, leave := context.WithCancel(t.Context())
		first, second := join(impatient), join(t.Context())
		leave()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the caller who left: got error %v, want its context's", err)
		}
		if err := <-second; err != nil || runs != 1 {
			t.Errorf("the one who stayed: got error %v after %d runs, want none after 1", err, runs)
		}

		impatient, leave = context.WithCancel(t.Context())
		first = join(impatient)
		leave()
		<-first
		if err := <-join(t.Context()); err != nil || runs != 3 {
			t.Errorf("the next caller: got error %v after %d runs, want none after 3", err, runs)
		}
		if n := yields.Load(); n != 0 {
			t.Errorf("%d callers yield who go on alone", n)
		}
		first, second = join(t.Context()), join(t.Context())
		<-first
		<-second
		if n := yields.Load(); n != 2 {
			t.Errorf("%d of 2 callers yield who go on at once", n)
		}
		f.wait()
		if len(f.open) != 0 {
			t.Errorf("%d flights are open after all have ended", len(f.open))
		}
	})
}

// Work that panics leaves no flight behind: wait would never return. (The panic itself
// ends the process, as it should.)
func TestFlightOfAPanic(t *testing.T) {
	t.Parallel()
	var f flights
	fl := &flight{done: make(chan struct{})}
	f.open = map[Principal]*flight{"user#1": fl}
	func() {
		defer func() { _ = recover() }()
		f.run(t.Context(), "user#1", fl, func(context.Context) (Access, error) { panic("a test") })
	}()
	f.wait()
	if !errors.Is(fl.err, ErrTryAgain) {
		t.Errorf("its callers get %v, want ErrTryAgain", fl.err)
	}
}
