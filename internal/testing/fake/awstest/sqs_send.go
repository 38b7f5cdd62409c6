package awstest

import (
	"context"
	"net/http"
	"time"
)

type entry struct {
	Id                     string
	MessageBody            string
	DelaySeconds           *int
	MessageAttributes      map[string]Attribute
	MessageDeduplicationId string
	MessageGroupId         string
}

type sendMessageInput struct {
	QueueUrl string
	entry
}

type sendMessageOutput struct {
	Id                     string `json:",omitempty"`
	MessageId              string
	MD5OfMessageBody       string
	MD5OfMessageAttributes string `json:",omitempty"`
	SequenceNumber         string `json:",omitempty"`
}

func (s *Queues) sendMessage(_ context.Context, _ *http.Request, in sendMessageInput) (any, error) {
	q, err := s.Queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return q.sendEntry(in.entry)
}

func (q *Queue) sendEntry(e entry) (*sendMessageOutput, error) {
	var delay *time.Duration
	if e.DelaySeconds != nil && *e.DelaySeconds != 0 {
		if *e.DelaySeconds < 0 || *e.DelaySeconds > 900 {
			return nil, errorf("InvalidParameterValue", "Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", *e.DelaySeconds)
		}
		delay = new(time.Duration(*e.DelaySeconds) * time.Second)
	}
	m := Message{Body: e.MessageBody, Group: e.MessageGroupId, Dedup: e.MessageDeduplicationId, Attributes: e.MessageAttributes}
	id, sequence, err := q.send(m, delay)
	if err != nil {
		return nil, err
	}
	return &sendMessageOutput{e.Id, id, MD5(e.MessageBody), attributesMD5(e.MessageAttributes), sequence}, nil
}

type sendMessageBatchInput struct {
	QueueUrl string
	Entries  []entry
}

func (s *Queues) sendMessageBatch(_ context.Context, _ *http.Request, in sendMessageBatchInput) (any, error) {
	size := 0
	for _, e := range in.Entries {
		size += len(e.MessageBody)
	}
	if size > maxBody {
		return nil, errorf("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxBody, size)
	}
	return batch(s, in.QueueUrl, in.Entries, func(e entry) string { return e.Id }, func(q *Queue, e entry) (any, error) {
		return q.sendEntry(e)
	})
}

type deleteEntry struct{ Id, ReceiptHandle string }

type deleteMessageBatchInput struct {
	QueueUrl string
	Entries  []deleteEntry
}

func (s *Queues) deleteMessageBatch(_ context.Context, _ *http.Request, in deleteMessageBatchInput) (any, error) {
	return batch(s, in.QueueUrl, in.Entries, func(e deleteEntry) string { return e.Id }, func(q *Queue, e deleteEntry) (any, error) {
		return map[string]string{"Id": e.Id}, q.delete(e.ReceiptHandle)
	})
}

type visibilityEntry struct {
	Id, ReceiptHandle string
	VisibilityTimeout int
}

type changeMessageVisibilityBatchInput struct {
	QueueUrl string
	Entries  []visibilityEntry
}

func (s *Queues) changeMessageVisibilityBatch(_ context.Context, _ *http.Request, in changeMessageVisibilityBatchInput) (any, error) {
	return batch(s, in.QueueUrl, in.Entries, func(e visibilityEntry) string { return e.Id }, func(q *Queue, e visibilityEntry) (any, error) {
		return map[string]string{"Id": e.Id}, q.changeVisibility(e.ReceiptHandle, time.Duration(e.VisibilityTimeout)*time.Second)
	})
}

// batch does each entry and reports which failed.
func batch[E any](s *Queues, url string, entries []E, id func(E) string, do func(*Queue, E) (any, error)) (any, error) {
	q, err := s.Queue(url)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]bool)
	for _, e := range entries {
		ids[id(e)] = true
	}
	switch {
	case len(entries) == 0:
		return nil, errorf("EmptyBatchRequest", "There should be at least one entry in the request.")
	case len(entries) > maxBatch:
		return nil, errorf("TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maxBatch, len(entries))
	case len(ids) < len(entries):
		return nil, errorf("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
	}
	successful, failed := []any{}, []any{}
	for _, e := range entries {
		out, err := do(q, e)
		if err != nil {
			failed = append(failed, failure(id(e), err))
			continue
		}
		successful = append(successful, out)
	}
	return map[string]any{"Successful": successful, "Failed": failed}, nil
}
