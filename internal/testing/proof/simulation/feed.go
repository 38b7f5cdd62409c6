package simulation

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
)

// feedLength is how many changes a stream keeps that no pump trims.
const feedLength = 1 << 20

// Changes returns at most so many changes of a table with a stream, oldest first, from the one after a position on: 0, or
// the Sequence of the last change that the reader has handled. All changes of a table are in one shard.
func (t *Tables) Changes(table string, after uint64, most int) []dynamotest.Change {
	all, err := t.dynamo.Changes(table, after, most)
	if err != nil {
		panic(err)
	}
	return all
}

// Trim forgets the changes of a table up to a position.
func (t *Tables) Trim(table string, through uint64) { t.dynamo.Trim(table, through) }

// StreamEvent returns changes of a table as Lambda passes them to a function.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
func StreamEvent(table string, changes []dynamotest.Change) []byte {
	type change struct {
		ApproximateCreationDateTime int64
		Keys                        json.RawMessage
		NewImage                    json.RawMessage `json:",omitempty"`
		OldImage                    json.RawMessage `json:",omitempty"`
		SequenceNumber              string
	}
	type record struct {
		EventID        string `json:"eventID"`
		EventName      string `json:"eventName"`
		EventVersion   string `json:"eventVersion"`
		EventSource    string `json:"eventSource"`
		AWSRegion      string `json:"awsRegion"`
		EventSourceARN string `json:"eventSourceARN"`
		Change         change `json:"dynamodb"`
	}
	event := struct{ Records []record }{[]record{}}
	for _, c := range changes {
		r := c.Record()
		event.Records = append(event.Records, record{strconv.FormatUint(r.Sequence, 10), r.Event, "1.1", "aws:dynamodb", "us-east-1",
			"arn:aws:dynamodb:us-east-1:000000000000:table/" + table + "/stream/simulation",
			change{r.At.Unix(), r.Keys, r.NewImage, r.OldImage, SequenceNumber(r.Sequence)}})
	}
	text, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	return text
}

// SequenceNumber is the text of a position, by which a function names a record that it did not handle.
func SequenceNumber(position uint64) string { return fmt.Sprintf("%021d", position) }

// Expire deletes the rows of all tables whose time to live is over at this time, always in the same order. It returns how
// many.
func (t *Tables) Expire(now time.Time) int { return t.dynamo.ExpireAt(now) }

// Snapshot returns what tables contain now, as a backup has it.
func (t *Tables) Snapshot(tables ...string) dynamotest.Snapshot { return t.dynamo.Snapshot(tables...) }

// Restore puts a snapshot's content in the place of what its tables contain.
func (t *Tables) Restore(to dynamotest.Snapshot) { t.dynamo.Revert(to) }
