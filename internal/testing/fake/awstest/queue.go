package awstest

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of SQS; https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
const (
	maxBody       = 1 << 20 // bytes of a message with its attributes, and of a batch
	maxBatch      = 10
	maxWait       = 20 * time.Second
	maxVisibility = 12 * time.Hour
	dedupInterval = 5 * time.Minute

	maxQueueBytes = 64 << 20 // our own limit: the queue is in memory
)

// Message is a message to send or one that was received.
type Message struct {
	Body       string
	Group      string // MessageGroupId; FIFO queues need one
	Dedup      string // MessageDeduplicationId, of FIFO queues
	Attributes map[string]Attribute

	// The rest is set on receipt.
	ID            string
	Receipt       string
	Sequence      string // SequenceNumber, of FIFO queues
	Received      int    // ApproximateReceiveCount, this receipt included
	Sent          time.Time
	FirstReceived time.Time
}

// Attribute is a message attribute. DataType is String, Number or Binary,
// optionally with a custom label after a dot.
type Attribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

// Queue is one queue of [Queues]. Its name ends in ".fifo" if it is a FIFO queue.
//
// A FIFO queue delivers the messages of a group in the order in which they were sent.
// While a message of a group is in flight, it delivers no other of that group.
type Queue struct {
	queues *Queues // its lock guards everything below
	name   string

	contentDedup bool
	groupDedup   bool // deduplication ids count within their group
	visibility   time.Duration
	delay        time.Duration
	wait         time.Duration
	maxReceive   int // 0: no dead letters
	deadLetters  *Queue
	attributes   map[string]string // as passed at its creation

	messages []*stored // in order of arrival
	bytes    int
	dedup    map[string]accepted
	expiring []string // keys of dedup, the oldest first
	sequence uint64
	changed  chan struct{} // closed and replaced when a message may have become visible
}

type stored struct {
	Message
	arrival   uint64 // its place in the storage
	visibleAt time.Time
	inFlight  bool // visibleAt is the end of a receipt, not of a delay
}

// accepted records a deduplication id that was used.
type accepted struct {
	id, sequence string
	until        time.Time
}

func (q *Queue) fifo() bool { return strings.HasSuffix(q.name, ".fifo") }

// Name returns the queue's name, with ".fifo" if it is a FIFO queue.
func (q *Queue) Name() string { return q.name }

// ARN returns the queue's Amazon resource name.
func (q *Queue) ARN() string { return QueueARN(q.name) }

// Send adds a message and returns its id and sequence number. A FIFO queue that
// received the deduplication id within the last five minutes adds nothing and returns
// those of the first message.
func (q *Queue) Send(m Message) (id, sequence string, err error) {
	id, sequence, err = q.send(m, nil)
	return id, sequence, cmp.Or(err, q.queues.sync())
}

func (q *Queue) send(m Message, delay *time.Duration) (id, sequence string, err error) {
	if err := q.check(&m, delay); err != nil {
		return "", "", err
	}
	if refuse := q.queues.Refuse; refuse != nil {
		if err := refuse(q.name, m); err != nil {
			return "", "", err
		}
	}
	defer q.queues.lock()()
	now := time.Now()
	for len(q.expiring) > 0 && !now.Before(q.dedup[q.expiring[0]].until) {
		q.forgetDedup(q.expiring[0])
		delete(q.dedup, q.expiring[0])
		q.expiring = q.expiring[1:]
	}
	key := m.Dedup
	if q.groupDedup {
		key = m.Group + " " + m.Dedup
	}
	if a, ok := q.dedup[key]; ok {
		return a.id, a.sequence, nil
	}
	if q.bytes+len(m.Body) > maxQueueBytes {
		return "", "", errorf("RequestThrottled", "the queue %s is full: it holds %d bytes in memory", q.name, q.bytes)
	}
	m.ID, m.Sent = newID(), q.queues.now()
	sent := &stored{Message: m}
	q.number(sent)
	m = sent.Message
	if q.fifo() {
		q.dedup[key] = accepted{m.ID, m.Sequence, now.Add(dedupInterval)}
		q.expiring = append(q.expiring, key)
		q.saveDedup(key, q.dedup[key])
	}
	wait := q.delay
	if delay != nil {
		wait = *delay
	}
	sent.visibleAt = now.Add(wait)
	q.add(sent)
	return m.ID, m.Sequence, nil
}

// number sets the sequence number of a message for a FIFO queue.
func (q *Queue) number(s *stored) {
	if q.fifo() {
		q.sequence++
		s.Sequence = fmt.Sprintf("%020d", q.sequence)
		q.save()
	}
}

func (q *Queue) add(s *stored) {
	q.queues.arrivals++
	s.arrival = q.queues.arrivals
	q.messages = append(q.messages, s)
	q.bytes += len(s.Body)
	q.saveMessage(s)
	q.wake()
}

func (q *Queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// check refuses what SQS refuses, and sets the deduplication id where it is derived.
func (q *Queue) check(m *Message, delay *time.Duration) error {
	if m.Dedup == "" && q.contentDedup {
		m.Dedup = fmt.Sprintf("%x", sha256.Sum256([]byte(m.Body)))
	}
	if err := Check(*m, q.fifo()); err != nil {
		return err
	}
	if q.fifo() && delay != nil {
		return errorf("InvalidParameterValue", "Value for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.")
	}
	return nil
}

// Check returns the [*Error] by which SQS refuses a message for ever, or nil.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func Check(m Message, fifo bool) error {
	size := len(m.Body)
	for name, a := range m.Attributes {
		size += len(name) + len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
	}
	switch {
	case m.Body == "":
		return errorf("MissingParameter", "The request must contain the parameter MessageBody.")
	case size > maxBody:
		return errorf("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxBody)
	case !utf8.ValidString(m.Body) || strings.ContainsFunc(m.Body, notXML):
		return errorf("InvalidMessageContents", "Message contents contain characters that are not allowed.")
	case m.Group != "" && !validID(m.Group):
		return errorf("InvalidParameterValue", "Value for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	case m.Dedup != "" && !validID(m.Dedup):
		return errorf("InvalidParameterValue", "Value for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	case !fifo && m.Dedup != "":
		return errorf("InvalidParameterValue", "The request include parameter MessageDeduplicationId which is not valid for this queue type")
	case fifo && m.Group == "":
		return errorf("MissingParameter", "The request must contain the parameter MessageGroupId.")
	case fifo && m.Dedup == "":
		return errorf("InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	}
	return nil
}

// notXML reports whether a body may not contain r.
func notXML(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

// validID reports whether s can be a group or deduplication id.
func validID(s string) bool {
	return len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
