package inbox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/procore"
)

// A Selection chooses what [Replay.Run] sends again: what arrived for a company from
// From until before To.
type Selection struct {
	CompanyID int64
	// Resource is the [procore.Event.Key] of one resource. Empty means all.
	Resource string
	// From and To are times of arrival. A zero To means now.
	From, To time.Time
	// Quarantined chooses what was quarantined instead of the events.
	Quarantined bool
	// Skip reports whether to leave one of these out. Nil leaves out none.
	Skip func(Arrival) bool
	// DryRun reports what would be done, and does nothing. Start with it.
	DryRun bool
	// Limit is how many deliveries one call replays. Zero means 1,000.
	Limit int
	// Position is where an earlier call with the same selection ended, to continue there.
	Position string
}

// A Fate is what a replay did with a delivery, or would do in a dry run.
type Fate string

// The fates. Only HandedOn and StoredNow reach consumers.
const (
	HandedOn      Fate = "handed on"      // put into the queue again
	StoredNow     Fate = "stored"         // was quarantined, is understood now, and is stored as an event
	StoredBefore  Fate = "duplicate"      // was quarantined, and the event is already stored
	NotUnderstood Fate = "not understood" // remains as it is
	Truncated     Fate = "truncated"      // was quarantined, and only its beginning is kept
	Gone          Fate = "gone"           // expired since it was listed
)

// Problem reports whether a delivery with this fate did not reach consumers, and no earlier one did in its place.
func (f Fate) Problem() bool { return f != HandedOn && f != StoredNow && f != StoredBefore }

// A Replayed is one delivery of a replay.
type Replayed struct {
	Resource   string    `json:"resource"` // if quarantined, such as 5678#quarantine
	EventID    string    `json:"event_id"` // if quarantined, the digest
	ReceivedAt time.Time `json:"received_at"`
	Fate       Fate      `json:"fate"`
	Reason     string    `json:"reason,omitempty"` // why it is not understood
}

// A Report is the result of a replay.
type Report struct {
	Items  []Replayed // in order of arrival
	Counts map[Fate]int
	// Position is where the next call continues, empty at the end.
	Position string
}

// A Message is an event for the queue.
type Message struct{ Body, Group, Dedup string }

// Replay sends stored events again, for a consumer that was wrong. All fields must be
// set.
type Replay struct {
	Inbox *Store
	// Send puts a message into the events queue.
	Send func(context.Context, Message) error
}

const (
	defaultLimit = 1000
	listPage     = 500
	maxListed    = 100_000 // keys that one call lists, in case a resource is rare in a busy company
)

// Run sends the selected events one after another in order of arrival, which keeps the
// order per resource. Each run has its own deduplication ids, because the queue would
// drop what it received within five minutes. The group is the resource's, and the
// envelope has ReplayedAt. A quarantined body is decoded again. If it is an event now,
// the ordinary conditional write stores it, and so it reaches the queue.
//
// With an error the report has what was done before. A call with its position repeats
// the event that failed, under the same deduplication id.
func (r *Replay) Run(ctx context.Context, s Selection) (Report, error) {
	report := Report{Counts: map[Fate]int{}}
	at, err := r.begin(&s)
	if err != nil {
		return report, err
	}
	report.Position = at.String()
	count := 0
	for k, err := range r.Inbox.list(ctx, s, at.key()) {
		if err != nil {
			return report, fmt.Errorf("inbox: company %d: %w", s.CompanyID, err)
		}
		if k.receivedMS >= s.To.UnixMilli() {
			break
		}
		if count++; len(report.Items) == s.Limit || count > maxListed {
			return report, nil
		}
		if s.includes(k) {
			done, err := r.one(ctx, s, k, at.Run)
			if err != nil {
				return report, err
			}
			report.Items = append(report.Items, done)
			report.Counts[done.Fate]++
		}
		at.after(k)
		report.Position = at.String()
	}
	report.Position = ""
	return report, nil
}

