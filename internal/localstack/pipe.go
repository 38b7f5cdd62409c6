package localstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/awstest"
	"procore-connect/internal/dynamotest"
)

const (
	byCompany    = "by_company" // the inbox's index
	pollInterval = time.Second
)

type item = map[string]types.AttributeValue

// startPipe hands new items of the inbox to the events queue, as the pipe of
// the template does. A DynamoDB that is not ours gives no feed here, so the
// inbox's index is read again and again instead.
func (s *Stack) startPipe(ctx, background context.Context) error {
	p := &pipe{queue: s.Events, report: s.out.say}
	if s.Dynamo != nil {
		s.loops.Go(func() { p.follow(background, s.Dynamo) })
		return nil
	}
	poll := &poll{pipe: p, db: s.db, seen: make(map[string]bool)}
	if _, err := poll.news(ctx); err != nil { // what is there already is no news
		return fmt.Errorf("DynamoDB at %s: %w", s.dynamoURL(), err)
	}
	s.loops.Go(func() { poll.run(background) })
	return nil
}

// pipe sends the finished message of an item to the queue.
type pipe struct {
	queue  *awstest.Queue
	report func(string)
}

// follow reads the feed until ctx ends.
func (p *pipe) follow(ctx context.Context, db *dynamotest.Server) {
	var after uint64
	for {
		records, err := db.Feed(ctx, names.Inbox, after)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, dynamotest.ErrTrimmed):
			after = 0 // what was sent before is refused as a duplicate
			continue
		case err != nil:
			p.report(fmt.Sprintf("pipe: stopped: %v", err))
			return
		}
		for _, r := range records {
			if r.Event == "INSERT" {
				p.forward(ctx, letterOf(r.NewImage))
			}
			after = r.Sequence
		}
	}
}

// letter is the part of an inbox item that the pipe needs.
type letter struct{ id, envelope, group, dedup string }

// letterOf reads an item as a stream has it.
func letterOf(image json.RawMessage) letter {
	var i struct {
		ID       struct{ S string } `json:"event_id"`
		Envelope struct{ S string } `json:"envelope"`
		Group    struct{ S string } `json:"group_id"`
		Dedup    struct{ S string } `json:"dedup_id"`
	}
	if err := json.Unmarshal(image, &i); err != nil {
		return letter{} // attributes of other types: nothing that the receiver stored
	}
	return letter{i.ID.S, i.Envelope.S, i.Group.S, i.Dedup.S}
}

// forward sends the item's envelope. An item without one was kept aside. Nothing
// overtakes an event that a full queue does not take yet.
func (p *pipe) forward(ctx context.Context, l letter) {
	if l.envelope == "" {
		return
	}
	for waiting := false; ; waiting = true {
		_, _, err := p.queue.Send(awstest.Message{Body: l.envelope, Group: l.group, Dedup: l.dedup})
		if err == nil {
			return
		}
		if e, ok := errors.AsType[*awstest.Error](err); !ok || e.Code != "RequestThrottled" {
			p.report(fmt.Sprintf("pipe: event %s is lost: %v", l.id, err))
			return
		}
		if !waiting {
			p.report(fmt.Sprintf("pipe: event %s has to wait: %v", l.id, err))
		}
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return
		}
	}
}

// poll finds new items by the inbox's index.
type poll struct {
	*pipe
	db   *dynamodb.Client
	seen map[string]bool // resource and event id
}

func (p *poll) run(ctx context.Context) {
	for {
		select {
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return
		}
		news, err := p.news(ctx)
		if err != nil && ctx.Err() == nil {
			p.report(fmt.Sprintf("pipe: the inbox cannot be read: %v", err))
		}
		for _, key := range news {
			p.send(ctx, key)
		}
	}
}

// news gives the keys that were not seen before, by time of arrival.
func (p *poll) news(ctx context.Context) ([]item, error) {
	var found []item
	pages := dynamodb.NewScanPaginator(p.db, &dynamodb.ScanInput{TableName: &names.Inbox, IndexName: aws.String(byCompany)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, i := range page.Items {
			if !p.seen[identity(i)] {
				found = append(found, i)
			}
		}
	}
	for _, i := range found {
		p.seen[identity(i)] = true
	}
	slices.SortStableFunc(found, func(a, b item) int { return int(number(a, "received_at_ms") - number(b, "received_at_ms")) })
	return found, nil
}

func (p *poll) send(ctx context.Context, i item) {
	out, err := p.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &names.Inbox, ConsistentRead: aws.Bool(true),
		Key: item{"resource": i["resource"], "event_id": i["event_id"]},
	})
	if err != nil {
		delete(p.seen, identity(i)) // again at the next turn
		return
	}
	p.forward(ctx, letter{text(out.Item, "event_id"), text(out.Item, "envelope"), text(out.Item, "group_id"), text(out.Item, "dedup_id")})
}

func identity(i item) string { return text(i, "resource") + "\x00" + text(i, "event_id") }

func text(i item, name string) string {
	if s, ok := i[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func number(i item, name string) int64 {
	n, ok := i[name].(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return 0
	}
	return v
}
