package streamtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

var errAsked = errors.New("the function asks for it")

// handle passes the records to the function until all are done or too old. When the
// function names a failure, the records before it are done. When it fails, the batch is
// divided in two, so that a record which it never survives fails alone.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
func (m *StreamMapping) handle(ctx context.Context, records []types.Record) error {
	for attempt := 0; len(records) > 0; attempt++ {
		var err error
		if records, err = m.expire(ctx, records); err != nil {
			return err
		}
		done, err := m.invoke(ctx, records)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m.advance(records[:done])
		if done > 0 {
			attempt = 0
		}
		if records = records[done:]; len(records) == 0 {
			return nil
		}
		why := err
		if why == nil {
			why = errAsked
		}
		m.reportOnce(fmt.Sprintf("stream: records of %s are repeated: %v", m.Table, why))
		if err := m.Clock.Sleep(ctx, min(pollInterval<<min(attempt, 10), maxRetryWait)); err != nil {
			return err
		}
		if half := len(records) / 2; err != nil && half > 0 {
			if err := m.handle(ctx, records[:half]); err != nil {
				return err
			}
			records, attempt = records[half:], -1
		}
	}
	return nil
}

// invoke passes the records that match to the function, and returns how many of all are
// done. An error is the whole batch's.
func (m *StreamMapping) invoke(ctx context.Context, records []types.Record) (done int, err error) {
	var in events.DynamoDBEvent
	var places []int
	for at, r := range records {
		record, err := m.record(r)
		if err != nil {
			return 0, err
		}
		ok, err := m.matches(record)
		if err != nil {
			return 0, err
		}
		if ok {
			in.Records, places = append(in.Records, record), append(places, at)
		}
	}
	if len(places) == 0 {
		return len(records), nil
	}
	payload, err := json.Marshal(in)
	if err != nil {
		return 0, err
	}
	answer, err := m.Function.Invoke(ctx, payload)
	if err != nil {
		return 0, err
	}
	first, err := firstFailure(answer, in.Records)
	switch {
	case err != nil:
		return 0, err
	case first == len(places):
		return len(records), nil
	}
	return places[first], nil
}

// firstFailure returns the place of the first record that the answer names. An answer
// that names another record, or none by an empty name, fails the whole batch.
func firstFailure(answer []byte, records []events.DynamoDBEventRecord) (int, error) {
	var out events.DynamoDBEventResponse
	if err := json.Unmarshal(answer, &out); err != nil {
		return 0, fmt.Errorf("the answer is not a list of failures: %w", err)
	}
	first := len(records)
	for _, f := range out.BatchItemFailures {
		at := slices.IndexFunc(records, func(r events.DynamoDBEventRecord) bool { return r.Change.SequenceNumber == f.ItemIdentifier })
		if at < 0 {
			return 0, errors.New("the answer names a record that the function did not receive")
		}
		first = min(first, at)
	}
	return first, nil
}

// failure is the message to the failure destination.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-errors.html
type failure struct {
	Version   string    `json:"version"`
	Timestamp time.Time `json:"timestamp"`
	Batch     struct {
		ShardID       string    `json:"shardId"`
		StartSequence string    `json:"startSequenceNumber"`
		EndSequence   string    `json:"endSequenceNumber"`
		First         time.Time `json:"approximateArrivalOfFirstRecord"`
		Last          time.Time `json:"approximateArrivalOfLastRecord"`
		Size          int       `json:"batchSize"`
		StreamARN     string    `json:"streamArn"`
	} `json:"DDBStreamBatchInfo"`
}

// expire drops the records that are too old and returns the rest.
func (m *StreamMapping) expire(ctx context.Context, records []types.Record) ([]types.Record, error) {
	n := slices.IndexFunc(records, func(r types.Record) bool {
		return m.MaxAge == 0 || m.Clock.Now().Sub(aws.ToTime(r.Dynamodb.ApproximateCreationDateTime)) <= m.MaxAge
	})
	if n < 0 {
		n = len(records)
	}
	if n == 0 {
		return records, nil
	}
	first, last := records[0].Dynamodb, records[n-1].Dynamodb
	f := failure{Version: "1.0", Timestamp: m.Clock.Now()}
	f.Batch.ShardID, f.Batch.StreamARN, f.Batch.Size = m.at.Shard, m.arn, n
	f.Batch.StartSequence, f.Batch.EndSequence = aws.ToString(first.SequenceNumber), aws.ToString(last.SequenceNumber)
	f.Batch.First, f.Batch.Last = aws.ToTime(first.ApproximateCreationDateTime), aws.ToTime(last.ApproximateCreationDateTime)
	text, err := json.Marshal(f)
	if err == nil && m.OnFailure != nil {
		err = m.OnFailure(ctx, string(text))
	}
	if err != nil {
		return nil, err
	}
	m.Report(fmt.Sprintf("stream: %d records of %s are too old and dropped", n, m.Table))
	m.advance(records[:n])
	return records[n:], nil
}
