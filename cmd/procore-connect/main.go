// Command procore-connect is for the operator of a deployed stack, or of make run:
//
//	go run ./cmd/procore-connect --local list --needs-person
//
// It reads by default. A verb that changes something says what it will do, and asks. It never shows a token.
// docs/RUNBOOK.md says when to type what.
package main

import (
	"context"
	"os"
	"os/signal"

	"procore-connect/pkg/procore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Getenv, streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, person: person()}, procore.Clock{})
	stop()
	os.Exit(code)
}

// person reports whether someone can be asked.
func person() bool {
	info, err := os.Stdin.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
