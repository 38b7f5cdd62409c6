// Command webhook-receiver is the Lambda function behind POST and HEAD /webhooks/procore.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/secret"
)

func main() {
	h, base, err := newHandler()
	if err != nil {
		fmt.Fprintln(os.Stderr, "webhook-receiver:", err)
		os.Exit(1)
	}
	lambda.Start(gateway.Handler(h, gateway.Options{Log: base.Log, MaxBody: -1}))
}

func newHandler() (*handler, *wire.Base, error) {
	base, err := wire.New()
	if err != nil {
		return nil, nil, err
	}
	ring := secret.Webhook(base)
	h := receive(ring, &inbox.Store{DB: base.DB, Table: base.Env.Require("INBOX_TABLE")})
	if err := base.Env.Err(); err != nil {
		return nil, nil, err
	}
	base.Warm(secret.Read(ring), h.inbox.Warm)
	return h, base, nil
}
