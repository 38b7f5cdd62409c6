// Package handler does the task of the schedule of the function reconciler.
package handler

import (
	"context"

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

// New returns the function, made from the base.
func New(base *wire.Base) (func(context.Context, Input) (any, error), error) {
	env := base.Env
	procoreEnv := base.Environment()
	keys, oauth := secret.Keys(base), secret.OAuth(base, procoreEnv)
	ring := secret.Webhook(base)
	grants := stores.Grants(base, procoreEnv, keys, oauth)
	pairs := &rescue.Queue{Queue: queue.New(base.AWS, env.Endpoint("SQS"), env.Require("RESCUE_QUEUE_URL"))}
	grants.Rescue = pairs.Send
	store := stores.Connections(base, grants)
	events := &inbox.Store{DB: base.DB, Table: env.Require("INBOX_TABLE"), Clock: base.Clock, Random: base.Random}
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
	return tokens.Wrap(store.Tokens, h.handle), nil
}
