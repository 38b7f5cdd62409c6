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

// Base is what every function needs. What is built from it has its seams.
type Base struct {
	Env *config.Env
	AWS aws.Config
	DB  *dynamodb.Client
	Log *slog.Logger

	// New leaves them as they are: the machine's.
	Clock  procore.Clock
	Random procore.Random
	Dial   procore.Dial // to Procore; AWS has its own HTTP client
}

// New reads the variables that all functions need from the process's environment. Its own error is about
// LOG_LEVEL alone. Call Env.Err after the last variable was read: it reports the others.
func New() (*Base, error) {
	env := Env()
	log, err := logging.New(os.Stdout, env.Optional("LOG_LEVEL"))
	if err != nil {
		return nil, err
	}
	log = slog.New(metrics.Handler(log.Handler(), env.Optional("METRICS_NAMESPACE")))
	slog.SetDefault(log)
	return From(env, env.AWS(), log), nil
}

// From returns a base that is made of these parts alone, so that one process may have several.
func From(env *config.Env, c aws.Config, log *slog.Logger) *Base {
	return &Base{Env: env, AWS: c, DB: DynamoDB(env, c), Log: log}
}

// Env reads the variables of this process.
func Env() *config.Env { return config.New(os.Getenv) }

// DynamoDB returns a client of it.
func DynamoDB(env *config.Env, c aws.Config) *dynamodb.Client {
	return dynamodb.NewFromConfig(c, func(o *dynamodb.Options) { o.BaseEndpoint = env.Endpoint("DYNAMODB") })
}
