// Command procore-connect is for the operator of a deployed stack, or of make run:
//
//	go run ./cmd/procore-connect --local list --needs-person
//
// It reads, and changes nothing. It never shows a token. docs/RUNBOOK.md says when to type what.
package main

import (
	"context"
	"os"
	"os/signal"

	"procore-connect/pkg/procore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Getenv, streams{os.Stdout, os.Stderr}, procore.Clock{})
	stop()
	os.Exit(code)
}
