package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/internal/operator/dead"
)

func (s *session) dead() *cobra.Command {
	c := &cobra.Command{
		Use:   "dead",
		Short: "Show dead letters: events that the consumer failed on, and changes that were dropped",
		Example: `  procore-connect dead list
  procore-connect dead redrive`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(s.deadList(), s.deadRedrive(), s.deadPurge())
	return c
}

func (s *session) deadList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List dead letters, and what to type for each",
		Long: fmt.Sprintf(`List dead letters, and what to type for each. The exit code is 3 if there is one.

An event is a dead letter after the consumer failed on it as often as the queue delivers it. Fix the consumer, then type
dead redrive.

A position is a place in a stream whose changes were dropped after 22 hours: the dispatcher's are events that no consumer
received, the announcer's are changes of which no message was sent. It has the time of the changes, not the changes.

Up to %d messages of each queue are shown, and of a resource only the first ten events. rescue list has the pairs of tokens
that are dead letters.`, operator.MaxLetters),
		Example: `  procore-connect dead list
  procore-connect dead list --json`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := operator.Open(c.Context(), s.target)
			if err != nil {
				return err
			}
			l, err := o.Letters(c.Context())
			if err != nil {
				return err
			}
			now := s.target.Clock.Now()
			err = s.write(l, func(w io.Writer) error { return letters(w, l, now) })
			return errors.Join(err, trouble(err == nil && l.Any()))
		},
	}
}

// letters writes the dead letters for a person.
func letters(w io.Writer, l operator.Letters, now time.Time) error {
	if l.Move != nil && l.Move.Running {
		fmt.Fprintf(w, "A move back to the events queue runs since %s: %d of %d are moved.\n\n", ago(now, l.Move.Started), l.Move.Moved, l.Move.Total)
	}
	if !l.Any() {
		_, err := fmt.Fprintln(w, "There is no dead letter.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if l.EventsTotal > 0 {
		fmt.Fprintln(t, "EVENT\tCOMPANY\tRESOURCE\tTYPE\tDEAD\tRECEIPTS")
	}
	for _, e := range l.Events {
		if e.EventID == "" {
			fmt.Fprintf(t, "message %s is no event\t–\t–\t–\t%s\t%d\n", e.MessageID, ago(now, e.Since), e.Receipts)
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%d\n", short(e.EventID), e.CompanyID, short(strings.TrimSpace(e.Resource+" "+e.ResourceID)),
			orDash(short(e.Type)), ago(now, e.Since), e.Receipts)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if n := l.EventsTotal - len(l.Events); n > 0 {
		fmt.Fprintf(w, "About %d more wait behind them.\n", n)
	}
	if l.EventsTotal > 0 {
		fmt.Fprint(w, "Why: procore-connect trace EVENT. Once the consumer is fixed: procore-connect dead redrive\n")
	}
	for _, p := range l.Positions {
		fmt.Fprintf(w, "\n%s\n%s\n", positionText(p, now), todo(p))
	}
	if l.More {
		fmt.Fprintln(w, "\nThere are more positions than these.")
	}
	return nil
}

// positionText describes a position.
func positionText(p operator.Position, now time.Time) string {
	if p.From.IsZero() {
		return fmt.Sprintf("Message %s of the %s, %s, which is no position.", p.MessageID, p.Of, ago(now, p.Since))
	}
	what := map[string]string{operator.Dispatcher: "not sent to the consumer", operator.Announcer: "not announced"}[p.Of]
	return fmt.Sprintf("Position %s of the %s, dropped %s:\n%s %s, made from %s to %s.", p.MessageID, p.Of, ago(now, p.Since),
		plural(p.Changes, "change"), what, clock(p.From), clock(p.To))
}

// todo is what to type because of a position, and then for it.
func todo(p operator.Position) string {
	return "  procore-connect " + strings.Join(p.First(), " ") + "\n  procore-connect dead purge " + p.MessageID
}

func (s *session) deadRedrive() *cobra.Command {
	return s.changes(&cobra.Command{
		Use:   "redrive",
		Short: "Move the events that are dead letters back to the events queue",
		Long: `Move the events that are dead letters back to the events queue, once the consumer is fixed.

SQS moves them, the oldest first, and the order within a resource remains. It goes on if this command is interrupted; dead
list shows how far it is. The consumer receives each as often again as the queue delivers an event. Newer events of the same
resource may have been handled before.`,
		Example: `  procore-connect dead redrive`,
		Args:    usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := operator.Open(c.Context(), s.target)
			if err != nil {
				return err
			}
			total, err := o.DeadEvents().Count(c.Context())
			if err != nil {
				return err
			}
			if total == 0 {
				return s.write(dead.Move{}, func(w io.Writer) error { _, err := fmt.Fprintln(w, "There is no dead event."); return err })
			}
			plan := fmt.Sprintf("About %s go back to the events queue, the oldest first, and the consumer receives them again.", plural(total, "dead event"))
			return s.change(c.Context(), o, operator.Action{Verb: "dead redrive"}, plan, func(ctx context.Context, _ string) error {
				m, err := o.DeadEvents().Move(ctx, func(m dead.Move) { fmt.Fprintf(s.err, "%d of %d moved\n", m.Moved, m.Total) })
				if errors.Is(err, dead.ErrMoves) {
					return fmt.Errorf("%w. procore-connect dead list shows how far it is", err)
				}
				if err != nil {
					return err
				}
				return s.write(m, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "%s moved.\n", plural(int(m.Moved), "event"))
					return err
				})
			})
		},
	})
}

func (s *session) deadPurge() *cobra.Command {
	return s.changes(&cobra.Command{
		Use:   "purge ID",
		Short: "Delete a position, after its changes were replayed or looked through",
		Long: `Delete a position, after its changes were replayed or looked through. dead list shows its id, and what to type before.

Only positions can be deleted, one at a time. An event cannot: it is moved back, or expires after 14 days.`,
		Example: `  procore-connect dead purge 0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9`,
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := operator.Open(c.Context(), s.target)
			if err != nil {
				return err
			}
			p, err := o.Position(c.Context(), args[0])
			if err != nil {
				return err
			}
			before, _, _ := strings.Cut(todo(p), "\n")
			plan := positionText(p, s.target.Clock.Now()) + "\nIt is deleted for good. Nothing else has this time. Before, you have typed:\n" + before
			return s.change(c.Context(), o, operator.Action{Verb: "dead purge"}, plan, func(ctx context.Context, _ string) error {
				if err := o.Purge(ctx, p); err != nil {
					return err
				}
				return s.write(p, func(w io.Writer) error { _, err := fmt.Fprintln(w, "Deleted."); return err })
			})
		},
	})
}
