package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// queues checks that no message waits where none should.
func (d *Doctor) queues(ctx context.Context) []Finding {
	var found []Finding
	check := func(name, url, next string) (policy string) {
		attributes, err := d.attributes(ctx, url)
		if err != nil {
			found = append(found, d.cannot("the queue of "+name, err))
			return ""
		}
		n := 0
		for _, count := range []types.QueueAttributeName{waiting, hidden} {
			more, _ := strconv.Atoi(attributes[string(count)]) // a number
			n += more
		}
		if n > 0 {
			found = append(found, Finding{Verdict: Failed, Finding: fmt.Sprintf("%s: %d", name, n), Next: next})
		}
		return attributes[string(types.QueueAttributeNameRedrivePolicy)]
	}
	check("events that the consumer failed to handle", d.Outputs["EventsDeadLetterQueueUrl"], "procore-connect dead list")
	check("places in the inbox's stream that were not dispatched", d.Outputs["DispatcherDeadLetterQueueUrl"], "procore-connect dead list")
	check("places in the streams that were not announced", d.Outputs["AnnouncerDeadLetterQueueUrl"], "procore-connect dead list")
	policy := check("pairs to rescue", d.Rescue.URL, "procore-connect rescue list")
	if url := deadLetters(d.Rescue.URL, policy); url != "" {
		check("pairs that could not be stored for a day", url, "docs/RUNBOOK.md, RescueDeadLetterAlarm")
	}
	return orOK(found, "no event is dead, and no pair waits to be rescued")
}

const (
	waiting = types.QueueAttributeNameApproximateNumberOfMessages
	hidden  = types.QueueAttributeNameApproximateNumberOfMessagesNotVisible
)

func (d *Doctor) attributes(ctx context.Context, url string) (map[string]string, error) {
	out, err := d.Rescue.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url,
		AttributeNames: []types.QueueAttributeName{waiting, hidden, types.QueueAttributeNameRedrivePolicy}})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
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
