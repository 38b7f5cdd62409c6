// Package announce publishes each grant and each connection that begins to need a person.
//
// It reads the changes of the tables Grants and Connections. A change is announced if it
// is the transition to a state that needs a person: what was so before is known already.
// A grant that no company holds needs no one. An announcement has ids and states, and
// never a part of a pair; the records' other attributes are not even decoded.
package announce

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// subject is that of the emails.
const subject = "A Procore connection needs attention"

// Announcer publishes to one topic. All fields but Clock must be set.
type Announcer struct {
	Topic    *sns.Client
	TopicARN string
	Log      *slog.Logger
	Clock    procore.Clock
}

// Event is what Lambda passes to the function: records of one of the two tables.
type Event struct {
	Records []Record
}

// Record is one change of a grant or of a connection.
type Record struct {
	Name   string `json:"eventName"` // INSERT, MODIFY or REMOVE
	Change struct {
		SequenceNumber     string
		NewImage, OldImage image
	} `json:"dynamodb"`
}

// image has the attributes that a row may reveal.
type image struct {
	Grant      text                  `json:"grant"`
	Company    text                  `json:"company"`
	Principal  text                  `json:"principal"`
	State      text                  `json:"state"`
	Webhooks   text                  `json:"webhooks"`
	Holders    struct{ SS []string } `json:"holders"`
	Generation number                `json:"generation"`
	BeatAt     number                `json:"beat_at_ms"` // of a heartbeat
}

type (
	text   struct{ S string }
	number struct{ N string }
)

// Handle announces what begins to need a person, and returns the first record that has to
// be repeated, if any. An announcement may be repeated. The event source mapping needs
// ReportBatchItemFailures.
func (a *Announcer) Handle(ctx context.Context, in Event) (events.DynamoDBEventResponse, error) {
	var out events.DynamoDBEventResponse
	for _, r := range in.Records {
		a.beat(ctx, r.Change.NewImage)
		message := announcement(r)
		if message == nil {
			continue
		}
		if err := a.publish(ctx, message); err != nil {
			a.Log.ErrorContext(ctx, "not announced, will be repeated", describe(r), slog.Any("error", err))
			out.BatchItemFailures = []events.DynamoDBBatchItemFailure{{ItemIdentifier: r.Change.SequenceNumber}}
			return out, nil
		}
		a.Log.InfoContext(ctx, "announced", describe(r), slog.String("state", r.Change.NewImage.State.S), slog.String("webhooks", r.Change.NewImage.Webhooks.S))
	}
	return out, nil
}

func describe(r Record) slog.Attr {
	i := r.Change.NewImage
	return slog.Group("", slog.String("grant", i.Grant.S), slog.String("company", i.Company.S), slog.String("principal", i.Principal.S))
}

func (a *Announcer) publish(ctx context.Context, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if _, err := a.Topic.Publish(ctx, &sns.PublishInput{TopicArn: &a.TopicARN, Subject: aws.String(subject), Message: aws.String(string(body))}); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

// grant and connection are the announcements. docs/RUNBOOK.md describes them.
type (
	grant struct {
		Grant      string   `json:"grant"`
		Companies  []string `json:"companies"`
		State      string   `json:"state"`
		Was        string   `json:"was"`
		Generation string   `json:"generation"`
	}
	connection struct {
		Company   string `json:"company"`
		Principal string `json:"principal"`
		State     string `json:"state"`
		Was       string `json:"was"`
		Webhooks  string `json:"webhooks"`
	}
)

// announcement returns what a change announces, or nil.
func announcement(r Record) any {
	now, was := r.Change.NewImage, r.Change.OldImage
	begins := func(now, was text, needs string) bool { return now.S == needs && was.S != needs }
	switch {
	case r.Name != "MODIFY":
		return nil
	case now.Grant.S != "":
		if !begins(now.State, was.State, string(tokens.Reauthorize)) || len(now.Holders.SS) == 0 {
			return nil
		}
		return grant{now.Grant.S, now.Holders.SS, now.State.S, was.State.S, now.Generation.N}
	case begins(now.State, was.State, string(connections.Disconnected)),
		begins(now.Webhooks, was.Webhooks, string(connections.WebhooksNeedsAdmin)):
		return connection{now.Company.S, now.Principal.S, now.State.S, was.State.S, now.Webhooks.S}
	}
	return nil
}

// heartbeats is the pattern of a heartbeat's record, in either stream.
const heartbeats = `{"dynamodb":{"NewImage":{"beat_at_ms":{"N":[{"exists":true}]}}}}`

// GrantFilters returns the patterns of the grants' records that Lambda passes to the
// function. Each of the many refreshes would be a call without them; the rule is in
// announcement.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
func GrantFilters() []string {
	return []string{
		`{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"state":{"S":["` + string(tokens.Reauthorize) + `"]}}}}`,
		heartbeats,
	}
}

// ConnectionFilters returns those of the connections' records.
func ConnectionFilters() []string {
	return []string{
		`{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"state":{"S":["` + string(connections.Disconnected) + `"]}}}}`,
		`{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"webhooks":{"S":["` + string(connections.WebhooksNeedsAdmin) + `"]}}}}`,
		heartbeats,
	}
}
