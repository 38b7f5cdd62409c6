package operator

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// rescueWaiting returns how many pairs wait in the rescue queue and in its dead-letter queue.
func (o *Operator) rescueWaiting(ctx context.Context) (n int, err error) {
	for _, output := range []string{"RescueQueueUrl", "RescueDeadLetterQueueUrl"} {
		url := o.Outputs[output]
		if url == "" {
			return 0, fmt.Errorf("the stack has no output %s: is it deployed in this version?", output)
		}
		out, err := o.Rescue.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{
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
