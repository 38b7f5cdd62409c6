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
	"os/exec"
	"os/signal"
	"runtime"

	"golang.org/x/term"

	"procore-connect/pkg/procore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	to := streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, open: open}
	stdin := int(os.Stdin.Fd())
	before, err := term.GetState(stdin)
	if to.person = err == nil; to.person {
		to.hidden = func() ([]byte, error) { return term.ReadPassword(stdin) }
	}
	code := run(ctx, os.Args[1:], os.Getenv, to, procore.Clock{})
	if to.person {
		_ = term.Restore(stdin, before) // it was interrupted while it read without echo
	}
	stop()
	os.Exit(code)
}

// open shows an address of Procore's login, which the command has made, in the person's browser.
func open(ctx context.Context, url string) error {
	program := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if program == nil {
		program = []string{"xdg-open"}
	}
	return exec.CommandContext(ctx, program[0], append(program[1:], url)...).Run() //nolint:gosec // no shell reads the address
}
