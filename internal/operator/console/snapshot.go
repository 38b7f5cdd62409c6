package console

import (
	"context"
	"sync"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/internal/webhook/inbox"
)

const (
	// renewAfter is the age at which a request renews the list of companies beside its answer.
	renewAfter = 10 * time.Second
	// firstWait is how long a request waits for the first list. After that the page shows who needs a person, and says that
	// the list is being read. A page of ten thousand companies is complete before, if they are on this machine.
	firstWait = 700 * time.Millisecond
	// readWithin bounds the reading of a list.
	readWithin = 2 * time.Minute
)

// snapshot is the list of all companies in memory, so that search, filter and pages need no reading. It is renewed beside
// requests for it, and never otherwise.
type snapshot struct {
	read func(context.Context) ([]operator.Connection, error)

	mu      sync.Mutex
	list    []entry
	unread  error
	at      time.Time     // when the reading of the list began; zero: there is no list
	reading chan struct{} // is closed when the reading that is under way has ended; nil: none is
	changes int           // that this console made
	has     int           // of them the list has
}

// begin begins to read the list for the first request, which comes as soon as a browser has started.
func (s *snapshot) begin(ctx context.Context, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start(ctx, now)
}

// start begins to read the list. The caller has the lock.
func (s *snapshot) start(ctx context.Context, now time.Time) {
	s.reading = make(chan struct{})
	go s.renew(context.WithoutCancel(ctx), now, s.changes)
}

// get returns the list and when it was read. It begins to read another one if it is old, and waits a moment for one that
// has what this console changed. at is zero if there is none yet.
func (s *snapshot) get(ctx context.Context, now time.Time) (list []entry, at time.Time, unread error) {
	ctx, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		good := !s.at.IsZero() && s.has == s.changes
		if s.reading == nil && (!good || now.Sub(s.at) > renewAfter) {
			s.start(ctx, now)
		}
		if good || !s.ends(ctx) || s.unread != nil {
			return s.list, s.at, s.unread
		}
	}
}

// ends waits for the end of the reading that is under way. It reports whether it has ended. The caller has the lock, but
// not while it waits.
func (s *snapshot) ends(ctx context.Context) bool {
	reading := s.reading
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-reading:
		return true
	case <-ctx.Done():
		return false
	}
}

// names returns the names of the companies in the list.
func (s *snapshot) names(ctx context.Context, now time.Time) (map[int64]string, error) {
	list, _, unread := s.get(ctx, now)
	all := map[int64]string{}
	for _, e := range list {
		all[e.CompanyID] = e.Company
	}
	return all, unread
}

// renew reads the list, which has so many changes then.
func (s *snapshot) renew(ctx context.Context, now time.Time, changes int) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	found, err := s.read(ctx)
	list := entries(found)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unread = err
	if found != nil || err == nil {
		s.list, s.at, s.has = list, now, changes
	}
	close(s.reading)
	s.reading = nil
}

// changed makes the next request wait for a list that is read after it.
func (s *snapshot) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
}

// maxActivities is of how many companies the activity is remembered.
const maxActivities = 2000

// activities remembers the activity of companies that were shown a moment ago.
type activities struct {
	mu sync.Mutex
	of map[int64]remembered
}

type remembered struct {
	inbox.Activity
	from, at time.Time
}

// get returns the activity of the companies, and reads what it does not know since a moment ago.
func (s *activities) get(ctx context.Context, o *operator.Operator, ids []int64, now time.Time) (map[int64]inbox.Activity, error) {
	from, found, missing := sparkFrom(now), map[int64]inbox.Activity{}, []int64(nil)
	s.mu.Lock()
	for _, id := range ids {
		if a, ok := s.of[id]; ok && a.from.Equal(from) && now.Sub(a.at) <= renewAfter {
			found[id] = a.Activity
		} else {
			missing = append(missing, id)
		}
	}
	s.mu.Unlock()
	read, err := o.Activity(ctx, missing, from, sparkPeriod, sparkDays)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil || len(s.of) > maxActivities {
		s.of = map[int64]remembered{}
	}
	for id, a := range read {
		found[id], s.of[id] = a, remembered{a, from, now}
	}
	return found, err
}
