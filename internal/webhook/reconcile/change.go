package reconcile

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"strconv"
	"time"

	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
)

const (
	// remembered is how old a change may be whose event the inbox would still know: it
	// forgets after 14 days.
	remembered = 13 * 24 * time.Hour
	// moves is how long after an event Procore may still compute something of the item.
	moves = 5 * time.Minute
)

// latest returns the last moment at which an item may have changed. The inbox keeps
// milliseconds.
func latest(i procore.Changed) time.Time {
	at := i.UpdatedAt.Truncate(time.Millisecond)
	if i.Whole && !at.IsZero() {
		at = at.Add(time.Second - time.Millisecond)
	}
	return at.UTC()
}

// A verdict is what the stored events of an item mean for its last change.
type verdict struct {
	covered bool // a consumer reads, or has read, a state that is not older
	moved   bool // not covered, but an event came shortly before
	known   bool // there is any event
}

// judge compares an item's last change with its events. An event covers what changed
// before it happened, or before it was received: the consumer reads the item after that.
// One of an app's change may be skipped by a consumer as its own, and so covers no later
// change of another. skew is Procore's clock less ours, at most; unknown is a skew that no
// answer has reported.
func judge(changed time.Time, events iter.Seq2[inbox.Trace, error], skew time.Duration) (v verdict, err error) {
	for e, err := range events {
		if err != nil {
			return v, err
		}
		v.known = true
		last := e.HappenedAt
		if received := e.ReceivedAt.Add(skew); skew != unknown && !e.ByApp && received.After(last) {
			last = received
		}
		if !last.Before(changed) {
			return verdict{covered: true, known: true}, nil
		}
		v.moved = v.moved || !last.Before(changed.Add(-moves))
	}
	return v, nil
}

// typeOf returns the type of the event for a change that is not covered, empty if that is
// not subscribed. An item is new if it was created since the resource is reconciled, no
// longer ago than the inbox remembers, and no event of it is stored.
func (s subject) typeOf(i procore.Changed, known bool, begin time.Time) string {
	created := !known && !i.CreatedAt.IsZero() && !i.CreatedAt.Before(begin)
	switch {
	case created && s.creates:
		return "create"
	case created && i.CreatedAt.Equal(i.UpdatedAt), !s.updates: // nothing but its creation
		return ""
	}
	return "update"
}

// eventOf returns the event for an item's last change. Its id follows from the item and the
// time, so that a run that finds the change again writes the same event.
func eventOf(companyID, project int64, s subject, id procore.ID, changed time.Time) procore.Event {
	e := procore.Event{Version: procore.EventVersion, CompanyID: companyID, Resource: s.Name, ResourceID: id, Timestamp: changed, Reconciled: true}
	if s.InProject() {
		e.ProjectID = project
	} else if n, ok := id.Int64(); ok && s.Name == "Projects" {
		e.ProjectID = n
	}
	sum := sha256.Sum256([]byte(e.Key() + "\n" + strconv.FormatInt(changed.UnixMilli(), 10)))
	e.ID = inbox.ReconciledID(ulid(changed, sum[:10]))
	return e
}

// ulid returns the ULID of a time and ten bytes.
//
// https://github.com/ulid/spec
func ulid(at time.Time, rest []byte) string {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	text := make([]byte, 0, 26)
	for shift := 45; shift >= 0; shift -= 5 {
		text = append(text, digits[at.UnixMilli()>>shift&31])
	}
	for _, five := range [][]byte{rest[:5], rest[5:10]} { // 40 bits are eight digits
		n := binary.BigEndian.Uint64(append(make([]byte, 3, 8), five...))
		for shift := 35; shift >= 0; shift -= 5 {
			text = append(text, digits[n>>shift&31])
		}
	}
	return string(text)
}
