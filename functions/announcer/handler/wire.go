// Package handler is the function announcer, all of whose work is in package announce.
package handler

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"procore-connect/internal/upkeep/announce"
	"procore-connect/internal/wire"
)

// New returns the function, made from the base.
func New(base *wire.Base) (func(context.Context, announce.Event) (events.DynamoDBEventResponse, error), error) {
	a := &announce.Announcer{
		Topic:       sns.NewFromConfig(base.AWS, func(o *sns.Options) { o.BaseEndpoint = base.Env.Endpoint("SNS") }),
		TopicARN:    base.Env.Require("CONNECTIONS_TOPIC_ARN"),
		DB:          base.DB,
		Connections: base.Env.Require("CONNECTIONS_TABLE"),
		Log:         base.Log,
		Clock:       base.Clock,
	}
	return a.Handle, base.Env.Err()
}
