// Package handler does the tasks of the schedules of the function refresher.
package handler

import (
	"context"
	"time"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/queue"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/internal/upkeep/installations"
	"procore-connect/internal/upkeep/rescue"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/secret"
	"procore-connect/internal/wire/stores"
	"procore-connect/pkg/tokens"
)

// maxWait outlasts the rate limit's short window of ten seconds.
const maxWait = 12 * time.Second

// New returns the function, made from the base.
func New(base *wire.Base) (func(context.Context, Input) (any, error), error) {
	env := base.Env
	procoreEnv := base.Environment()
	keys, oauth := secret.Keys(base), secret.OAuth(base, procoreEnv)
	ring := secret.Webhook(base)
	h := &handler{
		tokens: stores.Grants(base, procoreEnv, keys, oauth),
		rescue: &rescue.Queue{Queue: queue.New(base.AWS, env.Endpoint("SQS"), env.Require("RESCUE_QUEUE_URL"))},
		inbox:  &inbox.Store{DB: base.DB, Table: env.Require("INBOX_TABLE"), Clock: base.Clock, Random: base.Random},
		log:    base.Log,
		shares: env.Number("REFRESHER_SHARES", 1, maxShares),
		window: env.Number("REFRESHES_AT_ONCE", defaultWindow, 100),
		passes: env.Number("CHECKS_AT_ONCE", defaultPasses, 256),
	}
	h.tokens.Rescue = h.rescue.Send
	h.store = stores.Connections(base, h.tokens)
	h.sessions = session.Handover{Tokens: h.tokens, Sessions: &session.Store{
		DB: base.DB, Table: env.Require("SESSIONS_TABLE"), Keys: keys, OAuth: oauth, Clock: base.Clock, Random: base.Random,
	}}
	h.hooks = &provision.Reconciler{
		Store: h.store, Ring: ring, Want: provision.ReadConfig(env, env.PublicURL().String()), Log: base.Log, MaxWait: maxWait,
		Recovery: &recovery.Recoverer{Inbox: h.inbox, Log: base.Log},
	}
	h.departures = &departures.Watch{Store: h.store, Hooks: h.hooks, Log: base.Log}
	if env.Principals().ServiceAccount {
		h.installations = &installations.Watch{
			Store: h.store, Departures: h.departures, Allowed: env.AllowedCompanies(), Webhooks: h.hooks.Want.Initial(), Log: base.Log,
		}
	}
	if err := env.Err(); err != nil {
		return nil, err
	}
	base.Warm(secret.Read(keys), secret.Read(oauth), secret.Read(ring))
	return tokens.Wrap(h.tokens, h.handle), nil
}
