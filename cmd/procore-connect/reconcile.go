package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/internal/webhook/reconcile"
)

func (s *session) coverage() *cobra.Command {
	return &cobra.Command{
		Use:   "coverage COMPANY",
		Short: "Show until when a company's changes are covered, and what is not",
		Long: `Show until when a company's changes are covered, and what is not. It reads what the reconciler stored, and asks Procore
nothing. Before that time each change of a resource that the connection can see has an event, even if Procore never delivered
it.`,
		Example: `  procore-connect coverage 5678`,
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, id, err := s.about(cmd.Context(), args)
			if err != nil {
				return err
			}
			c, err := o.Coverage(cmd.Context(), id)
			if err != nil {
				return err
			}
			return s.write(c, func(w io.Writer) error { return s.covered(w, c) })
		},
	}
}

func (s *session) covered(w io.Writer, c reconcile.Coverage) error {
	now := s.target.Clock.Now()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RESOURCE\tCOVERED UNTIL\t\tNOT COVERED")
	for _, r := range c.Resources {
		until, not := "–", orDash(oneLine(r.Reason))
		if !r.Until.IsZero() {
			until = toMinute(r.Until)
		}
		if len(r.Refused) > 0 {
			not = fmt.Sprintf("projects whose tool may not be read: %d, such as %s", len(r.Refused), r.Refused[0])
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", short(r.Resource), until, ago(now, r.Until), not)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nNever covered:")
	for _, one := range c.NotCovered {
		fmt.Fprintln(w, "-", one)
	}
	return nil
}

func (s *session) reconcile() *cobra.Command {
	c := &cobra.Command{
		Use:   "reconcile COMPANY",
		Short: "Find a company's changes that no webhook reported, now",
		Long: `Find a company's changes that no webhook reported, now, whether or not it is due. Each becomes an event.

It uses the same lease as the reconciler, so that one of them works for a company at a time, and the same budget of calls in
an hour. It waits as the reconciler does while deliveries of the webhook still wait at Procore.`,
		Example: `  procore-connect reconcile 5678`,
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, id, err := s.about(cmd.Context(), args)
			if err != nil {
				return err
			}
			plan := fmt.Sprintf("Reads what changed in company %d at Procore, and stores an event for each change that no webhook reported.", id)
			return s.change(cmd.Context(), o, operator.Action{Verb: "reconcile", CompanyID: id}, plan, func(ctx context.Context, _ string) error {
				return s.reconcileNow(ctx, o, id)
			})
		},
	}
	return s.changes(c)
}

func (s *session) reconcileNow(ctx context.Context, o *operator.Operator, id int64) error {
	n, err := o.ReconcileNow(ctx, id)
	if err != nil {
		return fmt.Errorf("%w; the reconciler repeats it", err)
	}
	c, err := o.Coverage(ctx, id)
	if err != nil {
		return err
	}
	answer := struct {
		Calls      int                `json:"calls"`
		Reconciled int                `json:"reconciled"`
		Backfilled int                `json:"backfilled"`
		Busy       bool               `json:"busy"`
		Waits      bool               `json:"waits"`
		NoReader   bool               `json:"no_reader"`
		Coverage   reconcile.Coverage `json:"coverage"`
	}{n.Calls, n.Reconciled, n.Backfilled, n.Busy, n.Waits, n.NoReader, c}
	err = s.write(answer, func(w io.Writer) error {
		fmt.Fprintf(w, "%s\n\n", wrap(operator.Outcome(id, n), 100))
		return s.covered(w, c)
	})
	return errors.Join(err, trouble(err == nil && (n.Busy || n.Waits || n.NoReader)))
}
