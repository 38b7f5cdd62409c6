package operator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"procore-connect/internal/operator/dead"
	"procore-connect/pkg/tokens"
)

// maxRescued is how many pairs of a queue are shown.
const maxRescued = 100

// Rescued is what waits to be rescued.
type Rescued struct {
	Waiting int           `json:"waiting"` // in the rescue queue, approximately
	Dead    int           `json:"dead"`    // in its dead-letter queue
	Pairs   []RescuedPair `json:"pairs"`   // at most 100 of each queue
}

// RescuedPair is a pair that waits to be stored, without the pair.
type RescuedPair struct {
	Dead       bool      `json:"dead"` // housekeeping tries it no longer
	Since      time.Time `json:"since"`
	Tries      int       `json:"tries"`
	Principal  string    `json:"principal,omitempty"`
	Generation int64     `json:"generation,omitempty"` // that it makes
	SealKey    string    `json:"seal_key,omitempty"`
	// Wanted reports whether its row still waits for it, and Next what becomes of it.
	Wanted bool   `json:"wanted"`
	Next   string `json:"next"`
}

// RescueList shows what waits in the rescue queue and in its dead-letter queue. It receives messages for a moment, which
// counts as one of 288 tries.
func (o *Operator) RescueList(ctx context.Context) (Rescued, error) {
	r := Rescued{Pairs: []RescuedPair{}}
	for _, of := range []struct {
		output string
		count  *int
	}{{"RescueQueueUrl", &r.Waiting}, {"RescueDeadLetterQueueUrl", &r.Dead}} {
		q, err := o.rescueQueue(of.output)
		if err != nil {
			return r, err
		}
		letters, total, err := q.Peek(ctx, maxRescued)
		if err != nil {
			return r, err
		}
		*of.count = total
		for _, l := range letters {
			p := RescuedPair{Dead: of.output != "RescueQueueUrl", Since: l.Since, Tries: l.Receipts}
			o.judgePair(ctx, &p, l.Body)
			r.Pairs = append(r.Pairs, p)
		}
	}
	return r, nil
}

func (o *Operator) rescueQueue(output string) (dead.Queue, error) {
	url := o.Outputs[output]
	if url == "" {
		return dead.Queue{}, fmt.Errorf("the stack has no output %s: is it deployed in this version?", output)
	}
	return dead.Queue{Client: o.Rescue.Client, URL: url, Clock: o.clock}, nil
}

// judgePair says what becomes of a pair.
func (o *Operator) judgePair(ctx context.Context, p *RescuedPair, body string) {
	m, err := tokens.ParseRescued([]byte(body))
	if err != nil {
		p.Next = "it cannot be read, and is no pair"
		return
	}
	p.Principal, p.Generation, p.SealKey = string(m.Principal), m.Generation+1, m.SealKey
	g, err := o.Connections.Tokens.Grant(ctx, m.Principal)
	switch {
	case m.Environment != o.Connections.Tokens.Environment.Name:
		p.Next = "it is of another environment, " + m.Environment
	case errors.Is(err, tokens.ErrNotFound):
		p.Next = "its row is gone: procore-connect restore brings it back first"
	case err != nil:
		p.Next = "its row cannot be read: " + err.Error()
	case g.Awaits(m):
		p.Wanted, p.Next = true, "its row waits for it, and it is stored"
	case g.State == tokens.Revoked:
		p.Next = "its grant is revoked, and it is revoked too"
	default:
		p.Next = fmt.Sprintf("its row has generation %d by now, and it is dropped", g.Generation)
	}
}

// RescueRun stores the pairs that wait, as housekeeping does, and returns how many messages that ended. With dead letters,
// SQS moves those back first.
func (o *Operator) RescueRun(ctx context.Context, withDead bool, progress func(dead.Move)) (moved int64, stored int, err error) {
	if withDead {
		q, err := o.rescueQueue("RescueDeadLetterQueueUrl")
		if err != nil {
			return 0, 0, err
		}
		m, err := q.Move(ctx, progress)
		if moved = m.Moved; err != nil {
			return moved, 0, err
		}
	}
	stored, err = o.Rescue.Drain(ctx, o.Connections.Tokens.Upkeep().Restore)
	return moved, stored, err
}

// rescueWaiting returns how many pairs wait in the rescue queue and in its dead-letter queue.
func (o *Operator) rescueWaiting(ctx context.Context) (n int, err error) {
	for _, output := range []string{"RescueQueueUrl", "RescueDeadLetterQueueUrl"} {
		q, err := o.rescueQueue(output)
		if err != nil {
			return 0, err
		}
		out, err := q.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.URL, AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		}})
		if err != nil {
			return 0, fmt.Errorf("%s cannot be read: %w", output, err)
		}
		for _, v := range out.Attributes {
			one, _ := strconv.Atoi(v)
			n += one
		}
	}
	return n, nil
}
