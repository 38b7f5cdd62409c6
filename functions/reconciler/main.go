// Command reconciler is the Lambda function behind a schedule, which calls it with
// {"task": "reconcile"}: it finds what changed at Procore and no webhook reported.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"procore-connect/internal/platform/queue"
	"procore-connect/internal/upkeep/rescue"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/reconcile"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/secret"
	"procore-connect/internal/wire/stores"
	"procore-connect/pkg/tokens"
)

func main() {
	h, err := newHandler()
	if err != nil {
		fmt.Fprintln(os.Stderr, "reconciler:", err)
		os.Exit(1)
	}
	lambda.Start(tokens.Wrap(h.reconciler.Store.Tokens, h.handle))
}

func newHandler() (*handler, error) {
	base, err := wire.New()
	if err != nil {
		return nil, err
	}
	env := base.Env
	procoreEnv := base.Environment()
	keys, oauth := secret.Keys(base), secret.OAuth(base, procoreEnv)
	ring := secret.Webhook(base)
	grants := stores.Grants(base, procoreEnv, keys, oauth)
	pairs := &rescue.Queue{Queue: queue.New(base.AWS, env.Endpoint("SQS"), env.Require("RESCUE_QUEUE_URL"))}
	grants.Rescue = pairs.Send
	store := stores.Connections(base, grants)
	events := &inbox.Store{DB: base.DB, Table: env.Require("INBOX_TABLE")}
	// Without MaxWait: a run never waits for the rate limit, and the next one continues.
	hooks := &provision.Reconciler{
		Store: store, Ring: ring, Want: provision.ReadConfig(env, env.PublicURL().String()), Log: base.Log,
		Recovery: &recovery.Recoverer{Inbox: events, Log: base.Log},
	}
	h := &handler{reconciler: &reconcile.Reconciler{
		Store: store, Inbox: events, Hooks: hooks, Want: reconcile.ReadConfig(env), Log: base.Log,
	}}
	if err := env.Err(); err != nil {
		return nil, err
	}
	base.Warm(secret.Read(keys), secret.Read(oauth), secret.Read(ring))
	return h, nil
}
