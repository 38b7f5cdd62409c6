// Command webhook-receiver is the Lambda function behind POST and HEAD /webhooks/procore.
package main

import (
	"procore-connect/functions/webhook-receiver/handler"
	"procore-connect/internal/wire/run"
)

func main() { run.Function("webhook-receiver", handler.New) }
