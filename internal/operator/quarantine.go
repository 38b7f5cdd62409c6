package operator

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/operator/logs"
	"procore-connect/internal/webhook/inbox"
)

// shortDigest is how much of a delivery's digest its id has. A company has at most some 300,000 deliveries in quarantine.
const shortDigest = 12

// Quarantined is a delivery in quarantine.
type Quarantined struct {
	ID         string     `json:"id"` // company and the beginning of its digest, as a person types it
	CompanyID  int64      `json:"company_id"`
	Digest     string     `json:"digest"`
	ReceivedAt time.Time  `json:"received_at"`
	Size       int64      `json:"size"` // in bytes
	Reason     string     `json:"reason"`
	Fate       inbox.Fate `json:"fate,omitempty"` // what a replay would do with it; only of one that is shown
	Now        string     `json:"now,omitempty"`  // why it is not understood now

	Body []byte `json:"-"` // personal data

	held inbox.Held
}

// Would says what a replay would do with a delivery that is shown.
func (q Quarantined) Would() string {
	switch q.Fate {
	case inbox.StoredNow:
		return "it is an event; a replay stores it, and the consumer receives it"
	case inbox.StoredBefore:
		return "it is an event that is stored already; nothing is to be done"
	case inbox.Truncated:
		return "only its beginning is kept, so that it cannot be replayed"
	case inbox.NotUnderstood:
		return "still not understood: " + q.Now
	}
	return string(q.Fate)
}

func quarantined(company int64, h inbox.Held) Quarantined {
	id := QuarantineID(strconv.FormatInt(company, 10), h.ID)
	return Quarantined{ID: id, CompanyID: company, Digest: h.ID, ReceivedAt: h.ReceivedAt.UTC(), Size: h.Size, Reason: h.Reason, Body: h.Body, held: h}
}

// Quarantine returns the last deliveries of companies that are in quarantine and arrived since a time, the last one first,
// and how many there are. Of each company it reads at most so many; then there are at least so many. Zero: all.
func (o *Operator) Quarantine(ctx context.Context, companies []int64, since time.Time, limit, each int) (found []Quarantined, total int, err error) {
	of := make([][]Quarantined, len(companies))
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, id := range companies {
		g.Go(func() error {
			read := 0
			for h, err := range o.Inbox.Held(reading, id, "") {
				if err != nil {
					return err
				}
				if read++; each > 0 && read > each {
					break
				}
				if !h.ReceivedAt.Before(since) {
					h.Body = nil // many of them would not fit into memory
					of[i] = append(of[i], quarantined(id, h))
				}
			}
			return nil
		})
	}
	err = g.Wait()
	found = slices.Concat(of...)
	slices.SortStableFunc(found, func(a, b Quarantined) int { return b.ReceivedAt.Compare(a.ReceivedAt) })
	total = len(found)
	return found[:min(total, limit)], total, err
}

// HeldCompanies returns the companies of which a delivery came into quarantine since a time, by the receiver's lines, because
// no index has them. The last ones are first.
func (o *Operator) HeldCompanies(ctx context.Context, since time.Time) (all []int64, err error) {
	lines, err := o.Logs.Lines(ctx, logs.Query{Filter: logs.All(logs.Text("msg", "request"), logs.Text("outcome", "quarantined")), From: since, To: o.clock.Now()})
	for _, l := range slices.Backward(lines) {
		if id, err := strconv.ParseInt(l.Fields.Number("company_id"), 10, 64); err == nil && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all, err
}

// quarantineID is the id of a delivery in quarantine.
var quarantineID = regexp.MustCompile(`^([1-9][0-9]{0,18})/([0-9a-f]{6,64})$`)

// QuarantineID returns the id of a delivery, by its digest.
func QuarantineID(company, digest string) string {
	return company + "/" + digest[:min(shortDigest, len(digest))]
}

// CheckQuarantineID returns what is wrong with an id that a person typed.
func CheckQuarantineID(id string) error {
	if !quarantineID.MatchString(id) {
		return fmt.Errorf("%.100q is not the id of a delivery in quarantine, such as 5678/0a1b2c3d4e5f", id)
	}
	return nil
}

// ErrNotHeld means that there is no such delivery in quarantine.
var ErrNotHeld = errors.New("there is no such delivery in quarantine, or it arrived more than 14 days ago")

// Held returns the delivery with this id, and what a replay would do with it.
func (o *Operator) Held(ctx context.Context, id string) (*Quarantined, error) {
	if err := CheckQuarantineID(id); err != nil {
		return nil, err
	}
	parts := quarantineID.FindStringSubmatch(id)
	company, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return nil, err
	}
	var found *Quarantined
	for h, err := range o.Inbox.Held(ctx, company, parts[2]) {
		switch {
		case err != nil:
			return nil, err
		case found != nil:
			return nil, fmt.Errorf("more than one delivery has the id %s: type more of its digest, which --json shows", id)
		}
		one := quarantined(company, h)
		found = &one
	}
	if found == nil {
		return nil, fmt.Errorf("%s: %w", id, ErrNotHeld)
	}
	would, err := o.replay().Again(ctx, company, found.held, true)
	found.Fate, found.Now = would.Fate, would.Reason
	return found, err
}

// StoreHeld stores a delivery in quarantine as an event, if it is one now.
func (o *Operator) StoreHeld(ctx context.Context, q *Quarantined) (inbox.Replayed, error) {
	return o.replay().Again(ctx, q.CompanyID, q.held, false)
}

// Replayable reports whether a replay stores a delivery that is shown.
func (q Quarantined) Replayable() bool { return q.Fate == inbox.StoredNow }
