package console

import (
	"context"
	"sync"
	"time"

	"procore-connect/internal/operator"
)

const (
	// searchedAgain is the age of lines at which a page searches the logs again, which costs money by the bytes that are searched.
	searchedAgain = time.Minute
	// renewedAgain is the same of a page that its script renews.
	renewedAgain = 5 * time.Minute
	// searchWait is how long a page waits for the lines. After that it shows the rest, and that they are being searched.
	searchWait = time.Second
	// timelineWithin bounds a search.
	timelineWithin = 90 * time.Second
	// lateLines is how late lines are found.
	lateLines = 5 * time.Minute
	// maxSearches is of how many companies the lines are remembered.
	maxSearches = 20
)

// searches remembers what was found about companies that were shown a moment ago. What was found about a time serves for
// each part of it.
type searches struct {
	mu sync.Mutex
	of map[int64]*search
}

// search is one search of the logs. Its results are set before done is closed.
type search struct {
	from, to, at time.Time
	done         chan struct{}
	found        operator.Happened
	err          error
	before       *search // the one that it replaces
}

// serves reports whether the search has, or will have, the lines of a span. most is its age up to which the last moments may
// be missing.
func (s *search) serves(t span, now time.Time, most time.Duration) bool {
	from, recent := s.from, now.Sub(s.at) <= most && (!s.to.Before(s.at) || !t.To.After(s.to))
	whole := !t.To.After(s.to) && t.To.Before(s.at.Add(-lateLines))
	if s.ended() && s.err != nil {
		whole = false
	} else if s.ended() && !t.From.Equal(s.from) { // what is cut is cut again
		from = s.found.Since
	}
	return !t.From.Before(from) && (whole || recent)
}

func (s *search) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// get returns what was written about a company in a span, and when that was searched; a zero time means that it still is. read
// searches.
func (s *searches) get(ctx context.Context, id int64, t span, now time.Time, most time.Duration, read func(context.Context) (operator.Happened, error)) (operator.Happened, time.Time, error) {
	s.mu.Lock()
	one := s.of[id]
	if one == nil || !one.serves(t, now, most) {
		if one != nil && one.before != nil {
			one.before = nil
		}
		one = &search{from: t.From, to: t.To, at: now, done: make(chan struct{}), before: one}
		if s.of == nil || len(s.of) >= maxSearches {
			s.of = map[int64]*search{}
		}
		s.of[id] = one
		go one.run(context.WithoutCancel(ctx), read)
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, searchWait)
	defer cancel()
	select {
	case <-one.done:
		return one.found, one.at, one.err
	case <-ctx.Done():
	}
	s.mu.Lock()
	old := one.before
	s.mu.Unlock()
	if old != nil && old.ended() && old.err == nil && (t.From.Equal(old.from) || !t.From.Before(old.found.Since)) {
		return old.found, old.at, nil
	}
	return operator.Happened{}, time.Time{}, nil
}

func (s *search) run(ctx context.Context, read func(context.Context) (operator.Happened, error)) {
	ctx, cancel := context.WithTimeout(ctx, timelineWithin)
	defer cancel()
	defer close(s.done)
	s.found, s.err = read(ctx)
}
