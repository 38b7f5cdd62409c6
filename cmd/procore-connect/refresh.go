package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/pkg/tokens"
)

func (s *session) refresh() *cobra.Command {
	var dry, always bool
	c := &cobra.Command{
		Use:   "refresh PRINCIPAL",
		Short: "Refresh a user's access token as the schedule does, or say why not",
		Long: `Refresh a user's access token as the schedule does, or say why not.

PRINCIPAL is the id of a user, such as 1234567 or user#1234567, or app for the service account. A token is refreshed if it
expires within a quarter of an hour. The schedule does that every five minutes: a refresh by hand is seldom needed, and each
one is a small risk, because Procore accepts a refresh token once.

With --dry-run nothing is sent or written. The answer is what a refresh would do now: it follows from the state of the grant,
its claim, its age, the app's client id, the breaker and the ledger of sent tokens.`,
		Example: `  procore-connect refresh 1234567 --dry-run
  procore-connect refresh user#1234567 --now`,
		Args: usage(cobra.ExactArgs(1)),
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "only say whether the token would be sent, and why")
	c.Flags().BoolVar(&always, "now", false, "also if the access token is valid for longer")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		o, err := operator.Open(cmd.Context(), s.target)
		if err != nil {
			return err
		}
		p, err := o.Principal(args[0])
		if err != nil {
			return usageError{err}
		}
		within := tokens.Ahead
		if always {
			within = operator.Always
		}
		plan, err := o.PlanRefresh(cmd.Context(), p, within)
		if err != nil {
			return err
		}
		if dry || !plan.Send {
			err := s.write(plan, func(w io.Writer) error { return refreshPlan(w, plan) })
			return errors.Join(err, trouble(err == nil && !plan.Usable))
		}
		return s.refreshNow(cmd.Context(), o, p, within, plan)
	}
	return s.changes(c)
}

func refreshPlan(w io.Writer, plan operator.Refresh) error {
	text := "The refresh token of %s is not sent: %s."
	switch app := plan.Principal == string(tokens.App); {
	case app && plan.Send:
		text = "A new token of the service account (%s) would be fetched: %s."
	case app:
		text = "No token of the service account (%s) is fetched: %s."
	case plan.Send:
		text = "The refresh token of %s would be sent: %s."
	}
	_, err := fmt.Fprintln(w, wrap(oneLine(fmt.Sprintf(text, plan.Principal, plan.Reason)), 100))
	return err
}

func (s *session) refreshNow(ctx context.Context, o *operator.Operator, p tokens.Principal, within time.Duration, plan operator.Refresh) error {
	text := fmt.Sprintf("The refresh token of %s is sent to Procore, once: %s.", p, plan.Reason)
	if p == tokens.App {
		text = "A new token of the service account is fetched: " + plan.Reason + "."
	}
	return s.change(ctx, o, operator.Action{Verb: "refresh", Principal: p}, text, func(ctx context.Context, _ string) error {
		done, err := o.Refresh(ctx, p, within)
		if err != nil {
			return fmt.Errorf("%w. procore-connect refresh %s --dry-run says how it is now", err, p)
		}
		return s.write(done, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s has an access token that is valid until %s, of generation %d.\n", p, toMinute(done.Expires), done.Generation)
			return err
		})
	})
}
