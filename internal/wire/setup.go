// Package wire wires what the mains of several functions wire alike.
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
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// Base is what every function starts from.
type Base struct {
	Env     *config.Env
	AWS     aws.Config
	DB      *dynamodb.Client
	Secrets *secretsmanager.Client
	Log     *slog.Logger
}

// New reads what all functions need of the environment. Its own error is that of
// LOG_LEVEL; what else is missing or wrong Env.Err gives, after the last variable
// was read.
func New() (*Base, error) {
	env := config.New(os.Getenv)
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
		DB:      dynamodb.NewFromConfig(c, func(o *dynamodb.Options) { o.BaseEndpoint = env.Endpoint("DYNAMODB") }),
		Secrets: secretsmanager.NewFromConfig(c, func(o *secretsmanager.Options) { o.BaseEndpoint = env.Endpoint("SECRETS_MANAGER") }),
		Log:     log,
	}, nil
}

// Keys is the key ring of KEYS_SECRET_ID.
func (b *Base) Keys() *secrets.Secret[*tokens.Keys] {
	return &secrets.Secret[*tokens.Keys]{Client: b.Secrets, ID: b.Env.Require("KEYS_SECRET_ID"), Parse: tokens.ParseKeys}
}

// OAuth is the app's credentials of APP_SECRET_ID.
func (b *Base) OAuth(env procore.Environment) *secrets.Secret[*procore.OAuth] {
	return &secrets.Secret[*procore.OAuth]{Client: b.Secrets, ID: b.Env.Require("APP_SECRET_ID"), Parse: secrets.App(env)}
}

// Read makes a Warm step of a secret.
func Read[T any](s *secrets.Secret[T]) func(context.Context) {
	return func(ctx context.Context) { _, _ = s.Get(ctx) }
}

// Store is the token store of CONNECTIONS_TABLE and SPENDS_TABLE.
func (b *Base) Store(keys *secrets.Secret[*tokens.Keys], oauth *secrets.Secret[*procore.OAuth]) *tokens.Store {
	return &tokens.Store{
		DB:          b.DB,
		Connections: b.Env.Require("CONNECTIONS_TABLE"),
		Spends:      b.Env.Require("SPENDS_TABLE"),
		Keys:        keys,
		OAuth:       oauth,
		Log:         b.Log,
	}
}
