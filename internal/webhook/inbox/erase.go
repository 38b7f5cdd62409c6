package inbox

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/platform/dynamo"
)

// erasedAtOnce is how many deletions run at once, and how many come between two reports of the progress.
const erasedAtOnce, erasedBetween = 16, 500

// Erase deletes what is stored of a company: its events, its quarantine and the counters of that. It returns how many events
// and quarantined deliveries it deleted. progress receives both together now and then; nil: no one asks.
//
// The events are listed by an index that lags, so it lists again until nothing is left. It may be repeated after any error.
// What arrives after it is stored.
func (s *Store) Erase(ctx context.Context, companyID int64, progress func(int)) (events, quarantined int, err error) {
	var mu sync.Mutex
	tried := make(map[listed]bool)
	done := func(k listed) {
		mu.Lock()
		defer mu.Unlock()
		if k.resource == quarantineKey(companyID) {
			quarantined++
		} else {
			events++
		}
		if n := events + quarantined; progress != nil && n%erasedBetween == 0 {
			progress(n)
		}
	}
	for before := -1; before < len(tried); {
		before = len(tried)
		g, during := errgroup.WithContext(ctx)
		g.SetLimit(erasedAtOnce)
		in := new(dynamo.Expression).Equal("company_id", dynamo.ID(companyID)).Query(s.Table, "by_company")
		for k, unread := range dynamo.Query(ctx, s.DB, "inbox: the events of a company", in, (*listed).read) {
			if err = unread; err != nil || during.Err() != nil {
				break
			}
			if tried[k] {
				continue // the index still has it
			}
			tried[k] = true
			g.Go(func() error {
				err := s.erase(during, k.resource, k.id)
				if err == nil {
					done(k)
				}
				return err
			})
		}
		if failed := g.Wait(); failed != nil {
			err = failed
		}
		if err != nil {
			return events, quarantined, fmt.Errorf("inbox: company %d: not all deleted: %w", companyID, err)
		}
	}
	return events, quarantined, s.eraseCounters(ctx, companyID)
}

func (s *Store) eraseCounters(ctx context.Context, companyID int64) error {
	partition := "quota#" + strconv.FormatInt(companyID, 10)
	in := new(dynamo.Expression).Equal("resource", dynamo.Text(partition)).Query(s.Table, "")
	hour := func(h *string, item dynamo.Item) error {
		return dynamo.Decode(item, func(f *dynamo.Fields) { f.Text("event_id", h) })
	}
	for h, err := range dynamo.Query(ctx, s.DB, "inbox: the counters of a company", in, hour) {
		if err == nil {
			err = s.erase(ctx, partition, h)
		}
		if err != nil {
			return fmt.Errorf("inbox: company %d: counters not deleted: %w", companyID, err)
		}
	}
	return nil
}

func (s *Store) erase(ctx context.Context, resource, id string) error {
	return dynamo.Write(ctx, s.DB, new(dynamo.Expression).Delete(s.Table, primaryKey(resource, id)))
}
