package awstest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/testing/fake/journal"
)

// Keys of the storage. What is after the prefix begins with the queue's name, which has no slash.
const (
	queuePrefix   = "queue/"
	messagePrefix = "message/"
	dedupPrefix   = "dedup/"
)

// storedQueue is a queue without its messages.
type storedQueue struct {
	Attributes map[string]string
	Sequence   uint64
}

// storedMessage is a message in its queue.
type storedMessage struct {
	Message   Message
	VisibleAt time.Time
	InFlight  bool
}

// storedDedup is a deduplication id that was used.
type storedDedup struct {
	ID, Sequence string
	Until        time.Time
}

func (q *Queue) save() {
	q.queues.save(queuePrefix+q.name, storedQueue{q.attributes, q.sequence})
}

func (q *Queue) messageKey(s *stored) string {
	return fmt.Sprintf("%s%s/%020d", messagePrefix, q.name, s.arrival)
}

func (q *Queue) saveMessage(s *stored) {
	if q.queues.storage != nil {
		q.queues.save(q.messageKey(s), storedMessage{s.Message, s.visibleAt, s.inFlight})
	}
}

func (q *Queue) forgetMessage(s *stored) { q.queues.forget(q.messageKey(s)) }

func (q *Queue) saveDedup(key string, a accepted) {
	q.queues.save(dedupPrefix+q.name+"/"+key, storedDedup{a.id, a.sequence, a.until})
}

func (q *Queue) forgetDedup(key string) { q.queues.forget(dedupPrefix + q.name + "/" + key) }

// OpenQueues returns an SQS with the queues that the storage has, and keeps the changes there. A call returns, and an
// answer leaves, when everything that it may rest on is durable; without that it is an error. Messages that were in
// flight are visible: the process that had received them has ended.
func OpenQueues(storage journal.Storage) (*Queues, error) {
	s := NewQueues()
	if err := s.load(storage.Load()); err != nil {
		return nil, err
	}
	s.storage = storage
	return s, nil
}

func (s *Queues) load(values map[string][]byte) error {
	all := map[string]storedQueue{}
	err := each(values, queuePrefix, func(name string, q storedQueue) error {
		all[name] = q
		return nil
	})
	if err != nil {
		return err
	}
	for _, withDeadLetters := range []bool{false, true} { // their queue is there first
		for name, stored := range all {
			if _, has := stored.Attributes["RedrivePolicy"]; has != withDeadLetters {
				continue
			}
			q, err := s.create(name, stored.Attributes)
			if err != nil {
				return err
			}
			q.sequence = stored.Sequence
		}
	}
	err = each(values, messagePrefix, s.loadMessage)
	if err != nil {
		return err
	}
	return s.loadDedup(values)
}

func (s *Queues) loadMessage(key string, m storedMessage) error {
	name, arrival, _ := strings.Cut(key, "/")
	q, err := s.Queue(name)
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(arrival, 10, 64)
	if err != nil {
		return err
	}
	visible := stored{Message: m.Message, arrival: n, visibleAt: m.VisibleAt}
	if m.InFlight {
		visible.visibleAt = time.Time{}
	}
	s.arrivals = max(s.arrivals, n)
	q.messages, q.bytes = append(q.messages, &visible), q.bytes+len(m.Message.Body)
	return nil
}

func (s *Queues) loadDedup(values map[string][]byte) error {
	err := each(values, dedupPrefix, func(key string, d storedDedup) error {
		name, id, _ := strings.Cut(key, "/")
		q, err := s.Queue(name)
		if err == nil {
			q.dedup[id] = accepted{d.ID, d.Sequence, d.Until}
			q.expiring = append(q.expiring, id)
		}
		return err
	})
	for _, q := range s.queues {
		slices.SortFunc(q.expiring, func(a, b string) int {
			return cmp.Or(q.dedup[a].until.Compare(q.dedup[b].until), strings.Compare(a, b))
		})
	}
	return err
}
