//go:build unix

package main

import (
	"context"

	"procore-connect/internal/testing/fake/gatewaytest"
)

// pool sends invocations of a function to free processes, as Lambda does, and replaces
// killed processes.
type pool struct {
	w        *world
	function string
	seats    chan *seat
}

// seat is a place for one process.
type seat struct {
	number, nth int
	p           *process // nil: none was started yet
}

var _ gatewaytest.Invoker = (*pool)(nil)

func (w *world) newPool(function string, size int) *pool {
	l := &pool{w: w, function: function, seats: make(chan *seat, size)}
	for n := range size {
		l.seats <- &seat{number: n}
	}
	return l
}

// Invoke waits for a free process and calls it.
func (l *pool) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var s *seat
	select {
	case s = <-l.seats:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { l.seats <- s }()
	if s.p != nil && s.p.isKilled() {
		s.p.close()
		s.p = nil
	}
	if s.p == nil {
		s.nth++
		var err error
		if s.p, err = l.w.start(context.WithoutCancel(ctx), s.number, s.nth, l.function); err != nil {
			return nil, err
		}
	}
	return s.p.call(ctx, payload)
}
