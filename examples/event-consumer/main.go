// Command event-consumer is a Lambda function that reads the changed resource of
// each webhook event. Copy it, and write your own code in handler.work.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"procore-connect/internal/platform/queue"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/internal/upkeep/rescue"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/wire"
	"procore-connect/pkg/tokens"
)

func main() {
	h, err := newHandler()
	if err != nil {
		fmt.Fprintln(os.Stderr, "event-consumer:", err)
		os.Exit(1)
	}
	lambda.Start(tokens.Wrap(h.store.Tokens, h.handle))
}

func newHandler() (*handler, error) {
	base, err := wire.New()
	if err != nil {
		return nil, err
	}
	environment := base.Environment()
	keys, oauth := base.Keys(), base.OAuth(environment)
	h := &handler{
		store: base.Connections(base.Tokens(environment, keys, oauth)),
		oauth: oauth,
		inbox: &inbox.Store{DB: base.DB, Table: base.Env.Require("INBOX_TABLE")},
		log:   base.Log,
	}
	h.departures = &departures.Watch{Store: h.store, Log: base.Log, Hooks: &provision.Reconciler{
		Store: h.store, Want: provision.ReadConfig(base.Env, base.Env.PublicURL().String()), Log: base.Log,
	}}
	h.store.Tokens.Rescue = (&rescue.Queue{Queue: queue.New(base.AWS, base.Env.Endpoint("SQS"), base.Env.Require("RESCUE_QUEUE_URL"))}).Send
	if err := base.Env.Err(); err != nil {
		return nil, err
	}
	base.Warm(wire.Read(keys), wire.Read(oauth))
	return h, nil
}
