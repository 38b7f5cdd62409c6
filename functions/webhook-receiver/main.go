// Command webhook-receiver is the Lambda function behind POST /webhooks/procore.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"golang.org/x/sync/errgroup"

	"procore-connect/internal/config"
	"procore-connect/internal/credential"
	"procore-connect/internal/gateway"
	"procore-connect/internal/inbox"
	"procore-connect/internal/logging"
	"procore-connect/internal/secrets"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	env := config.New(os.Getenv)
	log, err := logging.New(os.Stdout, env.Optional("LOG_LEVEL"))
	if err != nil {
		return err
	}
	aws := env.AWS()
	db := dynamodb.NewFromConfig(aws, func(o *dynamodb.Options) { o.BaseEndpoint = env.Endpoint("DYNAMODB") })
	sm := secretsmanager.NewFromConfig(aws, func(o *secretsmanager.Options) { o.BaseEndpoint = env.Endpoint("SECRETS_MANAGER") })
	ring := &secrets.Secret[*credential.Ring]{Client: sm, ID: env.Require("WEBHOOK_SECRET_ID"), Parse: credential.Parse}
	h := &handler{
		ring: ring.Get,
		box:  &inbox.Box{DB: db, Table: env.Require("INBOX_TABLE")},
	}
	if err := env.Err(); err != nil {
		return err
	}

	var warm errgroup.Group
	warm.Go(func() error { config.Warm(context.Background(), aws, env.Endpoint("DYNAMODB"), "dynamodb"); return nil })
	warm.Go(func() error { ring.Get(context.Background(), false); return nil })
	warm.Wait()
	lambda.Start(gateway.Handler(h, gateway.Options{Log: log, MaxBody: -1}))
	return nil
}
