// Command event-consumer is a Lambda function that reads the changed resource of
// each webhook event. Copy it and put your own work into handler.work.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"procore-connect/internal/departure"
	"procore-connect/internal/hooks"
	"procore-connect/internal/inbox"
	"procore-connect/internal/rescue"
	"procore-connect/internal/setup"
	"procore-connect/pkg/tokens"
)

func main() {
	h, err := wire()
	if err != nil {
		fmt.Fprintln(os.Stderr, "event-consumer:", err)
		os.Exit(1)
	}
	lambda.Start(tokens.Wrap(h.store, h.handle))
}

func wire() (*handler, error) {
	base, err := setup.New()
	if err != nil {
		return nil, err
	}
	environment := base.Env.Environment()
	keys, oauth := base.Keys(), base.OAuth(environment)
	h := &handler{
		environment: environment,
		store:       base.Store(keys, oauth),
		oauth:       oauth.Get,
		inbox:       &inbox.Box{DB: base.DB, Table: base.Env.Require("INBOX_TABLE")},
		log:         base.Log,
	}
	h.leavers = &departure.Watch{Store: h.store, Environment: environment, Log: base.Log, Hooks: &hooks.Keeper{
		Store: h.store, Environment: environment, Want: base.Env.Webhooks(base.Env.PublicURL()), Log: base.Log,
	}}
	h.store.Rescue = rescue.New(base.AWS, base.Env.Endpoint("SQS"), base.Env.Require("RESCUE_QUEUE_URL")).Send
	h.store.RetryOnce = base.Env.Flag("RETRY_ONCE")
	if err := base.Env.Err(); err != nil {
		return nil, err
	}
	base.Warm(setup.Read(keys), setup.Read(oauth))
	return h, nil
}
