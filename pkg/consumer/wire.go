package consumer

import (
	"context"
	"log/slog"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/platform/queue"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/internal/upkeep/rescue"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/secret"
	"procore-connect/internal/wire/stores"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// Function is what Lambda calls with the messages of the queue.
type Function = func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

// Parts are what [New] makes a function from, in place of the process. A zero Clock, Random or Dial is the machine's.
type Parts struct {
	Getenv func(name string) string // docs/CONFIGURATION.md lists the variables
	AWS    aws.Config
	Log    *slog.Logger

	Clock  procore.Clock
	Random procore.Random
	Dial   procore.Dial // to Procore
}

// New returns the function that [Run] starts, made from these parts. One process may have several.
func New(p Parts, handle Handle, options ...Option) (Function, error) {
	base := wire.From(config.New(p.Getenv), p.AWS, p.Log)
	base.Clock, base.Random, base.Dial = p.Clock, p.Random, p.Dial
	return build(base, handle, options)
}

func build(base *wire.Base, handle Handle, options []Option) (Function, error) {
	environment := base.Environment()
	keys, oauth := secret.Keys(base), secret.OAuth(base, environment)
	h := &handler{
		handle: handle,
		store:  stores.Connections(base, stores.Grants(base, environment, keys, oauth)),
		oauth:  oauth,
		inbox:  &inbox.Store{DB: base.DB, Table: base.Env.Require("INBOX_TABLE"), Clock: base.Clock, Random: base.Random},
		log:    base.Log,
	}
	for _, o := range options {
		o(&h.settings)
	}
	h.departures = &departures.Watch{Store: h.store, Log: base.Log, Hooks: &provision.Reconciler{
		Store: h.store, Want: provision.ReadConfig(base.Env, base.Env.PublicURL().String()), Log: base.Log,
	}}
	h.store.Tokens.Rescue = (&rescue.Queue{Queue: queue.New(base.AWS, base.Env.Endpoint("SQS"), base.Env.Require("RESCUE_QUEUE_URL"))}).Send
	if err := base.Env.Err(); err != nil {
		return nil, err
	}
	base.Warm(secret.Read(keys), secret.Read(oauth))
	return tokens.Wrap(h.store.Tokens, h.batch), nil
}

// Table returns a client of DynamoDB with the function's role, and the name of a table of
// your own, which the environment variable has. Call it before [Run]: it also opens the
// connection, while the CPU is at full speed. Its error names each variable that is missing.
func Table(variable string) (*dynamodb.Client, string, error) {
	env := wire.Env()
	c, name := env.AWS(), env.Require(variable)
	if err := env.Err(); err != nil {
		return nil, "", err
	}
	db := wire.DynamoDB(env, c)
	dynamo.Warm(context.Background(), db)
	return db, name, nil
}
