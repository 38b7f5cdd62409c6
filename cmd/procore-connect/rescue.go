package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/internal/operator/dead"
)

func (s *session) rescue() *cobra.Command {
	c := &cobra.Command{
		Use:   "rescue",
		Short: "Show the new pairs that the table refused, and store them now",
		Long: `Show the new pairs that the table refused, and store them now.

Each message of the rescue queue is the only copy of a pair, sealed. Never purge it. Housekeeping tries every five minutes,
for a day; then the message is in the dead-letter queue.`,
		Example: `  procore-connect rescue list`,
		Args:    usage(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(s.rescueList(), s.rescueRun())
	return c
}

func (s *session) rescueList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show which pairs wait, since when, and what becomes of each",
		Long: `Show which pairs wait, since when, and what becomes of each. The exit code is 3 if there is one.

To see a message it has to be received. It is visible again at once, and one of its 288 tries is used.`,
		Example: `  procore-connect rescue list
  procore-connect rescue list --json`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := operator.Open(c.Context(), s.target)
			if err != nil {
				return err
			}
			r, err := o.RescueList(c.Context())
			if err != nil {
				return err
			}
			now := s.target.Clock.Now()
			err = s.write(r, func(w io.Writer) error { return rescueTable(w, r, now) })
			return errors.Join(err, trouble(err == nil && r.Waiting+r.Dead > 0))
		},
	}
}

func rescueTable(w io.Writer, r operator.Rescued, now time.Time) error {
	if r.Waiting+r.Dead == 0 {
		_, err := fmt.Fprintln(w, "No pair waits to be rescued.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PAIR OF\tGENERATION\tSEALED BY\tQUEUE\tSINCE\tTRIES\tWHAT BECOMES OF IT")
	for _, p := range r.Pairs {
		queue := "rescue"
		if p.Dead {
			queue = "dead letters"
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%d\t%s\n", orDash(short(p.Principal)), p.Generation, orDash(short(p.SealKey)), queue, ago(now, p.Since), p.Tries, oneLine(p.Next))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nIn the rescue queue: %d. procore-connect rescue run stores them now.\n", r.Waiting)
	if r.Dead > 0 {
		fmt.Fprintf(w, "In its dead-letter queue: %d. Fix what housekeeping's errors name; procore-connect rescue run --dead moves them back and stores them.\n", r.Dead)
	}
	return nil
}

func (s *session) rescueRun() *cobra.Command {
	var withDead bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Store the pairs that wait, as housekeeping does",
		Long: `Store the pairs that wait, as housekeeping does, and beside it.

A pair whose row no longer waits for it is dropped, and one of a revoked grant is revoked. What fails remains in the queue,
and is hidden from the next try for four and a half minutes.`,
		Example: `  procore-connect rescue run
  procore-connect rescue run --dead --yes`,
		Args: usage(cobra.NoArgs),
	}
	c.Flags().BoolVar(&withDead, "dead", false, "move those in the dead-letter queue back first")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		o, err := operator.Open(cmd.Context(), s.target)
		if err != nil {
			return err
		}
		plan := "Stores the pairs of the rescue queue in their rows, and deletes the messages of those that are stored or not wanted any more."
		if withDead {
			plan = "Moves the messages of the dead-letter queue back to the rescue queue. " + plan
		}
		return s.change(cmd.Context(), o, operator.Action{Verb: "rescue run"}, plan, func(ctx context.Context, _ string) error {
			moved, stored, failed := o.RescueRun(ctx, withDead, func(m dead.Move) { s.say(fmt.Sprintf("Moved %d of %d messages.", m.Moved, m.Total)) })
			answer := struct {
				Moved int64 `json:"moved"`
				Done  int   `json:"done"`
			}{moved, stored}
			err := s.write(answer, func(w io.Writer) error {
				if withDead {
					fmt.Fprintf(w, "Moved back: %d.\n", moved)
				}
				_, err := fmt.Fprintf(w, "Stored, or not wanted any more: %d.\n", stored)
				return err
			})
			if failed != nil {
				failed = fmt.Errorf("the rest remains in the queue, and housekeeping tries it again: %w", failed)
			}
			return errors.Join(err, failed)
		})
	}
	return s.changes(c)
}
