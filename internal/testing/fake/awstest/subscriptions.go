package awstest

import (
	"encoding/xml"
	"fmt"
	"strconv"
)

// subscriptionsPage is how many subscriptions an answer has.
const subscriptionsPage = 100

type subscription struct{ TopicArn, Protocol, SubscriptionArn, Owner, Endpoint string }

// Subscribe adds a subscription to a topic, which it creates. A subscription that is not confirmed receives nothing.
func (t *Topics) Subscribe(topic, protocol, endpoint string, confirmed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	arn := TopicARN(topic)
	t.topics[arn] = append([]Published{}, t.topics[arn]...)
	s := subscription{TopicArn: arn, Protocol: protocol, SubscriptionArn: "PendingConfirmation", Owner: account, Endpoint: endpoint}
	if confirmed {
		s.SubscriptionArn = fmt.Sprintf("%s:%s", arn, newID())
	}
	t.subscribers[arn] = append(t.subscribers[arn], s)
}

type listed struct {
	XMLName xml.Name `xml:"http://sns.amazonaws.com/doc/2010-03-31/ ListSubscriptionsByTopicResponse"`
	Result  struct {
		Subscriptions []subscription `xml:"Subscriptions>member"`
		NextToken     string         `xml:",omitempty"`
	} `xml:"ListSubscriptionsByTopicResult"`
}

// list: https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
func (t *Topics) list(arn, token string) (any, *Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.topics[arn]; !ok {
		return nil, &Error{Code: "NotFound", Message: "Topic does not exist", status: 404}
	}
	all := t.subscribers[arn]
	from := 0
	if token != "" {
		n, err := strconv.Atoi(token)
		if err != nil || n < 0 || n > len(all) {
			return nil, errorf("InvalidParameter", "Invalid parameter: NextToken")
		}
		from = n
	}
	to := min(from+subscriptionsPage, len(all))
	out := listed{}
	out.Result.Subscriptions = all[from:to]
	if to < len(all) {
		out.Result.NextToken = strconv.Itoa(to)
	}
	return out, nil
}
