package crash

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"procore-connect/internal/platform/sdkhttp"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// eventually polls until ok.
func (c *clients) eventually(what string, ok func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); <-time.After(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("still not after two minutes: %s\n%s", what, c.v.said())
		}
	}
}

func (c *clients) state() (state procoretest.State) {
	c.t.Helper()
	if err := c.call(c.t.Context(), http.MethodGet, "/_fake/state", nil, &state); err != nil {
		c.t.Fatal(err)
	}
	return state
}

// judge waits until all is done, and compares the state with what was answered.
func (c *clients) judge() {
	c.t.Helper()
	a := c.aws()
	c.eventually("all events are delivered", func() bool {
		for _, h := range c.state().Hooks {
			if h.Waiting > 0 {
				return false
			}
		}
		return true
	})
	queue := sqs.NewFromConfig(a)
	c.eventually("the queue is empty", func() bool { return c.waiting(queue, "events.fifo") == 0 })
	c.dead = c.waiting(queue, "events-dead.fifo") // a kill during a refresh leaves an uncertain grant
	state := c.state()
	c.refreshes = c.presented()
	stored, handled, lost := c.inbox(a), c.v.events(), maps.Clone(c.events)
	for _, d := range state.Deliveries {
		if d.Outcome != procoretest.OutcomeOK {
			continue
		}
		c.delivered++
		delete(lost, d.EventID)
		if !handled[d.EventID] {
			c.silent++
		}
		if !stored[d.EventID] {
			c.t.Errorf("event %s was answered 200, and is not in the inbox", d.EventID)
		}
	}
	for id := range lost {
		c.t.Errorf("event %s was answered to the one who made the change, and was not delivered", id)
	}
	if c.silent > c.dead+c.v.kills { // a kill may lose the line that is being written
		c.t.Errorf("%d events have no line of the consumer, want at most %d dead letters and %d kills", c.silent, c.dead, c.v.kills)
	}
	c.judgeConnections(a)
}

// aws returns how the SDK reaches the AWS services.
func (c *clients) aws() aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: aws.String("http://" + c.v.addresses[2]), HTTPClient: sdkhttp.New(nil),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		})}
}

// waiting returns how many messages a queue has.
func (c *clients) waiting(client *sqs.Client, name string) (n int) {
	c.t.Helper()
	out, err := client.GetQueueAttributes(c.t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(awstest.QueueURL("http://"+c.v.addresses[2], name)), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		var k int
		if _, err := fmt.Sscan(out.Attributes[name], &k); err != nil {
			c.t.Fatalf("%s is %q", name, out.Attributes[name])
		}
		n += k
	}
	return n
}

// inbox returns the ids of all events in it.
func (c *clients) inbox(a aws.Config) map[string]bool {
	c.t.Helper()
	ids := map[string]bool{}
	pages := dynamodb.NewScanPaginator(dynamodb.NewFromConfig(a), &dynamodb.ScanInput{TableName: &names.Inbox})
	for pages.HasMorePages() {
		page, err := pages.NextPage(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		for _, item := range page.Items {
			if id, ok := item["event_id"].(*dbtypes.AttributeValueMemberS); ok {
				ids[id.Value] = true
			}
		}
	}
	return ids
}

// judgeConnections: each company of which a user saw that it is connected, is.
func (c *clients) judgeConnections(a aws.Config) {
	c.t.Helper()
	db := dynamodb.NewFromConfig(a)
	store := &connections.Store{DB: db, Table: names.Connections, Tokens: &tokens.Store{DB: db, Grants: names.Grants, Spends: names.Spends,
		Environment: procore.Environment{Name: "custom"}}}
	for i, connected := range c.connected {
		key := connections.Key{CompanyID: firstCompany + int64(i), Principal: tokens.User(firstUser + int64(i))}
		got, err := store.Connection(c.t.Context(), key)
		if connected && (err != nil || got.State != connections.Connected) {
			c.t.Errorf("company %d was connected, and is %q: %v", key.CompanyID, got.State, err)
		}
	}
}

// String counts what happened.
func (c *clients) String() string {
	return fmt.Sprintf("%d connections, %d changes, %d deliveries answered 200, %d refreshes, %d events handled, %d dead letters, %d without a line",
		c.made, len(c.events), c.delivered, c.refreshes, len(c.v.events()), c.dead, c.silent)
}