// A Count is how much a [Selection] chooses.
type Count struct {
	Deliveries int       `json:"deliveries"`
	Resources  int       `json:"resources"`
	First      time.Time `json:"first,omitzero"` // of arrival
	Last       time.Time `json:"last,omitzero"`
	More       bool      `json:"more,omitempty"` // there are more; only the first 100,000 were counted
}

// And returns the count of both.
func (c Count) And(other Count) Count {
	switch {
	case other.Deliveries == 0:
	case c.Deliveries == 0:
		c.First, c.Last = other.First, other.Last
	default:
		if other.First.Before(c.First) {
			c.First = other.First
		}
		if other.Last.After(c.Last) {
			c.Last = other.Last
		}
	}
	c.Deliveries, c.Resources, c.More = c.Deliveries+other.Deliveries, c.Resources+other.Resources, c.More || other.More
	return c
}

// Count counts what a selection chooses, by the index alone, so that it reads no delivery. It begins at the position.
// The limit does not count.
func (r *Replay) Count(ctx context.Context, s Selection) (Count, error) {
	var c Count
	s.Limit = 0
	at, err := r.begin(&s)
	if err != nil {
		return c, err
	}
	resources := map[string]struct{}{}
	listed := 0
	for k, err := range r.Inbox.list(ctx, s, at.key()) {
		switch {
		case err != nil:
			return c, fmt.Errorf("inbox: company %d: %w", s.CompanyID, err)
		case k.receivedMS >= s.To.UnixMilli():
			return c, nil
		case listed == maxListed:
			c.More = true
			return c, nil
		}
		listed++
		if !s.includes(k) {
			continue
		}
		c.Deliveries++
		c.Last = time.UnixMilli(k.receivedMS).UTC()
		if c.Deliveries == 1 {
			c.First = c.Last
		}
		resources[k.resource] = struct{}{}
		c.Resources = len(resources)
	}
	return c, nil
}

// begin checks the selection and finds where to start.
func (r *Replay) begin(s *Selection) (position, error) {
	if s.To.IsZero() {
		s.To = r.Inbox.Clock.Now()
	}
	if s.Limit == 0 {
		s.Limit = defaultLimit
	}
	switch {
	case s.CompanyID <= 0:
		return position{}, errors.New("inbox: replay: no company")
	case !s.From.Before(s.To):
		return position{}, errors.New("inbox: replay: nothing is between from and to")
	case s.Limit < 0:
		return position{}, errors.New("inbox: replay: the limit is negative")
	case s.Quarantined && s.Resource != "":
		return position{}, errors.New("inbox: replay: what is quarantined has no resource")
	case s.Position == "":
		return parsePosition(r.Begin(s.CompanyID), s.CompanyID)
	}
	return parsePosition(s.Position, s.CompanyID)
}

// Begin returns the position before a company's first delivery.
func (r *Replay) Begin(companyID int64) string {
	return position{Run: r.Inbox.Random.Text(), Company: companyID}.String()
}

// includes reports whether the selection has this key.
func (s *Selection) includes(k listed) bool {
	if quarantined := k.resource == quarantineKey(s.CompanyID); quarantined != s.Quarantined {
		return false
	}
	if s.Resource != "" && s.Resource != k.resource {
		return false
	}
	return s.Skip == nil || !s.Skip(k.arrival(s.CompanyID))
}

// listed is a key with its time of arrival.
type listed struct {
	resource, id string
	receivedMS   int64
}

// list returns the keys from the beginning of the range on, in order of arrival.
func (s *Store) list(ctx context.Context, which Selection, after dynamo.Item) iter.Seq2[listed, error] {
	in := new(dynamo.Expression).Equal("company_id", dynamo.ID(which.CompanyID)).
		Compare("received_at_ms", ">=", dynamo.Number(which.From.UnixMilli())).Query(s.Table, "by_company")
	in.Limit, in.ExclusiveStartKey = aws.Int32(listPage), after
	return dynamo.Query(ctx, s.DB, "not listed", in, (*listed).read)
}

