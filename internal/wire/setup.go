// Package wire builds what the mains of several functions have in common.
package wire

import (
	"log/slog"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/logging"
	"procore-connect/internal/platform/metrics"
	"procore-connect/pkg/procore"
)

// Base is what every function needs.
type Base struct {
	Env   *config.Env
	AWS   aws.Config
	DB    *dynamodb.Client
	Log   *slog.Logger
	Clock procore.Clock // the functions leave it as it is
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
	return &Base{Env: env, AWS: c, DB: DynamoDB(env, c), Log: log}, nil
}

// Env reads the variables of this process.
func Env() *config.Env { return config.New(os.Getenv) }

// DynamoDB returns a client of it.
func DynamoDB(env *config.Env, c aws.Config) *dynamodb.Client {
	return dynamodb.NewFromConfig(c, func(o *dynamodb.Options) { o.BaseEndpoint = env.Endpoint("DYNAMODB") })
}
