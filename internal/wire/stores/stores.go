// Package stores builds the stores of grants and connections. It is apart from package wire so that only what needs
// them links them.
package stores

import (
	"procore-connect/internal/platform/secrets"
	"procore-connect/internal/wire"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// Grants reads GRANTS_TABLE and SPENDS_TABLE, and returns the store of grants.
func Grants(b *wire.Base, env procore.Environment, ring *secrets.Secret[*keys.Ring], oauth *secrets.Secret[*procore.OAuth]) *tokens.Store {
	return &tokens.Store{
		DB:          b.DB,
		Grants:      b.Env.Require("GRANTS_TABLE"),
		Spends:      b.Env.Require("SPENDS_TABLE"),
		Environment: env,
		Keys:        ring,
		OAuth:       oauth,
		Log:         b.Log,
		Clock:       b.Clock,
		Random:      b.Random,
		Dial:        b.Dial,
	}
}

// Connections reads CONNECTIONS_TABLE, and returns the store of connections.
func Connections(b *wire.Base, t *tokens.Store) *connections.Store {
	return &connections.Store{DB: b.DB, Table: b.Env.Require("CONNECTIONS_TABLE"), Tokens: t, Log: b.Log}
}
