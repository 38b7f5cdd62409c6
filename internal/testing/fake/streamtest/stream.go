// Package streamtest replaces on this machine the event source mappings of Lambda, over
// the wire of the real SDK. [StreamMapping] passes the changes of a table to a function,
// [QueueMapping] the messages of a queue. [Streams] serves the streams of a DynamoDB in
// memory.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
package streamtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"procore-connect/pkg/procore"
)

const (
	pollInterval = 250 * time.Millisecond // as the service polls a shard
	retryWait    = time.Second
	maxRetryWait = 10 * time.Second // between invocations with the same records
)

// StreamMapping is the event source mapping from a table's stream to a function, with
// ReportBatchItemFailures, BisectBatchOnFunctionError and a parallelization factor of
// one. Batches of a shard are passed one after another, in order, and repeated until the
// function has done them or they are too old. A mapping may end at any moment: the next
// one continues at the saved position.
//
// It reads a stream of one shard at a time, as emulators have.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
type StreamMapping struct {
	Streams  *dynamodbstreams.Client
	Table    string
	Function Function
	// Filters are patterns, of which a record has to match one. Without a filter each matches.
	Filters []string
	// BatchSize is the most records that the function gets at once.
	BatchSize int
	// MaxAge is how old a record may be that is passed to the function. 0: any age.
	MaxAge time.Duration
	// OnFailure receives the positions of records that became too old: the failure
	// destination. nil: they are only reported.
	OnFailure func(ctx context.Context, message string) error
	// Storage is where the position is saved. nil: it is not saved.
	Storage Storage
	// FromNow makes a mapping without a position begin at the stream's end. The template's
	// mappings begin at the oldest record.
	FromNow bool
	Clock   procore.Clock
	Report  func(string) // receives what is repeated or lost

	arn      string
	filters  Filters
	at       position
	iterator *string
	reported string // the latest report
}

// Begin finds the stream and the position in it. [StreamMapping.Run] calls it if it was
// not called.
func (m *StreamMapping) Begin(ctx context.Context) error {
	var err error
	if m.filters, err = ParseFilters(m.Filters); err != nil {
		return err
	}
	out, err := m.Streams.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: &m.Table})
	if err != nil {
		return fmt.Errorf("stream: streams of %s: %w", m.Table, err)
	}
	if len(out.Streams) == 0 {
		return fmt.Errorf("stream: table %s has no stream", m.Table)
	}
	m.arn = aws.ToString(out.Streams[len(out.Streams)-1].StreamArn)
	if m.at, err = load(m.Storage); err != nil {
		return err
	}
	return m.seek(ctx)
}

// Run passes records until ctx ends. It returns an error if it cannot find the stream.
func (m *StreamMapping) Run(ctx context.Context) error {
	if m.arn == "" {
		if err := m.Begin(ctx); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		n, err := m.read(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			m.reportOnce(fmt.Sprintf("stream: %s cannot be read: %v", m.Table, err))
			m.iterator = nil
			_ = m.Clock.Sleep(ctx, retryWait) // it ends with ctx
		case n == 0:
			_ = m.Clock.Sleep(ctx, pollInterval)
		}
	}
	return nil
}

// read handles the iterator's next records and returns how many it read.
func (m *StreamMapping) read(ctx context.Context) (int, error) {
	if m.iterator == nil {
		if err := m.seek(ctx); err != nil || m.iterator == nil {
			return 0, err
		}
	}
	out, err := m.Streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: m.iterator, Limit: aws.Int32(int32(m.BatchSize))})
	if err != nil {
		return 0, err
	}
	if err := m.handle(ctx, out.Records); err != nil {
		return 0, err
	}
	if m.iterator = out.NextShardIterator; m.iterator == nil {
		m.at.Closed = true
		m.at.save(m.Storage)
	}
	return len(out.Records), nil
}

// advance saves that the records are done.
func (m *StreamMapping) advance(done []types.Record) {
	if len(done) > 0 {
		m.at.Sequence = aws.ToString(done[len(done)-1].Dynamodb.SequenceNumber)
		m.at.save(m.Storage)
	}
}

// seek sets the iterator for the position. There is none while the shard has ended
// without a successor.
func (m *StreamMapping) seek(ctx context.Context) error {
	out, err := m.Streams.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &m.arn})
	if err != nil {
		return fmt.Errorf("stream: stream of %s: %w", m.Table, err)
	}
	shards := out.StreamDescription.Shards
	i := slices.IndexFunc(shards, func(s types.Shard) bool { return aws.ToString(s.ShardId) == m.at.Shard })
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: &m.arn, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	switch {
	case i >= 0 && !m.at.Closed && m.at.Sequence != "":
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &m.at.Sequence
	case i >= 0 && !m.at.Closed:
	case i == len(shards)-1:
		return nil // no successor yet, or no shard at all
	case m.at.Shard == "" && m.FromNow:
		in.ShardIteratorType, i = types.ShardIteratorTypeLatest, len(shards)-1
		m.at = position{Shard: aws.ToString(shards[i].ShardId)}
	default: // the successor, or the oldest one there is
		i++
		m.at = position{Shard: aws.ToString(shards[i].ShardId)}
	}
	in.ShardId = shards[i].ShardId
	got, err := m.Streams.GetShardIterator(ctx, in)
	if _, trimmed := errors.AsType[*types.TrimmedDataAccessException](err); trimmed {
		m.reportOnce("stream: records are lost: the stream no longer has those after the position")
		m.at.Sequence = ""
		in.ShardIteratorType, in.SequenceNumber = types.ShardIteratorTypeTrimHorizon, nil
		got, err = m.Streams.GetShardIterator(ctx, in)
	}
	if err != nil {
		return fmt.Errorf("stream: stream of %s: %w", m.Table, err)
	}
	m.iterator = got.ShardIterator
	return nil
}

// reportOnce reports the text unless it was the latest report.
func (m *StreamMapping) reportOnce(text string) {
	if text != m.reported {
		m.reported = text
		m.Report(text)
	}
}
