package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/internal/webhook/inbox"
)

// maxListed is how many deliveries a dry run lists.
const maxListed = 1000

// replaying are the flags of a verb that replays.
type replaying struct {
	company       int64
	all           bool
	resource      string
	from, to      string
	notHandled    bool
	dryRun        bool
	limit         int
	position      string
	quarantined   bool
	understood    string // what the times were understood as
	begins, until time.Time
	unread        error // why companies may be missing
}

func (s *session) replay() *cobra.Command {
	var r replaying
	c := &cobra.Command{
		Use:   "replay",
		Short: "Send events to the consumer again",
		Long: `Send events to the consumer again: what arrived for a company from one time until before another.

The events go into the events queue in order of arrival, each in its resource's group, marked with replayed_at. They arrive
after newer ones of their resource, and are handled all the same. If the command is interrupted or fails, it shows the command
that goes on. That one may send the last event twice, which a consumer has to bear.

With --not-handled it leaves out the events whose last line of the consumer says that they are finished: handled, own, stale
or not_found. What was not handled, or has no line any longer, is sent. A consumer in another stack needs --log-group.

The inbox has the events of 14 days.`,
		Example: `  procore-connect replay --company 5678 --from 2h --dry-run
  procore-connect replay --company 5678 --from 2026-11-28T14:05 --to 2026-11-28T16:00:00Z
  procore-connect replay --company 5678 --resource RFIs#1234 --from 3d
  procore-connect replay --all-companies --from 1d --not-handled`,
		Args: usage(cobra.NoArgs),
	}
	f := c.Flags()
	f.Int64Var(&r.company, "company", 0, "the events of this company")
	f.BoolVar(&r.all, "all-companies", false, "the events of all companies, one company after the other")
	f.StringVar(&r.resource, "resource", "", "only the events of one resource, such as RFIs#1234")
	f.StringVar(&r.from, "from", "", "arrived since then: how long ago (90m, 2h, 3d), or a time in UTC (2026-11-28T14:05)")
	f.StringVar(&r.to, "to", "", "arrived before then (default: now)")
	f.BoolVar(&r.notHandled, "not-handled", false, "leave out what the consumer has finished")
	f.BoolVar(&r.dryRun, "dry-run", false, fmt.Sprintf("only show what would be done, event by event up to %d or --limit", maxListed))
	f.IntVar(&r.limit, "limit", 0, "at most so many events (default: all)")
	f.StringVar(&r.position, "position", "", "go on where an earlier replay of the same events stopped, which shows this")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := r.check(s.target.Clock.Now()); err != nil {
			return err
		}
		o, err := operator.Open(c.Context(), s.target)
		if err != nil {
			return err
		}
		which, err := r.selection(c.Context(), s, o)
		if err != nil {
			return err
		}
		return errors.Join(s.replays(c, o, which, &r), r.unread)
	}
	return s.searches(s.changes(c))
}

// check reads what was typed.
func (r *replaying) check(now time.Time) (err error) {
	switch {
	case (r.company != 0) == r.all, r.company < 0:
		return usageError{errors.New("name a company with --company, or all with --all-companies")}
	case r.from == "":
		return usageError{errors.New("name the time with --from, such as --from 2h")}
	case r.limit < 0:
		return usageError{errors.New("--limit is negative")}
	case r.all && r.resource != "":
		return usageError{errors.New("--resource is of one company: add --company")}
	}
	if r.begins, err = when(now, "from", r.from); err != nil {
		return err
	}
	r.until = now
	if r.to != "" {
		if r.until, err = when(now, "to", r.to); err != nil {
			return err
		}
	}
	if !r.begins.Before(r.until) {
		return usageError{fmt.Errorf("--from %s is not before --to %s", moment(r.begins, now), moment(r.until, now))}
	}
	r.understood = fmt.Sprintf("from %s until before %s", moment(r.begins, now), moment(r.until, now))
	return nil
}

// moment is a time as a person can check it.
func moment(t, now time.Time) string {
	text := t.UTC().Format("2006-01-02 15:04:05 UTC")
	switch {
	case t.Equal(now):
		return text + " (now)"
	case t.After(now):
		return text + " (in the future)"
	}
	return text + " (" + operator.Ago(now, t) + ")"
}

// selection returns what was typed as the operator takes it.
func (r *replaying) selection(ctx context.Context, s *session, o *operator.Operator) (which operator.Selection, err error) {
	which.Companies = []int64{r.company}
	if r.all {
		if which.Companies, r.unread, err = s.companies(ctx, o); err != nil {
			return which, err
		}
	}
	which.Selection = inbox.Selection{From: r.begins, To: r.until, DryRun: r.dryRun, Limit: r.limit, Position: r.position, Quarantined: r.quarantined}
	if prefix := strconv.FormatInt(r.company, 10) + "#"; r.resource != "" {
		which.Resource = prefix + strings.TrimPrefix(r.resource, prefix)
	}
	if r.notHandled {
		which.Handled, err = o.Handled(ctx, which.Companies, r.begins)
	}
	return which, err
}

// companies returns all companies. On a bad day a row may not be readable, which does not hold up the others: the person is
// warned before, and the command fails in the end with unread.
func (s *session) companies(ctx context.Context, o *operator.Operator) (ids []int64, unread, err error) {
	ids, unread = o.Companies(ctx)
	if len(ids) == 0 || ctx.Err() != nil {
		return nil, nil, unread
	}
	if unread != nil {
		fmt.Fprintln(s.err, "Not all connections could be read, so that companies may be missing here.")
	}
	return ids, unread, nil
}

// replays shows the plan, and follows it.
func (s *session) replays(c *cobra.Command, o *operator.Operator, which operator.Selection, r *replaying) error {
	count, err := o.CountReplay(c.Context(), which)
	if err != nil {
		return err
	}
	plan := r.plan(count, which)
	if r.dryRun {
		which.Limit = min(max(which.Limit, 0), maxListed)
		if which.Limit == 0 {
			which.Limit = maxListed
		}
		fmt.Fprintln(s.err, plan)
		report, err := o.Replay(c.Context(), which, func(int) {})
		if report.Position != "" && err == nil {
			fmt.Fprintf(s.err, "These are the first %d.\n", report.Done())
		}
		return errors.Join(s.write(report, func(w io.Writer) error { return fates(w, report) }), err)
	}
	if count.Deliveries == 0 {
		fmt.Fprintln(s.err, plan)
		return s.write(operator.Replayed{Counts: map[inbox.Fate]int{}}, func(w io.Writer) error { _, err := fmt.Fprintln(w, "Nothing is to be done."); return err })
	}
	verb := strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
	return s.change(c.Context(), o, operator.Action{Verb: verb, CompanyID: r.company}, plan, func(ctx context.Context, _ string) error {
		report, failed := o.Replay(ctx, which, func(done int) { fmt.Fprintf(s.err, "%d of %s done\n", done, number(count)) })
		err := s.write(report, func(w io.Writer) error { return replayed(w, report) })
		if report.Position != "" {
			fmt.Fprintf(s.err, "%d of %s are done. To go on:\n  %s\n", report.Done(), number(count), again(c, map[string]string{
				"from": r.begins.UTC().Format(time.RFC3339Nano), "to": r.until.UTC().Format(time.RFC3339Nano), "position": report.Position,
			}))
		}
		return errors.Join(failed, err)
	})
}
