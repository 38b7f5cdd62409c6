// Package secret builds the secrets that functions read. It is apart from package wire so that only what reads a secret
// links a client of Secrets Manager.
package secret

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"procore-connect/internal/platform/secrets"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/wire"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// Client returns a client of Secrets Manager.
func Client(b *wire.Base) *secretsmanager.Client {
	return secretsmanager.NewFromConfig(b.AWS, func(o *secretsmanager.Options) { o.BaseEndpoint = b.Env.Endpoint("SECRETS_MANAGER") })
}

// New returns the secret with this name or ARN.
func New[T any](b *wire.Base, id string, parse func(string) (T, error)) *secrets.Secret[T] {
	return &secrets.Secret[T]{Client: Client(b), ID: id, Parse: parse, Log: b.Log, Clock: b.Clock}
}

// Keys reads KEYS_SECRET_ID, and returns the secret with the key ring.
func Keys(b *wire.Base) *secrets.Secret[*keys.Ring] {
	return New(b, b.Env.Require("KEYS_SECRET_ID"), keys.Parse)
}

// OAuth reads APP_SECRET_ID, and returns the secret with the app's credentials.
func OAuth(b *wire.Base, env procore.Environment) *secrets.Secret[*procore.OAuth] {
	parse := func(text string) (*procore.OAuth, error) {
		o, err := secrets.App(env)(text)
		if err == nil {
			o.Clock, o.Random, o.Dial = b.Clock, b.Random, b.Dial
		}
		return o, err
	}
	return New(b, b.Env.Require("APP_SECRET_ID"), parse)
}

// Webhook reads WEBHOOK_SECRET_ID, and returns the secret with the keys of the webhooks' credentials.
func Webhook(b *wire.Base) *secrets.Secret[*credential.Ring] {
	return New(b, b.Env.Require("WEBHOOK_SECRET_ID"), credential.Parse)
}

// Read returns a step for [wire.Base.Warm] that reads the secret, unless it is nil.
func Read[T any](s keys.Source[T]) func(context.Context) {
	return func(ctx context.Context) {
		if s != nil {
			_, _ = s.Get(ctx)
		}
	}
}
