// Package wire builds what the mains of several functions have in common.
package wire

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/logging"
	"procore-connect/internal/platform/metrics"
	"procore-connect/internal/platform/secrets"
	"procore-connect/internal/webhook/credential"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// Base is what every function needs.
type Base struct {
	Env     *config.Env
	AWS     aws.Config
	DB      *dynamodb.Client
	Secrets *secretsmanager.Client
	Log     *slog.Logger
	Clock   procore.Clock // the functions leave it as it is
}

// New reads the variables that all functions need. Its own error is about LOG_LEVEL
// alone. Call Env.Err after the last variable was read: it reports the others.
func New() (*Base, error) {
	env := Env()
	log, err := logging.New(os.Stdout, env.Optional("LOG_LEVEL"))
	if err != nil {
		return nil, err
	}
	log = slog.New(metrics.Handler(log.Handler(), env.Optional("METRICS_NAMESPACE")))
	slog.SetDefault(log)
	c := env.AWS()
	return &Base{
		Env:     env,
		AWS:     c,
		DB:      DynamoDB(env, c),
		Secrets: secretsmanager.NewFromConfig(c, func(o *secretsmanager.Options) { o.BaseEndpoint = env.Endpoint("SECRETS_MANAGER") }),
		Log:     log,
	}, nil
}

// Env reads the variables of this process.
func Env() *config.Env { return config.New(os.Getenv) }

// DynamoDB returns a client of it.
func DynamoDB(env *config.Env, c aws.Config) *dynamodb.Client {
	return dynamodb.NewFromConfig(c, func(o *dynamodb.Options) { o.BaseEndpoint = env.Endpoint("DYNAMODB") })
}

// Keys reads KEYS_SECRET_ID, and returns the secret with the key ring.
func (b *Base) Keys() *secrets.Secret[*keys.Ring] {
	return &secrets.Secret[*keys.Ring]{Client: b.Secrets, ID: b.Env.Require("KEYS_SECRET_ID"), Parse: keys.Parse, Log: b.Log, Clock: b.Clock}
}

// OAuth reads APP_SECRET_ID, and returns the secret with the app's credentials.
func (b *Base) OAuth(env procore.Environment) *secrets.Secret[*procore.OAuth] {
	parse := func(text string) (*procore.OAuth, error) {
		o, err := secrets.App(env)(text)
		if err == nil {
			o.Clock = b.Clock
		}
		return o, err
	}
	return &secrets.Secret[*procore.OAuth]{Client: b.Secrets, ID: b.Env.Require("APP_SECRET_ID"), Parse: parse, Log: b.Log, Clock: b.Clock}
}

// WebhookKeys reads WEBHOOK_SECRET_ID, and returns the secret with the keys of the webhooks' credentials.
func (b *Base) WebhookKeys() *secrets.Secret[*credential.Ring] {
	return &secrets.Secret[*credential.Ring]{Client: b.Secrets, ID: b.Env.Require("WEBHOOK_SECRET_ID"), Parse: credential.Parse, Log: b.Log, Clock: b.Clock}
}

// Read returns a step for Warm that reads the secret, unless it is nil.
func Read[T any](s keys.Source[T]) func(context.Context) {
	return func(ctx context.Context) {
		if s != nil {
			_, _ = s.Get(ctx)
		}
	}
}

// Tokens reads GRANTS_TABLE and SPENDS_TABLE, and returns the store of grants.
func (b *Base) Tokens(env procore.Environment, ring *secrets.Secret[*keys.Ring], oauth *secrets.Secret[*procore.OAuth]) *tokens.Store {
	return &tokens.Store{
		DB:          b.DB,
		Grants:      b.Env.Require("GRANTS_TABLE"),
		Spends:      b.Env.Require("SPENDS_TABLE"),
		Environment: env,
		Keys:        ring,
		OAuth:       oauth,
		Log:         b.Log,
		Clock:       b.Clock,
	}
}

// Connections reads CONNECTIONS_TABLE, and returns the store of connections.
func (b *Base) Connections(t *tokens.Store) *connections.Store {
	return &connections.Store{DB: b.DB, Table: b.Env.Require("CONNECTIONS_TABLE"), Tokens: t, Log: b.Log}
}
