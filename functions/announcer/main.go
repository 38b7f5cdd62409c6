// Command announcer is the Lambda function between the streams of the tables Grants and
// Connections and the topic of what needs a person, and of
// what hosts learn about their tenants.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"procore-connect/internal/upkeep/announce"
	"procore-connect/internal/wire"
)

func main() {
	a, err := newAnnouncer()
	if err != nil {
		fmt.Fprintln(os.Stderr, "announcer:", err)
		os.Exit(1)
	}
	lambda.Start(a.Handle)
}

func newAnnouncer() (*announce.Announcer, error) {
	base, err := wire.New()
	if err != nil {
		return nil, err
	}
	a := &announce.Announcer{
		Topic:       sns.NewFromConfig(base.AWS, func(o *sns.Options) { o.BaseEndpoint = base.Env.Endpoint("SNS") }),
		TopicARN:    base.Env.Require("CONNECTIONS_TOPIC_ARN"),
		DB:          base.DB,
		Connections: base.Env.Require("CONNECTIONS_TABLE"),
		Log:         base.Log,
	}
	return a, base.Env.Err()
}
