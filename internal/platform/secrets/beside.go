package secrets

import (
	"context"
	"time"
)

// reading is a read beside the callers. A Lambda sandbox is frozen when its answer is
// out, so a read may stop in its middle and go on, or fail, minutes later.
type reading[T any] struct {
	began  time.Time
	cancel context.CancelFunc
	result chan result[T] // has room for the one result, so that the goroutine ends though no one receives it
	frozen bool           // a caller found it under way after a minute
}

type result[T any] struct {
	value func() T // as in Secret
	err   error
	ended time.Time
}

// readBeside begins a read that no caller waits for, at most once a minute. It begins when
// the caller's context ends, so that it takes no processor from what the caller does. One
// at a time: a read that was frozen has the next request to end in, because its answer may
// have arrived. If it has not ended then, its connection is probably dead.
func (s *Secret[T]) readBeside(caller context.Context, now time.Time) {
	if within(rereadEvery, s.besideAt, now) {
		return
	}
	if r := s.beside; r != nil && !r.frozen {
		r.frozen = true
		return
	}
	s.abandon()
	ctx, cancel := context.WithCancel(context.WithoutCancel(caller))
	r := &reading[T]{began: now, cancel: cancel, result: make(chan result[T], 1)}
	s.beside, s.besideAt = r, now
	context.AfterFunc(caller, func() {
		defer cancel()
		value, err := s.read(ctx)
		r.result <- result[T]{func() T { return value }, err, s.Clock.Now()}
	})
}

// collect adopts the result of the read beside the callers if it has ended. A value
// counts from when its read began, because it may be that old. A failure after the
// sandbox was frozen tells nothing about Secrets Manager, and is not logged.
func (s *Secret[T]) collect(ctx context.Context, now time.Time) {
	r := s.beside
	if r == nil {
		return
	}
	select {
	case got := <-r.result:
		s.beside = nil
		switch {
		case got.err == nil:
			s.value, s.readAt, s.triedAt = got.value, r.began, r.began
		case within(rereadEvery, r.began, got.ended):
			s.warn(ctx, got.err, now)
		}
	default:
	}
}

// abandon ends the read beside the callers, if there is one. Its result, which may be
// older than that of a read that begins now, is not used.
func (s *Secret[T]) abandon() {
	if s.beside != nil {
		s.beside.cancel()
		s.beside = nil
	}
}
