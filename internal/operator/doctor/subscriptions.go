package doctor

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// maxSubscriptionPages bounds what is read of a topic's subscriptions.
const maxSubscriptionPages = 10

// subscriptions checks that alarms and announcements reach someone.
func (d *Doctor) subscriptions(ctx context.Context) []Finding {
	var found []Finding
	client := sns.NewFromConfig(d.AWS())
	for _, topic := range []struct{ output, what string }{{"AlarmsTopicArn", "alarms"}, {"ConnectionsTopicArn", "connections that need a person"}} {
		arn := d.Outputs[topic.output]
		confirmed, pending, err := subscribers(ctx, client, arn)
		subscribe := "aws sns subscribe --topic-arn " + arn + " --protocol email --notification-endpoint YOUR-ADDRESS"
		switch {
		case err != nil:
			found = append(found, d.cannot("who is told of "+topic.what, err))
		case len(confirmed) == 0 && len(pending) == 0 && d.Local:
			found = append(found, notHere("who is told of "+topic.what))
		case len(confirmed) == 0 && len(pending) == 0:
			found = append(found, Finding{Verdict: Failed, Finding: "no one is told of " + topic.what + ": the topic of " + topic.output + " has no subscription", Next: subscribe})
		case len(confirmed) == 0:
			found = append(found, Finding{Verdict: Failed, Finding: "no one is told of " + topic.what + ": not confirmed by " + strings.Join(pending, ", "),
				Next: "open the link in the mail of AWS with the subject Subscription Confirmation; after three days, " + subscribe})
		case len(pending) > 0:
			found = append(found, Finding{Verdict: Warning, Finding: "a subscription to " + topic.what + " is not confirmed by " + strings.Join(pending, ", "),
				Next: "open the link in the mail of AWS with the subject Subscription Confirmation"})
		}
	}
	if len(found) == 0 {
		return ok("both topics have a confirmed subscription")
	}
	return found
}

// subscribers returns the addresses that are subscribed to a topic.
func subscribers(ctx context.Context, client *sns.Client, arn string) (confirmed, pending []string, err error) {
	p := sns.NewListSubscriptionsByTopicPaginator(client, &sns.ListSubscriptionsByTopicInput{TopicArn: &arn})
	for n := 0; p.HasMorePages() && n < maxSubscriptionPages; n++ {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, s := range page.Subscriptions {
			if strings.HasPrefix(aws.ToString(s.SubscriptionArn), "arn:") {
				confirmed = append(confirmed, short(aws.ToString(s.Endpoint)))
			} else if aws.ToString(s.SubscriptionArn) == "PendingConfirmation" {
				pending = append(pending, short(aws.ToString(s.Endpoint)))
			}
		}
	}
	return confirmed, pending, nil
}
