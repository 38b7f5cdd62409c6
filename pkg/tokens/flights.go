package tokens

import (
	"context"
	"errors"
	"sync"

	"procore-connect/pkg/procore"
)

// flights make the callers of one process that want the same grant share one piece of
// work. The work's context ends when its last caller leaves: waiting ends with it, and a
// refresh that has begun goes on.
type flights struct {
	mu   sync.Mutex
	open map[Principal]*flight
}

type flight struct {
	cancel  context.CancelFunc
	callers int // guarded by the mutex of flights
	done    chan struct{}
	shared  bool // by several callers, who go on at once when done is closed
	access  Access
	err     error
}

// do joins the principal's flight, or starts it with work.
func (f *flights) do(ctx context.Context, clock procore.Clock, p Principal, work func(context.Context) (Access, error)) (Access, error) {
	for {
		fl := f.join(ctx, p, work)
		select {
		case <-fl.done:
			if fl.shared {
				clock.Woken(ctx)
			}
			f.leave(fl)
			if errors.Is(fl.err, context.Canceled) && ctx.Err() == nil {
				continue // the others had left just before
			}
			return fl.access, fl.err
		case <-ctx.Done():
			f.leave(fl)
			return Access{}, later(p, "the caller's time ended while the token was fetched", ctx.Err())
		}
	}
}

func (f *flights) join(ctx context.Context, p Principal, work func(context.Context) (Access, error)) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl, ok := f.open[p]
	if !ok {
		fl = &flight{done: make(chan struct{})}
		if f.open == nil {
			f.open = map[Principal]*flight{}
		}
		f.open[p] = fl
		var within context.Context
		within, fl.cancel = context.WithCancel(context.WithoutCancel(ctx))
		go f.run(within, p, fl, work)
	}
	fl.callers++
	return fl
}

func (f *flights) leave(fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.callers--; fl.callers == 0 {
		fl.cancel()
	}
}

func (f *flights) run(ctx context.Context, p Principal, fl *flight, work func(context.Context) (Access, error)) {
	fl.err = later(p, "the refresh ended without a result", nil)
	defer func() {
		f.mu.Lock()
		delete(f.open, p)
		fl.shared = fl.callers > 1
		f.mu.Unlock()
		close(fl.done)
	}()
	fl.access, fl.err = work(ctx)
}

// wait returns when no flight is open.
func (f *flights) wait() {
	for {
		f.mu.Lock()
		var any *flight
		for _, fl := range f.open {
			any = fl
			break
		}
		f.mu.Unlock()
		if any == nil {
			return
		}
		<-any.done
	}
}
