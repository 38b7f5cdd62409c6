package streamtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
)

const (
	arnPrefix = "arn:aws:dynamodb:us-east-1:000000000000:table/"
	arnSuffix = "/stream/2026-01-01T00:00:00.000"
	shard     = "shardId-00000000000000000001-00000001"

	// sequenceBase makes sequence numbers 21 digits long, the least that the service takes.
	sequenceBase = "1%020d"

	maxRequest = 64 << 10
	maxRecords = 1000
	maxBytes   = 1 << 20 // of an answer
	firstWait  = 250 * time.Millisecond
)

// Streams serves the streams of a DynamoDB in memory as the service
// DynamoDBStreams_20120810: ListStreams, DescribeStream, GetShardIterator
// and GetRecords. Each table with a stream has one shard.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
func Streams(db *dynamotest.Server) http.Handler {
	s := streams{db}
	operations := map[string]func(context.Context, request) (any, error){
		"ListStreams": s.list, "DescribeStream": s.describe, "GetShardIterator": s.iterator, "GetRecords": s.records,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		var in request
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err == nil {
			err = json.Unmarshal(body, &in)
		}
		var out any
		switch do := operations[op]; {
		case err != nil:
			err = refusal{"ValidationException", "the request cannot be read: " + err.Error()}
		case do == nil:
			err = refusal{"UnknownOperationException", "no operation " + strconv.Quote(op) + ", only " + strings.Join(slices.Sorted(maps.Keys(operations)), ", ")}
		default:
			out, err = do(r.Context(), in)
		}
		answer(w, out, err)
	})
}

// request has the parameters of all operations.
type request struct {
	TableName, StreamArn, ShardIteratorType, SequenceNumber, ShardIterator string
	Limit                                                                  int
}

// refusal is an error as the service reports it.
type refusal struct{ code, message string }

func (e refusal) Error() string { return e.code + ": " + e.message }

func answer(w http.ResponseWriter, out any, err error) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if err == nil {
		_ = json.NewEncoder(w).Encode(out) // the client may have left
		return
	}
	e, ok := errors.AsType[refusal](err)
	if !ok {
		e = refusal{"InternalServerError", err.Error()}
	}
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.dynamodb.v20120810#" + e.code, "message": e.message})
}

type streams struct{ db *dynamotest.Server }

// feed returns a table's records without waiting.
func (s streams) feed(table string, after uint64) ([]dynamotest.Record, error) {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	records, err := s.db.Feed(now, table, after)
	switch {
	case errors.Is(err, context.Canceled):
		return nil, nil
	case errors.Is(err, dynamotest.ErrNoFeed):
		return nil, refusal{"ResourceNotFoundException", "Requested resource not found: Stream of " + table}
	case errors.Is(err, dynamotest.ErrTrimmed):
		return nil, refusal{"TrimmedDataAccessException", "The operation attempted to read past the oldest stream record in a shard."}
	}
	return records, err
}

func (s streams) list(_ context.Context, in request) (any, error) {
	if _, err := s.feed(in.TableName, 0); err != nil {
		return map[string]any{"Streams": []any{}}, nil //nolint:nilerr // a table without one
	}
	return map[string]any{"Streams": []any{map[string]string{"TableName": in.TableName, "StreamArn": arnPrefix + in.TableName + arnSuffix}}}, nil
}

// table returns the table that a stream's ARN names.
func (s streams) table(arn string) (string, error) {
	name, ok := strings.CutPrefix(strings.TrimSuffix(arn, arnSuffix), arnPrefix)
	if !ok {
		return "", refusal{"ResourceNotFoundException", "Requested resource not found: Stream: " + arn}
	}
	_, err := s.feed(name, 0)
	return name, err
}

func (s streams) describe(_ context.Context, in request) (any, error) {
	_, err := s.table(in.StreamArn)
	return map[string]any{"StreamDescription": map[string]any{
		"StreamArn": in.StreamArn, "StreamStatus": "ENABLED",
		"Shards": []any{map[string]any{"ShardId": shard, "SequenceNumberRange": map[string]string{"StartingSequenceNumber": sequence(1)}}},
	}}, err
}

func (s streams) iterator(_ context.Context, in request) (any, error) {
	name, err := s.table(in.StreamArn)
	if err != nil {
		return nil, err
	}
	after := uint64(0)
	switch in.ShardIteratorType {
	case "TRIM_HORIZON":
	case "LATEST":
		records, err := s.feed(name, 0)
		if err != nil {
			return nil, err
		}
		if n := len(records); n > 0 {
			after = records[n-1].Sequence
		}
	case "AFTER_SEQUENCE_NUMBER":
		if _, err := fmt.Sscanf(in.SequenceNumber, sequenceBase, &after); err != nil {
			return nil, refusal{"ValidationException", "Invalid SequenceNumber"}
		}
		if _, err := s.feed(name, after); err != nil {
			return nil, err
		}
	default:
		return nil, refusal{"ValidationException", "this ShardIteratorType is not supported: " + in.ShardIteratorType}
	}
	return map[string]string{"ShardIterator": iteratorOf(name, after)}, nil
}

func iteratorOf(table string, after uint64) string {
	return table + "|" + strconv.FormatUint(after, 10)
}

// records waits briefly for the first one, so that a reader polls less often.
func (s streams) records(ctx context.Context, in request) (any, error) {
	name, text, _ := strings.Cut(in.ShardIterator, "|")
	after, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, refusal{"ValidationException", "Invalid ShardIterator"}
	}
	ctx, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	_, _ = s.db.Feed(ctx, name, after) // feed reads the same records again, with the service's errors
	found, err := s.feed(name, after)
	if err != nil {
		return nil, err
	}
	out, size := []any{}, 0
	for _, r := range found {
		if size += len(r.NewImage) + len(r.OldImage); len(out) == maxRecords || in.Limit > 0 && len(out) == in.Limit || size > maxBytes && len(out) > 0 {
			break
		}
		out = append(out, Record(r))
		after = r.Sequence
	}
	return map[string]any{"Records": out, "NextShardIterator": iteratorOf(name, after)}, nil
}

// Record returns a change as the stream has it, which is also how Lambda passes it to a function.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
func Record(r dynamotest.Record) map[string]any {
	change := map[string]any{"Keys": r.Keys, "SequenceNumber": sequence(r.Sequence), "ApproximateCreationDateTime": r.At.Unix()}
	if r.NewImage != nil {
		change["NewImage"] = r.NewImage
	}
	if r.OldImage != nil {
		change["OldImage"] = r.OldImage
	}
	return map[string]any{
		"eventID": strconv.FormatUint(r.Sequence, 10), "eventName": r.Event, "eventVersion": "1.1", "eventSource": "aws:dynamodb",
		"awsRegion": "us-east-1", "dynamodb": change,
	}
}

func sequence(n uint64) string { return fmt.Sprintf(sequenceBase, n) }
