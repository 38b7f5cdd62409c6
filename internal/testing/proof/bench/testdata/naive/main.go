// This file replaces the webhook receiver's main.go: nothing is read from the environment before naive's New does.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"procore-connect/functions/webhook-receiver/handler"
)

func main() { lambda.Start(handler.New()) }
