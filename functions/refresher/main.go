// Command refresher is the Lambda function that schedules call with
// {"task": "refresh"} and {"task": "housekeeping"}.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"procore-connect/internal/credential"
	"procore-connect/internal/departure"
	"procore-connect/internal/hooks"
	"procore-connect/internal/inbox"
	"procore-connect/internal/rescue"
	"procore-connect/internal/secrets"
	"procore-connect/internal/session"
	"procore-connect/internal/setup"
	"procore-connect/pkg/tokens"
)

// patience outlasts the rate limit's short window of ten seconds.
const patience = 12 * time.Second

func main() {
	h, err := wire()
	if err != nil {
		fmt.Fprintln(os.Stderr, "refresher:", err)
		os.Exit(1)
	}
	lambda.Start(tokens.Wrap(h.store, h.handle))
}

func wire() (*handler, error) {
	base, err := setup.New()
	if err != nil {
		return nil, err
	}
	env := base.Env
	procoreEnv := env.Environment()
	keys, oauth := base.Keys(), base.OAuth(procoreEnv)
	ring := &secrets.Secret[*credential.Ring]{
		Client: base.Secrets,
		ID:     env.Require("WEBHOOK_SECRET_ID"),
		Parse:  credential.Parse,
	}
	h := &handler{
		store:    base.Store(keys, oauth),
		sessions: &session.Store{DB: base.DB, Table: env.Require("SESSIONS_TABLE"), Keys: keys.Get},
		oauth:    oauth.Get,
		rescue:   rescue.New(base.AWS, env.Endpoint("SQS"), env.Require("RESCUE_QUEUE_URL")),
		log:      base.Log,
	}
	want := env.Webhooks(env.PublicURL())
	want.PayloadVersion = env.PayloadVersion()
	h.hooks = &hooks.Keeper{
		Store: h.store, Environment: procoreEnv, Ring: ring.Get, Want: want, Log: base.Log, Patience: patience,
		Inbox: &inbox.Box{DB: base.DB, Table: env.Require("INBOX_TABLE")},
	}
	h.leavers = &departure.Watch{Store: h.store, Environment: procoreEnv, Hooks: h.hooks, Log: base.Log}
	h.store.Rescue = h.rescue.Send
	h.store.RetryOnce = env.Flag("RETRY_ONCE")
	if err := env.Err(); err != nil {
		return nil, err
	}
	base.Warm(setup.Read(keys), setup.Read(oauth), setup.Read(ring))
	return h, nil
}
