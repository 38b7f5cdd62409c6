package localstack

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/awstest"
	"procore-connect/internal/dynamotest"
	"procore-connect/internal/tables"
)

// inboxTable gives an inbox and its queue.
func inboxTable(t *testing.T) (*dynamotest.Server, *dynamodb.Client, *awstest.Queue) {
	t.Helper()
	server := dynamotest.New()
	db := dynamotest.Client(server.Start(t))
	if err := tables.Create(t.Context(), db, names); err != nil {
		t.Fatal(err)
	}
	q, err := awstest.NewQueues().Create(eventsQueue, awstest.QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return server, db, q
}

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

func put(t *testing.T, db *dynamodb.Client, n int, attributes item) {
	t.Helper()
	i := item{
		"resource": s("5678#RFIs#1"), "event_id": s(fmt.Sprint(n)), "company_id": s("5678"),
		"received_at_ms": &types.AttributeValueMemberN{Value: fmt.Sprint(1000 + n)},
	}
	maps.Copy(i, attributes)
	if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &names.Inbox, Item: i}); err != nil {
		t.Fatal(err)
	}
}

func event(n int) item {
	return item{"envelope": s(fmt.Sprintf(`{"n":%d}`, n)), "group_id": s("g"), "dedup_id": s(fmt.Sprint(n))}
}

// arrived receives until the message that marks the end.
func arrived(t *testing.T, q *awstest.Queue, last string) []string {
	t.Helper()
	var got []string
	for len(got) == 0 || got[len(got)-1] != last {
		messages, err := q.Receive(t.Context(), 1, 10*time.Second)
		if err != nil || len(messages) == 0 {
			t.Fatalf("after %v nothing more: %v", got, err)
		}
		got = append(got, messages[0].Body)
		if err := q.Delete(messages[0].Receipt); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

// fill writes events among what the pipe has to leave out.
func fill(t *testing.T, db *dynamodb.Client) {
	t.Helper()
	put(t, db, 1, event(1))
	put(t, db, 2, item{"reason": s("kept aside")})
	put(t, db, 3, event(3))
	put(t, db, 1, event(9)) // a MODIFY
	put(t, db, 4, event(4))
}

func TestPipeFollowsTheFeed(t *testing.T) {
	t.Parallel()
	server, db, q := inboxTable(t)
	p := &pipe{queue: q, report: func(s string) { t.Error(s) }}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.follow(ctx, server)
	}()
	fill(t, db)
	if d := cmp.Diff(arrived(t, q, `{"n":4}`), []string{`{"n":1}`, `{"n":3}`, `{"n":4}`}); d != "" {
		t.Errorf("messages (-got +want):\n%s", d)
	}
	cancel()
	<-done
}

func TestPollOfAnotherDynamoDB(t *testing.T) {
	t.Parallel()
	_, db, q := inboxTable(t)
	put(t, db, 0, event(0)) // is there already
	p := &poll{pipe: &pipe{queue: q, report: func(s string) { t.Error(s) }}, db: db, seen: make(map[string]bool)}
	if _, err := p.news(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, db, 4, event(4))
	put(t, db, 3, event(3)) // arrived before 4, by its time
	for range 2 {
		news, err := p.news(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range news {
			p.send(t.Context(), key)
		}
	}
	if d := cmp.Diff(arrived(t, q, `{"n":4}`), []string{`{"n":3}`, `{"n":4}`}); d != "" {
		t.Errorf("messages (-got +want):\n%s", d)
	}
}

func TestItemsWithoutIDsAreReported(t *testing.T) {
	t.Parallel()
	_, _, q := inboxTable(t)
	var reports []string
	p := &pipe{queue: q, report: func(s string) { reports = append(reports, s) }}
	p.forward(t.Context(), letter{id: "7", envelope: `{}`, group: "a b", dedup: "7"})
	if len(reports) != 1 {
		t.Errorf("reports = %q, want the loss of event 7", reports)
	}
}

// What a full queue does not take is not lost, and nothing overtakes it.
func TestPipeWaitsForAFullQueue(t *testing.T) {
	t.Parallel()
	_, _, q := inboxTable(t)
	big := strings.Repeat("x", 1<<20)
	for n := range 64 {
		if _, _, err := q.Send(awstest.Message{Body: big, Group: "big", Dedup: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
	}
	reports := make(chan string, 10)
	p := &pipe{queue: q, report: func(s string) { reports <- s }}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.forward(t.Context(), letter{id: "1", envelope: `{"n":1}`, group: "g", dedup: "e1"})
		p.forward(t.Context(), letter{id: "2", envelope: `{"n":2}`, group: "g", dedup: "e2"})
	}()
	if got := <-reports; !strings.Contains(got, "event 1 has to wait") {
		t.Errorf("report %q", got)
	}
	messages, err := q.Receive(t.Context(), 1, 0)
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	if err := q.Delete(messages[0].Receipt); err != nil {
		t.Fatal(err)
	}
	<-done
	if len(reports) != 0 {
		t.Errorf("another report: %s", <-reports)
	}
}
