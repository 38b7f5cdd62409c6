// Package announce publishes each grant and each connection that begins to need a person,
// and to a host application what becomes of the connections of its tenants.
//
// It reads the changes of the tables Grants and Connections. A change is announced to the
// operator if it is the transition to a state that needs a person: what was so before is
// known already. A grant that no company holds needs no one. A connection that has a
// reference is announced to the host application as well, by that: see tenants.go. An
// announcement has ids and states, and never a part of a pair; the records' other
// attributes are not even decoded.
package announce

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// subject is that of the emails.
const subject = "A Procore connection needs attention"

// Announcer publishes to one topic. All fields but Clock must be set.
type Announcer struct {
	Topic       *sns.Client
	TopicARN    string
	DB          *dynamodb.Client
	Connections string // the table, which has the references of a grant's holders
	Log         *slog.Logger
	Clock       procore.Clock
}

// Event is what Lambda passes to the function: records of one of the two tables.
type Event struct {
	Records []Record
}

// Record is one change of a grant or of a connection.
type Record struct {
	Name   string `json:"eventName"` // INSERT, MODIFY or REMOVE
	Change change `json:"dynamodb"`
}

type change struct {
	SequenceNumber     string
	At                 events.SecondsEpochTime `json:"ApproximateCreationDateTime"`
	NewImage, OldImage image
}

// image returns the row's last image.
func (c change) image() image {
	if c.NewImage.Grant.S == "" && c.NewImage.Company.S == "" {
		return c.OldImage
	}
	return c.NewImage
}

// image has the attributes that a row may reveal.
type image struct {
	Grant       text                  `json:"grant"`
	Company     text                  `json:"company"`
	Principal   text                  `json:"principal"`
	State       text                  `json:"state"`
	Webhooks    text                  `json:"webhooks"`
	Reference   text                  `json:"reference"`
	ConnectedAt number                `json:"connected_at_ms"`
	Rev         number                `json:"rev"`
	Holders     struct{ SS []string } `json:"holders"`
	Generation  number                `json:"generation"`
	BeatAt      number                `json:"beat_at_ms"` // of a heartbeat
}

type (
	text   struct{ S string }
	number struct{ N string }
)

// Handle announces what the records are about, and returns the first one that has to be
// repeated, if any. An announcement may be repeated. The event source mapping needs
// ReportBatchItemFailures.
func (a *Announcer) Handle(ctx context.Context, in Event) (events.DynamoDBEventResponse, error) {
	var out events.DynamoDBEventResponse
	for _, r := range in.Records {
		a.beat(ctx, r.Change.NewImage)
		if err := a.announce(ctx, r); err != nil {
			a.Log.ErrorContext(ctx, "not announced, will be repeated", describe(r), slog.Any("error", err))
			out.BatchItemFailures = []events.DynamoDBBatchItemFailure{{ItemIdentifier: r.Change.SequenceNumber}}
			return out, nil
		}
	}
	return out, nil
}

// announce announces one change. The operator comes last: a host application does not mind
// an announcement that is repeated, and the operator's are mails.
func (a *Announcer) announce(ctx context.Context, r Record) error {
	if err := a.tell(ctx, r); err != nil {
		return err
	}
	message := announcement(r)
	if message == nil {
		return nil
	}
	if err := a.publish(ctx, message, &sns.PublishInput{Subject: aws.String(subject)}); err != nil {
		return err
	}
	a.Log.InfoContext(ctx, "announced", describe(r), slog.String("state", r.Change.NewImage.State.S), slog.String("webhooks", r.Change.NewImage.Webhooks.S))
	return nil
}

func describe(r Record) slog.Attr {
	i := r.Change.image()
	return slog.Group("", slog.String("grant", i.Grant.S), slog.String("company", i.Company.S), slog.String("principal", i.Principal.S))
}

func (a *Announcer) publish(ctx context.Context, message any, in *sns.PublishInput) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	in.TopicArn, in.Message = &a.TopicARN, aws.String(string(body))
	if _, err := a.Topic.Publish(ctx, in); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

// grant and connection are the operator's announcements. docs/RUNBOOK.md describes them.
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

// announcement returns what a change announces to the operator, or nil.
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
// function. Each of the many refreshes would be a call without them; the rules are in
// announcement and in tell.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
func GrantFilters() []string {
	return []string{
		`{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"state":{"S":["` + string(tokens.Reauthorize) + `"]}}}}`,
		`{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"state":{"S":["` + string(tokens.Active) + `"]}},"OldImage":{"state":{"S":["` + string(tokens.Reauthorize) + `"]}}}}`,
		heartbeats,
	}
}

// ConnectionFilters returns those of the connections' records: five, the most that a
// mapping has without another quota. Every write of a connection that has a reference
// passes, which is a few a day.
func ConnectionFilters() []string {
	return []string{
		`{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"state":{"S":["` + string(connections.Disconnected) + `"]}}}}`,
		`{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"webhooks":{"S":["` + string(connections.WebhooksNeedsAdmin) + `"]}}}}`,
		`{"dynamodb":{"NewImage":{"reference":{"S":[{"exists":true}]}}}}`,
		`{"dynamodb":{"OldImage":{"reference":{"S":[{"exists":true}]}}}}`,
		heartbeats,
	}
}
