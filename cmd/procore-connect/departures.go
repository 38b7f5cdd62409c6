package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
)

func (s *session) departures() *cobra.Command {
	c := &cobra.Command{
		Use:   "departures",
		Short: "Show whether the connections of departed users end, or wait for you",
		Long: `Show whether the connections of departed users end, or wait for you.

A user's connection ends when the user has left the company. Ten endings within a day engage a brake, because fewer people
leave in a day: Procore may be wrong. No more connections end until you acknowledge.`,
		Example: `  procore-connect departures
  procore-connect departures acknowledge`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := operator.Open(cmd.Context(), s.target)
			if err != nil {
				return err
			}
			b, err := o.Brake(cmd.Context())
			if err != nil {
				return err
			}
			now := s.target.Clock.Now()
			err = s.write(b, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, wrap(brakeText(b, now), 100))
				return err
			})
			return errors.Join(err, trouble(err == nil && b.Engaged))
		},
	}
	c.AddCommand(s.acknowledge())
	return c
}

func brakeText(b operator.Brake, now time.Time) string {
	if !b.Engaged {
		return fmt.Sprintf("Connections of departed users end. Within a day, %d have ended; at 10 they stop.", b.Endings)
	}
	return fmt.Sprintf("Connections of departed users have not ended since %s (%s), when %d had ended within a day. Since then %d checks found "+
		"a departed user. Look at some of them at Procore first, as docs/RUNBOOK.md says under DeparturesStoppedAlarm. If they did leave, type "+
		"procore-connect departures acknowledge.", toMinute(b.EngagedAt), ago(now, b.EngagedAt), b.Endings, b.Withheld)
}

func (s *session) acknowledge() *cobra.Command {
	return s.changes(&cobra.Command{
		Use:   "acknowledge",
		Short: "Let the connections of departed users end again, ten at most until the next alarm",
		Long: `Let the connections of departed users end again, ten at most until the next alarm.

A user who is back at Procore keeps the connection, because each is checked again before it ends. If more users did leave,
repeat it after each ten.`,
		Example: `  procore-connect departures acknowledge`,
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := operator.Open(cmd.Context(), s.target)
			if err != nil {
				return err
			}
			b, err := o.Brake(cmd.Context())
			if err != nil {
				return err
			}
			plan := wrap(brakeText(b, s.target.Clock.Now()), 100) + "\nFrom now on they end again, ten at most until the next alarm."
			return s.change(cmd.Context(), o, operator.Action{Verb: "departures acknowledge"}, plan, func(ctx context.Context, _ string) error {
				was, err := o.Acknowledge(ctx)
				if err != nil {
					return err
				}
				return s.write(was, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "Acknowledged: %d connections had ended, and %d checks had found a departed user since.\n", was.Endings, was.Withheld)
					return err
				})
			})
		},
	})
}

func (s *session) markRestored() *cobra.Command {
	return s.changes(&cobra.Command{
		Use:   "mark-restored",
		Short: "End all users' grants after the tables were restored from a backup",
		Long: `End all users' grants after the tables were restored from a backup, or copied.

Refresh tokens of a backup may have been sent since, and Procore may end a user's whole authorization if one is sent again.
The ledger of sent tokens keeps them from being sent, unless it was lost or restored too. Then type this before anything uses
the tables: each user has to connect once more, and list --needs-person shows who.

It may be interrupted, and repeated until it ends none. The service account is not concerned.`,
		Example: `  procore-connect mark-restored`,
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := operator.Open(cmd.Context(), s.target)
			if err != nil {
				return err
			}
			n, unread := o.Usable(cmd.Context())
			if unread != nil {
				fmt.Fprintln(s.err, "Rows that cannot be read:", unread)
			}
			plan := fmt.Sprintf("The grants of %d users end here, and none is sent to Procore. Each of these users has to connect again.", n)
			return s.change(cmd.Context(), o, operator.Action{Verb: "mark-restored"}, plan, func(ctx context.Context, by string) error {
				ended, err := o.Restored(ctx, by)
				answer := map[string]int{"ended": ended}
				written := s.write(answer, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "Ended: the grants of %d users. procore-connect list --needs-person shows who has to connect again.\n", ended)
					return err
				})
				if err != nil {
					err = fmt.Errorf("%w. Type it again", err)
				}
				return errors.Join(written, err)
			})
		},
	})
}
