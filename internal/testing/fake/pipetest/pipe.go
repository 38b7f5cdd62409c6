// Package pipetest replaces on this machine what AWS runs between the inbox and the
// consumer, over the wire of the real SDK. [Pipe] is the EventBridge Pipe from the
// table's stream to the queue. [Mapping] is the event source mapping from there to the
// function. [Streams] serves the stream of a DynamoDB in memory.
//
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes.html
package pipetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
)

const (
	pollInterval = 250 * time.Millisecond // as the service polls a shard
	retryWait    = time.Second
	saveEvery    = 10 // events
)

// Pipe is the pipe of template.yaml. It sends the envelope of each new item in the
// order of the stream, in the item's group and under its deduplication id. While the
// queue refuses an envelope for now, none overtakes it. A pipe may end at any moment:
// the next one continues at the saved position, and the queue drops duplicates.
//
// It reads a stream of one shard at a time, as emulators have.
type Pipe struct {
	Streams  *dynamodbstreams.Client
	Queue    *sqs.Client
	Table    string
	QueueURL string
	// PositionFile is where the position is saved. Empty: it is not saved.
	PositionFile string
	// FromNow makes a pipe without a position begin at the stream's end. The template's
	// pipe begins at the oldest record.
	FromNow bool
	Report  func(string) // receives what has to wait or is lost

	arn      string
	at       position
	iterator *string
	unsaved  int
	reported string // the latest report
}

// Begin finds the stream and the position in it. [Pipe.Run] calls it if it was not
// called.
func (p *Pipe) Begin(ctx context.Context) error {
	out, err := p.Streams.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: &p.Table})
	if err != nil {
		return fmt.Errorf("pipe: streams of %s: %w", p.Table, err)
	}
	if len(out.Streams) == 0 {
		return fmt.Errorf("pipe: table %s has no stream", p.Table)
	}
	p.arn = aws.ToString(out.Streams[len(out.Streams)-1].StreamArn)
	if p.at, err = load(p.PositionFile); err != nil {
		return err
	}
	return p.seek(ctx)
}

// Run sends events until ctx ends. It returns an error if it cannot find the stream.
func (p *Pipe) Run(ctx context.Context) error {
	if p.arn == "" {
		if err := p.Begin(ctx); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		n, err := p.read(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			p.reportOnce(fmt.Sprintf("pipe: the stream cannot be read: %v", err))
			p.iterator = nil
			pause(ctx, retryWait)
		case n == 0:
			pause(ctx, pollInterval)
		}
	}
	return nil
}

// read sends the events of the iterator's next records and returns how many records it
// read.
func (p *Pipe) read(ctx context.Context) (int, error) {
	if p.iterator == nil {
		if err := p.seek(ctx); err != nil || p.iterator == nil {
			return 0, err
		}
	}
	out, err := p.Streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: p.iterator})
	if err != nil {
		return 0, err
	}
	for _, r := range out.Records {
		if r.EventName == types.OperationTypeInsert {
			p.send(ctx, eventOf(r.Dynamodb.NewImage))
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		p.at.sequence = aws.ToString(r.Dynamodb.SequenceNumber)
		if p.unsaved++; p.unsaved >= saveEvery {
			if err := p.save(); err != nil {
				return 0, err
			}
		}
	}
	if p.iterator = out.NextShardIterator; p.iterator == nil {
		p.at.closed = true
	}
	return len(out.Records), p.save()
}

func (p *Pipe) save() error {
	if p.unsaved == 0 && !p.at.closed {
		return nil
	}
	p.unsaved = 0
	return p.at.save(p.PositionFile)
}

// seek sets the iterator for the position. There is none while the shard has ended
// without a successor.
func (p *Pipe) seek(ctx context.Context) error {
	out, err := p.Streams.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &p.arn})
	if err != nil {
		return fmt.Errorf("pipe: stream of %s: %w", p.Table, err)
	}
	shards := out.StreamDescription.Shards
	i := slices.IndexFunc(shards, func(s types.Shard) bool { return aws.ToString(s.ShardId) == p.at.shard })
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &p.arn, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	switch {
	case i >= 0 && !p.at.closed && p.at.sequence != "":
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &p.at.sequence
	case i >= 0 && !p.at.closed:
	case i == len(shards)-1:
		return nil // no successor yet, or no shard at all
	case p.at.shard == "" && p.FromNow:
		in.ShardIteratorType, i = types.ShardIteratorTypeLatest, len(shards)-1
		p.at = position{shard: aws.ToString(shards[i].ShardId)}
	default: // the successor, or the oldest one there is
		i++
		p.at = position{shard: aws.ToString(shards[i].ShardId)}
	}
	in.ShardId = shards[i].ShardId
	got, err := p.Streams.GetShardIterator(ctx, in)
	if _, trimmed := errors.AsType[*types.TrimmedDataAccessException](err); trimmed {
		p.reportOnce("pipe: events are lost: the stream no longer has the records after the position")
		p.at.sequence = ""
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeTrimHorizon, nil
		got, err = p.Streams.GetShardIterator(ctx, in)
	}
	if err != nil {
		return fmt.Errorf("pipe: stream of %s: %w", p.Table, err)
	}
	p.iterator = got.ShardIterator
	return nil
}

// event is the part of an inbox item that the pipe needs.
type event struct{ id, envelope, group, dedup string }

func eventOf(image map[string]types.AttributeValue) event {
	text := func(name string) string {
		s, ok := image[name].(*types.AttributeValueMemberS)
		if !ok {
			return ""
		}
		return s.Value
	}
	return event{text("event_id"), text("envelope"), text("group_id"), text("dedup_id")}
}

// send sends the event's envelope and retries until the queue has it. An item without
// an envelope is quarantined.
func (p *Pipe) send(ctx context.Context, e event) {
	if e.envelope == "" {
		return
	}
	for {
		_, err := p.Queue.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: &p.QueueURL, MessageBody: &e.envelope, MessageGroupId: &e.group, MessageDeduplicationId: &e.dedup,
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		if api, ok := errors.AsType[smithy.APIError](err); ok && slices.Contains(refusals, api.ErrorCode()) {
			p.reportOnce(fmt.Sprintf("pipe: event %s is lost: %v", e.id, err)) // the template's pipe sends it to the dead letters
			return
		}
		p.reportOnce(fmt.Sprintf("pipe: event %s has to wait: %v", e.id, err))
		pause(ctx, retryWait)
	}
}

// refusals are the codes of SQS for a message that it will never accept.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
var refusals = []string{"InvalidMessageContents", "InvalidParameterValue", "MissingParameter"}

// reportOnce reports the text unless it was the latest report.
func (p *Pipe) reportOnce(text string) {
	if text != p.reported {
		p.reported = text
		p.Report(text)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
