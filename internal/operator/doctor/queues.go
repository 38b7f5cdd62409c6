package doctor

import (
	"context"
	"fmt"
)

// queues checks that no message waits where none should.
func (d *Doctor) queues(ctx context.Context) []Finding {
	var found []Finding
	for _, q := range d.Depths(ctx) {
		switch {
		case !q.Empty:
		case q.Err != nil:
			found = append(found, d.cannot("the queue of "+q.Name, q.Err))
		case q.Messages() > 0:
			found = append(found, Finding{Verdict: Failed, Finding: fmt.Sprintf("%s: %d", q.Name, q.Messages()), Next: q.Next})
		}
	}
	return orOK(found, "no event is dead, and no pair waits to be rescued")
}
