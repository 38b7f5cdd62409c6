package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"
)

// Depth is how many messages a queue has, about.
type Depth struct {
	Name   string
	Ready  int    // that anyone may receive
	Hidden int    // that someone has received a moment ago
	Empty  bool   // no message should be there
	Next   string // what to do about those that are
	Err    error
}

// Messages is how many there are.
func (d Depth) Messages() int { return d.Ready + d.Hidden }

// Depths reads how deep all queues are. It receives nothing. An error is beside each.
func (o *Operator) Depths(ctx context.Context) []Depth {
	const list = "procore-connect dead list"
	all := []Depth{
		{Name: "events for the consumer"},
		{Name: "events that the consumer failed to handle", Empty: true, Next: list},
		{Name: "places in the inbox's stream that were not dispatched", Empty: true, Next: list},
		{Name: "places in the streams that were not announced", Empty: true, Next: list},
		{Name: "pairs to rescue", Empty: true, Next: "procore-connect rescue list"},
		{Name: "pairs that could not be stored for a day", Empty: true, Next: "docs/RUNBOOK.md, RescueDeadLetterAlarm"},
	}
	var g errgroup.Group
	for i, url := range []string{
		o.Outputs["EventsQueueUrl"], o.Outputs["EventsDeadLetterQueueUrl"], o.Outputs["DispatcherDeadLetterQueueUrl"], o.Outputs["AnnouncerDeadLetterQueueUrl"], o.Rescue.URL,
	} {
		g.Go(func() error {
			policy := o.depth(ctx, &all[i], url)
			if last := len(all) - 1; i == last-1 {
				if dead := deadLetters(url, policy); dead != "" {
					o.depth(ctx, &all[last], dead)
				}
			}
			return nil
		})
	}
	_ = g.Wait() // errors are beside each
	return all
}

// depth reads how deep a queue is, and returns its policy of dead letters.
func (o *Operator) depth(ctx context.Context, d *Depth, url string) (policy string) {
	const ready, hidden = types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	out, err := o.Rescue.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url,
		AttributeNames: []types.QueueAttributeName{ready, hidden, types.QueueAttributeNameRedrivePolicy}})
	if err != nil {
		d.Err = fmt.Errorf("the queue of %s: %w", d.Name, err)
		return ""
	}
	d.Ready, _ = strconv.Atoi(out.Attributes[string(ready)]) // a number
	d.Hidden, _ = strconv.Atoi(out.Attributes[string(hidden)])
	return out.Attributes[string(types.QueueAttributeNameRedrivePolicy)]
}

// deadLetters returns the address of a queue's dead-letter queue, which is in the same account and region. It is empty if
// there is none.
func deadLetters(url, policy string) string {
	var redrive struct {
		Target string `json:"deadLetterTargetArn"`
	}
	if json.Unmarshal([]byte(policy), &redrive) != nil || redrive.Target == "" {
		return ""
	}
	return url[:strings.LastIndexByte(url, '/')+1] + redrive.Target[strings.LastIndexByte(redrive.Target, ':')+1:]
}
