package awstest_test

import (
	"context"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"procore-connect/internal/testing/fake/awstest"
)

// The subscriptions of a topic are listed by pages. One that is not confirmed has no ARN.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	topics := awstest.NewTopics("empty")
	for i := range 230 {
		topics.Subscribe("alarms", "email", strconv.Itoa(i)+"@example.com", i%2 == 0)
	}
	server := httptest.NewServer(&awstest.Services{Topics: topics})
	t.Cleanup(server.Close)
	client := sns.New(sns.Options{BaseEndpoint: &server.URL, Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		})})
	for topic, want := range map[string]int{"empty": 0, "alarms": 230, "none": -1} {
		all, pending := 0, 0
		p := sns.NewListSubscriptionsByTopicPaginator(client, &sns.ListSubscriptionsByTopicInput{TopicArn: aws.String(awstest.TopicARN(topic))})
		for p.HasMorePages() {
			page, err := p.NextPage(t.Context())
			if err != nil {
				if want >= 0 {
					t.Error(err)
				}
				all = -1
				break
			}
			for _, s := range page.Subscriptions {
				all++
				if *s.SubscriptionArn == "PendingConfirmation" {
					pending++
				}
			}
		}
		if all != want || pending != max(want, 0)/2 {
			t.Errorf("%s: %d subscriptions, %d of them pending, want %d, and half of them", topic, all, pending, want)
		}
	}
}
