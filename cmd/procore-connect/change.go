package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
)

// errDeclined means that the person said no. Nothing was changed.
var errDeclined = errors.New("nothing was changed")

// changes adds the flags of a verb that changes something.
func (s *session) changes(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVarP(&s.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&s.unaudited, "without-audit", false, "go on if the change cannot be noted in the operator's log")
	return c
}

// change makes a change: it says what it will do, asks, logs who does it, and calls do with that name. When it returns,
// the refreshes that do began have ended.
func (s *session) change(ctx context.Context, o *operator.Operator, a operator.Action, plan string, do func(ctx context.Context, by string) error) error {
	fmt.Fprintln(s.err, plan)
	if err := s.agreed(ctx, a.Verb, plan); err != nil {
		return err
	}
	by, err := o.Caller(ctx)
	if err != nil {
		return err
	}
	switch err := o.Record(ctx, s.err, a, by); {
	case errors.Is(err, operator.ErrNotAudited) && s.unaudited:
		fmt.Fprintf(s.err, "%v. Keep the line above.\n", err)
	case errors.Is(err, operator.ErrNotAudited):
		return fmt.Errorf("nothing was changed: %w. If it has to be done now, add --without-audit", err)
	case err != nil:
		return err
	}
	return o.Finish(ctx, func(ctx context.Context) error { return do(ctx, by) })
}

// agreed asks whether to go on.
func (s *session) agreed(ctx context.Context, verb, plan string) error {
	switch {
	case s.yes:
		return nil
	case s.ask != nil:
		if !s.ask(ctx, plan) {
			return errDeclined
		}
		return nil
	case !s.person:
		return usageError{fmt.Errorf("%s changes something, and there is no one to ask: add --yes", verb)}
	}
	fmt.Fprint(s.err, "Continue? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.LimitReader(s.in, 100)).ReadString('\n') // an answer that cannot be read is no
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.err)
		return errDeclined
	case said := <-answer:
		if said != "y" && said != "yes" {
			return errDeclined
		}
		return nil
	}
}
