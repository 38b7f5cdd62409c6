package awstest

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	account   = "000000000000"
	arnPrefix = "arn:aws:sqs:us-east-1:" + account + ":"
	maxQueues = 1000
)

// Queues is an SQS with the operations ChangeMessageVisibility, ChangeMessageVisibilityBatch, CreateQueue,
// DeleteMessage, DeleteMessageBatch, GetQueueAttributes, GetQueueUrl, ListMessageMoveTasks,
// PurgeQueue, ReceiveMessage, SendMessage, SendMessageBatch and StartMessageMoveTask, for standard
// and FIFO queues. Messages stay until they are deleted: there is no retention period.
// Make it with [NewQueues] or [OpenQueues].
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
type Queues struct {
	// Refuse returns why a queue does not accept a message for now, such as an [*Error] with the code RequestThrottled. nil:
	// it accepts all. It is set before the first request, and may be called at once.
	Refuse func(queue string, m Message) error

	// Time is the time that messages have. nil: time.Now. What waits for a timeout waits in real time.
	Time func() time.Time
	// MoveStep is how many messages a task moves at once, and then again with each question about it. 0: all.
	MoveStep int

	kept
	moves    []*move
	queues   map[string]*Queue
	arrivals uint64 // counts messages in all queues
}

// NewQueues returns an SQS without a queue.
func NewQueues() *Queues {
	return &Queues{queues: make(map[string]*Queue)}
}

// QueueOptions are the settings of a new queue.
type QueueOptions struct {
	VisibilityTimeout time.Duration // 0: 30 s
	DeadLetters       *Queue        // nil: a message is delivered until it is deleted
	MaxReceiveCount   int           // after this many receipts a message goes to DeadLetters
	GroupDedup        bool          // for a FIFO queue: deduplication ids count within their group
}

// Create returns the named queue. It creates the queue with the options if there is
// none yet.
func (s *Queues) Create(name string, o QueueOptions) (*Queue, error) {
	a := make(map[string]string)
	if strings.HasSuffix(name, ".fifo") {
		a["FifoQueue"] = "true"
	}
	if o.GroupDedup {
		a["DeduplicationScope"] = "messageGroup"
	}
	if o.VisibilityTimeout > 0 {
		a["VisibilityTimeout"] = strconv.Itoa(int(o.VisibilityTimeout / time.Second))
	}
	if o.DeadLetters != nil {
		policy, err := json.Marshal(redrivePolicy{o.DeadLetters.ARN(), o.MaxReceiveCount})
		if err != nil {
			return nil, err
		}
		a["RedrivePolicy"] = string(policy)
	}
	return s.create(name, a)
}

// Queue finds a queue by its name, URL or ARN.
func (s *Queues) Queue(name string) (*Queue, error) {
	defer s.lock()()
	name = name[strings.LastIndexAny(name, "/:")+1:]
	if q, ok := s.queues[name]; ok {
		return q, nil
	}
	return nil, &Error{
		Code: "QueueDoesNotExist", Message: "The specified queue does not exist.",
		queryCode: "AWS.SimpleQueueService.NonExistentQueue",
	}
}

// QueueURL returns a queue's URL for clients of the endpoint, such as
// http://127.0.0.1:8000.
func QueueURL(endpoint, name string) string {
	return strings.TrimSuffix(endpoint, "/") + "/" + account + "/" + name
}

// QueueARN returns the ARN of a queue.
func QueueARN(name string) string { return arnPrefix + name }

type redrivePolicy struct {
	DeadLetterTargetArn string `json:"deadLetterTargetArn"`
	MaxReceiveCount     int    `json:"maxReceiveCount"`
}

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,75}(\.fifo)?$`)

// create follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
func (s *Queues) create(name string, attributes map[string]string) (*Queue, error) {
	if !queueName.MatchString(name) {
		return nil, errorf("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	if strings.HasSuffix(name, ".fifo") != (attributes["FifoQueue"] == "true") {
		return nil, errorf("InvalidParameterValue", "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
	}
	q := &Queue{
		queues: s, name: name, visibility: 30 * time.Second, attributes: maps.Clone(attributes),
		dedup: make(map[string]accepted), changed: make(chan struct{}),
	}
	for key, value := range attributes {
		if err := q.set(key, value); err != nil {
			return nil, err
		}
	}
	defer s.lock()()
	if old, ok := s.queues[name]; ok {
		if !maps.Equal(old.attributes, attributes) {
			return nil, errorf("QueueNameExists", "A queue already exists with the same name and a different value for an attribute.")
		}
		return old, nil
	}
	if len(s.queues) >= maxQueues {
		return nil, errorf("OverLimit", "more than %d queues", maxQueues)
	}
	s.queues[name] = q
	q.save()
	return q, nil
}

// set applies one attribute of CreateQueue.
func (q *Queue) set(key, value string) error {
	invalid := errorf("InvalidAttributeValue", "Invalid value for the parameter %s.", key)
	switch key {
	case "FifoQueue", "ContentBasedDeduplication":
		on, err := strconv.ParseBool(value)
		if err != nil || !q.fifo() {
			return invalid
		}
		if key == "ContentBasedDeduplication" {
			q.contentDedup = on
		}
	case "VisibilityTimeout":
		return seconds(&q.visibility, value, maxVisibility, invalid)
	case "DelaySeconds":
		return seconds(&q.delay, value, 15*time.Minute, invalid)
	case "ReceiveMessageWaitTimeSeconds":
		return seconds(&q.wait, value, maxWait, invalid)
	case "RedrivePolicy":
		var p redrivePolicy
		if err := json.Unmarshal([]byte(value), &p); err != nil || p.MaxReceiveCount < 1 || p.MaxReceiveCount > 1000 {
			return invalid
		}
		dead, err := q.queues.Queue(p.DeadLetterTargetArn)
		if err != nil || dead.fifo() != q.fifo() {
			return invalid
		}
		q.deadLetters, q.maxReceive = dead, p.MaxReceiveCount
	case "DeduplicationScope":
		if q.groupDedup = value == "messageGroup"; !q.fifo() || !q.groupDedup && value != "queue" {
			return invalid
		}
	case "MessageRetentionPeriod", "SqsManagedSseEnabled", "FifoThroughputLimit":
		// A program cannot notice these here.
	default:
		return errorf("InvalidAttributeName", "Unknown Attribute %s.", key)
	}
	return nil
}

func seconds(d *time.Duration, value string, most time.Duration, invalid error) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > int(most/time.Second) {
		return invalid
	}
	*d = time.Duration(n) * time.Second
	return nil
}

// ServeHTTP speaks AWS JSON 1.0.
func (s *Queues) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve(w, r, "application/x-amz-json-1.0", s.sync, map[string]operation{
		"ChangeMessageVisibility":      input(s.changeMessageVisibility),
		"ChangeMessageVisibilityBatch": input(s.changeMessageVisibilityBatch),
		"CreateQueue":                  input(s.createQueue),
		"DeleteMessage":                input(s.deleteMessage),
		"DeleteMessageBatch":           input(s.deleteMessageBatch),
		"GetQueueAttributes":           input(s.getQueueAttributes),
		"GetQueueUrl":                  input(s.getQueueURL),
		"ListMessageMoveTasks":         input(s.listMoves),
		"PurgeQueue":                   input(s.purgeQueue),
		"ReceiveMessage":               input(s.receiveMessage),
		"SendMessage":                  input(s.sendMessage),
		"SendMessageBatch":             input(s.sendMessageBatch),
		"StartMessageMoveTask":         input(s.startMove),
	})
}
