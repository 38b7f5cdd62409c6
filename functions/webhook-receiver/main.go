// Command webhook-receiver is the Lambda function behind POST /webhooks/procore.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"procore-connect/internal/credential"
	"procore-connect/internal/gateway"
	"procore-connect/internal/inbox"
	"procore-connect/internal/secrets"
	"procore-connect/internal/setup"
)

func main() {
	h, base, err := wire()
	if err != nil {
		fmt.Fprintln(os.Stderr, "webhook-receiver:", err)
		os.Exit(1)
	}
	lambda.Start(gateway.Handler(h, gateway.Options{Log: base.Log, MaxBody: -1}))
}

func wire() (*handler, *setup.Base, error) {
	base, err := setup.New()
	if err != nil {
		return nil, nil, err
	}
	ring := &secrets.Secret[*credential.Ring]{
		Client: base.Secrets,
		ID:     base.Env.Require("WEBHOOK_SECRET_ID"),
		Parse:  credential.Parse,
	}
	h := &handler{
		ring: ring.Get,
		box:  &inbox.Box{DB: base.DB, Table: base.Env.Require("INBOX_TABLE")},
	}
	if err := base.Env.Err(); err != nil {
		return nil, nil, err
	}
	base.Warm(setup.Read(ring), h.box.Rehearse)
	return h, base, nil
}
