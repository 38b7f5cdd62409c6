package handler

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// noStores fails each write of one item. Claims are transactions, and succeed.
func noStores(operation string, _ []byte) dynamotest.Fault {
	if operation == "UpdateItem" {
		return dynamotest.Fault{Code: "InternalServerError"}
	}
	return dynamotest.Fault{}
}

// toRescue refreshes a grant whose new pair storage rejects.
func (r *refresher) toRescue(c connections.Connection) {
	r.t.Helper()
	r.Fault(noStores)
	defer r.Fault(nil)
	ctx, cancel := context.WithTimeout(r.t.Context(), 7*time.Second+500*time.Millisecond) // little more than a refresh needs to begin
	defer cancel()
	invocation := tokens.Wrap(r.h.tokens, r.h.tokens.Token)
	if _, err := invocation(ctx, c.Principal); !errors.Is(err, tokens.ErrTryAgain) {
		r.t.Fatalf("got error %v, want ErrTryAgain", err)
	}
	if got := len(r.Log.Lines(r.t, "new pair queued for rescue")); got == 0 {
		r.t.Fatal("the pair is not in the rescue queue")
	}
}

// waiting counts the messages of the rescue queue, in flight or not.
func (r *refresher) waiting() string {
	r.t.Helper()
	out, err := r.h.rescue.Client.GetQueueAttributes(r.t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &r.h.rescue.URL, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		r.t.Fatal(err)
	}
	return out.Attributes["ApproximateNumberOfMessages"] + "+" + out.Attributes["ApproximateNumberOfMessagesNotVisible"]
}

// The next run stores a pair that storage rejected, although other messages are not
// understood. The connection continues to work, and nothing was sent twice.
func TestRescued(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	r.Clock.Advance(2 * time.Hour)
	if _, err := r.h.rescue.Client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &r.h.rescue.URL, MessageBody: aws.String("not a pair")}); err != nil {
		t.Fatal(err)
	}
	r.toRescue(c)
	r.fails("housekeeping", "a message of the rescue queue is not readable")
	r.wantMetric("PairsRescued", 1, 1)
	if got := r.waiting(); got != "0+1" {
		t.Errorf("got %s messages in the queue, visible and not, want the one that cannot be understood", got)
	}
	r.wantGeneration(c, 2)
	r.wantGrant(c, tokens.Active)
	r.Clock.Advance(2 * time.Hour)
	r.run("refresh")
	r.wantGeneration(c, 3)
	if got := r.presented(); got != 2 {
		t.Errorf("got %d refreshes, want 2", got)
	}
}

// The queue takes at most a fifth of the time, so that a long one leaves time for the
// other parts.
func TestRescueLeavesTime(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	asked := &untilWhen{HTTPClient: r.h.rescue.Client.Options().HTTPClient}
	r.h.rescue.Client = sqs.New(r.h.rescue.Client.Options(), func(o *sqs.Options) { o.HTTPClient = asked })
	begin := time.Now()
	ctx, cancel := context.WithDeadline(t.Context(), begin.Add(time.Hour))
	defer cancel()
	if _, err := r.h.handle(ctx, Input{Task: "housekeeping"}); err != nil {
		t.Fatal(err)
	}
	if got := asked.end.Sub(begin); got < 11*time.Minute || got > 12*time.Minute+time.Second {
		t.Errorf("the queue may be asked for %v of an hour, want a fifth of it", got)
	}
}

// untilWhen records the deadline of the last request.
type untilWhen struct {
	sqs.HTTPClient
	end time.Time
}

func (u *untilWhen) Do(r *http.Request) (*http.Response, error) {
	u.end, _ = r.Context().Deadline()
	return u.HTTPClient.Do(r)
}

// While storage is down the message stays in the queue. If the connection ended in that
// time, the pair is stored all the same, so that it can be revoked.
func TestRescuedLate(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	r.Clock.Advance(2 * time.Hour)
	quick, err := r.h.rescue.Client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("quick"),
		Attributes: map[string]string{"VisibilityTimeout": "0"}}) // a message that failed is visible again at once
	if err != nil {
		t.Fatal(err)
	}
	r.h.rescue.URL = *quick.QueueUrl
	r.toRescue(c)
	r.Fault(noStores)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := r.h.handle(ctx, Input{Task: "housekeeping"}); err == nil {
		t.Error("housekeeping: no error while storage is down")
	}
	r.Fault(nil)
	if got := r.waiting(); got != "1+0" {
		t.Errorf("got %s messages in the queue, visible and not, want the pair's", got)
	}
	r.Clock.Advance(time.Minute) // past the claim
	if err := r.h.store.End(t.Context(), c.Key, "asked for"); !errors.Is(err, tokens.ErrTryAgain) {
		t.Fatalf("got %v, want that the revocation waits for the pair", err)
	}
	r.wantState(c, connections.Ended)
	for range 2 { // stored, and then revoked
		r.run("housekeeping")
		r.Clock.Advance(tokens.UnheldFor + time.Second)
	}
	r.wantGrant(c, tokens.Revoked)
	if got, alive := r.waiting(), r.live(); got != "0+0" || alive != 0 {
		t.Errorf("got %s messages and %d pairs alive at Procore, want none", got, alive)
	}
	r.presented()
}

// A pair that arrives after its grant was revoked is revoked, and not stored.
func TestRescuedAfterTheRevocation(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	r.Clock.Advance(2 * time.Hour)
	r.toRescue(c)
	pairs := r.h.rescue.URL
	empty, err := r.h.rescue.Client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("empty")})
	if err != nil {
		t.Fatal(err)
	}
	r.h.rescue.URL = *empty.QueueUrl
	r.Clock.Advance(time.Minute) // past the claim
	if err := r.h.store.End(t.Context(), c.Key, "asked for"); !errors.Is(err, tokens.ErrTryAgain) {
		t.Fatalf("got %v, want that the revocation waits for the pair", err)
	}
	r.Clock.Advance(tokens.UnheldFor + time.Second) // so long that the pair is given up
	r.run("housekeeping")
	r.wantGrant(c, tokens.Revoked)
	r.h.rescue.URL = pairs
	r.run("housekeeping")
	r.wantGrant(c, tokens.Revoked)
	r.wantGeneration(c, 1)
	if got, alive := r.waiting(), r.live(); got != "0+0" || alive != 0 {
		t.Errorf("got %s messages and %d pairs alive at Procore, want none", got, alive)
	}
	r.presented()
}
