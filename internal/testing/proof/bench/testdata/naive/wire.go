// This file replaces the wire.go of the webhook receiver's handler. It builds the function as it is
// usually written: with the SDK's config package, and without opening or reading
// anything before the first event. The handler is the same.
package handler

import (
	"context"
	"log"
	"log/slog"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/platform/secrets"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/inbox"
)

// New returns the function.
func New() gateway.Func {
	c, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	ring := &secrets.Secret[*credential.Ring]{
		Client: secretsmanager.NewFromConfig(c),
		ID:     os.Getenv("WEBHOOK_SECRET_ID"),
		Parse:  credential.Parse,
	}
	h := &handler{
		ring:  ring,
		inbox: &inbox.Store{DB: dynamodb.NewFromConfig(c), Table: os.Getenv("INBOX_TABLE")},
	}
	logger := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	return gateway.Handler(h, gateway.Options{Log: logger, MaxBody: -1})
}