func (k *listed) read(item dynamo.Item) error {
	return dynamo.Decode(item, func(f *dynamo.Fields) {
		f.Text("resource", &k.resource)
		f.Text("event_id", &k.id)
		f.Number("received_at_ms", &k.receivedMS)
	})
}

// delivery is the part of an item that a replay or Newer reads.
type delivery struct {
	envelope, group string // of an event
	happenedAt      time.Time
	reason          string // of a quarantined body
	size            int64
	body            []byte
}

func (d *delivery) fields(f *dynamo.Fields) {
	f.Text("envelope", &d.envelope)
	f.Text("group_id", &d.group)
	f.Millis("happened_at_ms", &d.happenedAt)
	f.Text("reason", &d.reason)
	f.Number("size", &d.size)
	f.Bytes("body", &d.body)
}

// one replays one delivery.
func (r *Replay) one(ctx context.Context, s Selection, k listed, run string) (Replayed, error) {
	done := Replayed{Resource: k.resource, EventID: k.id, ReceivedAt: time.UnixMilli(k.receivedMS).UTC()}
	var d delivery
	item, err := dynamo.Get(ctx, r.Inbox.DB, r.Inbox.Table, primaryKey(k.resource, k.id))
	if err == nil {
		err = dynamo.Decode(item, d.fields)
	}
	switch {
	case err != nil:
		return done, fmt.Errorf("inbox: %s, %s: %w", k.resource, k.id, err)
	case item == nil:
		done.Fate = Gone
	case s.Quarantined:
		done.Fate, done.Reason, err = r.storeNow(ctx, s, d)
	default:
		done.Fate, done.Reason, err = r.handOn(ctx, s, d, run)
	}
	return done, err
}

func (r *Replay) handOn(ctx context.Context, s Selection, d delivery, run string) (Fate, string, error) {
	e, err := procore.ParseEvent([]byte(d.envelope))
	if err != nil {
		return NotUnderstood, err.Error(), nil //nolint:nilerr // it is the delivery's fate
	}
	if s.DryRun {
		return HandedOn, "", nil
	}
	e.ReplayedAt = r.Inbox.Clock.Now().UTC()
	envelope, err := encode(e)
	if err != nil {
		return "", "", err
	}
	return HandedOn, "", r.Send(ctx, Message{Body: envelope, Group: d.group, Dedup: digest([]byte(e.Key() + "\n" + e.ID + "\n" + run))})
}

// storeNow stores a quarantined body as an event, if it is one now.
func (r *Replay) storeNow(ctx context.Context, s Selection, d delivery) (Fate, string, error) {
	if int64(len(d.body)) != d.size {
		return Truncated, d.reason, nil
	}
	e, err := quarantinedEvent(d.body, s.CompanyID)
	if err != nil {
		return NotUnderstood, err.Error(), nil //nolint:nilerr // it is the delivery's fate
	}
	e.ReplayedAt = r.Inbox.Clock.Now().UTC()
	if s.DryRun {
		return r.wouldStore(ctx, e, d.body)
	}
	o, err := r.Inbox.Add(ctx, e, d.body)
	switch {
	case err != nil:
		return "", "", err
	case o.Word == Stored:
		return StoredNow, "", nil
	case o.Word == Duplicate:
		return StoredBefore, "", nil
	}
	return NotUnderstood, o.Reason, nil
}

func (r *Replay) wouldStore(ctx context.Context, e procore.Event, body []byte) (Fate, string, error) {
	if _, fits, err := eventItem(e, body); err != nil || !fits {
		return NotUnderstood, tooLarge, err
	}
	item, err := dynamo.Get(ctx, r.Inbox.DB, r.Inbox.Table, primaryKey(keys(e)))
	if item != nil {
		return StoredBefore, "", err
	}
	return StoredNow, "", err
}
