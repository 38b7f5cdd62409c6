package awstest

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Inputs and answers of the operations, each as its page under
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/ has it.

type queueInput struct{ QueueUrl string }

type createQueueInput struct {
	QueueName  string
	Attributes map[string]string
}

func (s *Queues) createQueue(_ context.Context, r *http.Request, in createQueueInput) (any, error) {
	if _, err := s.create(in.QueueName, in.Attributes); err != nil {
		return nil, err
	}
	return queueInput{QueueURL("http://"+r.Host, in.QueueName)}, nil
}

type getQueueURLInput struct{ QueueName, QueueOwnerAWSAccountId string }

func (s *Queues) getQueueURL(_ context.Context, r *http.Request, in getQueueURLInput) (any, error) {
	q, err := s.Queue(in.QueueName)
	if err != nil {
		return nil, err
	}
	return queueInput{QueueURL("http://"+r.Host, q.name)}, nil
}

func (s *Queues) purgeQueue(_ context.Context, _ *http.Request, in queueInput) (any, error) {
	q, err := s.Queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.Purge()
	return struct{}{}, nil
}

type getQueueAttributesInput struct {
	QueueUrl       string
	AttributeNames []string
}

func (s *Queues) getQueueAttributes(_ context.Context, _ *http.Request, in getQueueAttributesInput) (any, error) {
	q, err := s.Queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	waiting, inFlight, delayed := q.Counts()
	all := map[string]string{
		"QueueArn":                              q.ARN(),
		"VisibilityTimeout":                     strconv.Itoa(int(q.visibility / time.Second)),
		"DelaySeconds":                          strconv.Itoa(int(q.delay / time.Second)),
		"ReceiveMessageWaitTimeSeconds":         strconv.Itoa(int(q.wait / time.Second)),
		"MaximumMessageSize":                    strconv.Itoa(maxBody),
		"ApproximateNumberOfMessages":           strconv.Itoa(waiting),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(inFlight),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
	}
	maps.Copy(all, q.attributes)
	return map[string]any{"Attributes": choose(all, in.AttributeNames)}, nil
}

// choose returns the attributes that names lists, or all of them for "All".
func choose(all map[string]string, names []string) map[string]string {
	if slices.Contains(names, "All") {
		return all
	}
	maps.DeleteFunc(all, func(name, _ string) bool { return !slices.Contains(names, name) })
	return all
}

type receiveMessageInput struct {
	QueueUrl                    string
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	ReceiveRequestAttemptId     string
}

type received struct {
	MessageId              string
	ReceiptHandle          string
	Body                   string
	MD5OfBody              string
	Attributes             map[string]string    `json:",omitempty"`
	MessageAttributes      map[string]Attribute `json:",omitempty"`
	MD5OfMessageAttributes string               `json:",omitempty"`
}

func (s *Queues) receiveMessage(ctx context.Context, _ *http.Request, in receiveMessageInput) (any, error) {
	q, err := s.Queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	limit := cmp.Or(in.MaxNumberOfMessages, 1)
	wait := q.wait
	if in.WaitTimeSeconds != nil {
		wait = time.Duration(*in.WaitTimeSeconds) * time.Second
	}
	var visibility *time.Duration
	if in.VisibilityTimeout != nil {
		visibility = new(time.Duration(*in.VisibilityTimeout) * time.Second)
	}
	switch {
	case limit < 1 || limit > maxBatch:
		return nil, errorf("InvalidParameterValue", "Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", limit)
	case wait < 0 || wait > maxWait:
		return nil, errorf("InvalidParameterValue", "Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", wait/time.Second)
	case visibility != nil && (*visibility < 0 || *visibility > maxVisibility):
		return nil, errorf("InvalidParameterValue", "Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200, if provided.", *visibility/time.Second)
	}
	messages, err := q.receive(ctx, limit, wait, visibility)
	if err != nil {
		return nil, err
	}
	out := make([]received, len(messages))
	for i, m := range messages {
		out[i] = received{
			MessageId: m.ID, ReceiptHandle: m.Receipt, Body: m.Body, MD5OfBody: MD5(m.Body),
			Attributes: choose(m.SystemAttributes(), slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames)),
		}
		if len(in.MessageAttributeNames) > 0 { // all or none: the project asks for "All"
			out[i].MessageAttributes, out[i].MD5OfMessageAttributes = m.Attributes, attributesMD5(m.Attributes)
		}
	}
	return map[string]any{"Messages": out}, nil
}

type deleteMessageInput struct{ QueueUrl, ReceiptHandle string }

func (s *Queues) deleteMessage(_ context.Context, _ *http.Request, in deleteMessageInput) (any, error) {
	q, err := s.Queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return struct{}{}, q.delete(in.ReceiptHandle)
}

type changeMessageVisibilityInput struct {
	QueueUrl, ReceiptHandle string
	VisibilityTimeout       int
}

func (s *Queues) changeMessageVisibility(_ context.Context, _ *http.Request, in changeMessageVisibilityInput) (any, error) {
	q, err := s.Queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return struct{}{}, q.changeVisibility(in.ReceiptHandle, time.Duration(in.VisibilityTimeout)*time.Second)
}
