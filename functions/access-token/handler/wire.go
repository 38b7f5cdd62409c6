// Package handler answers the callers of the function access-token.
package handler

import (
	"context"
	"encoding/json"

	"procore-connect/internal/platform/queue"
	"procore-connect/internal/upkeep/rescue"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/secret"
	"procore-connect/internal/wire/stores"
	"procore-connect/pkg/tokens"
)

// New returns the function, made from the base.
func New(base *wire.Base) (func(context.Context, json.RawMessage) (Answer, error), error) {
	procoreEnv := base.Environment()
	keys, oauth := secret.Keys(base), secret.OAuth(base, procoreEnv)
	grants := stores.Grants(base, procoreEnv, keys, oauth)
	grants.Rescue = (&rescue.Queue{Queue: queue.New(base.AWS, base.Env.Endpoint("SQS"), base.Env.Require("RESCUE_QUEUE_URL"))}).Send
	h := &handler{store: stores.Connections(base, grants), log: base.Log}
	if err := base.Env.Err(); err != nil {
		return nil, err
	}
	base.Warm(secret.Read(keys), secret.Read(oauth))
	return tokens.Wrap(grants, h.handle), nil
}
