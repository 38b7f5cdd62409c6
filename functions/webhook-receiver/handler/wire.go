// Package handler receives the deliveries of the function webhook-receiver.
package handler

import (
	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/secret"
)

// New returns the function, made from the base.
func New(base *wire.Base) (gateway.Func, error) {
	ring := secret.Webhook(base)
	events := &inbox.Store{DB: base.DB, Table: base.Env.Require("INBOX_TABLE"), Clock: base.Clock, Random: base.Random}
	h := receive(ring, events)
	if err := base.Env.Err(); err != nil {
		return nil, err
	}
	base.Warm(secret.Read(ring), h.inbox.Warm)
	return gateway.Handler(h, gateway.Options{Log: base.Log, MaxBody: -1, Clock: base.Clock, Random: base.Random}), nil
}
