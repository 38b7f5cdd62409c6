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
	"procore-connect/internal/webhook/inbox"
)

// inboxLife is how long the inbox has a delivery, as --since is typed.
const inboxLife = "14d"

func (s *session) quarantine() *cobra.Command {
	c := &cobra.Command{
		Use:   "quarantine",
		Short: "Show deliveries that were not understood, and store those that are understood now",
		Example: `  procore-connect quarantine list
  procore-connect quarantine replay --company 5678`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(s.quarantineList(), s.quarantineShow(), s.quarantineReplay())
	return c
}

func (s *session) quarantineList() *cobra.Command {
	var company int64
	var since string
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "List the deliveries in quarantine, the last one first",
		Example: `  procore-connect quarantine list --since 1d
  procore-connect quarantine list --company 5678 --json`,
		Args: usage(cobra.NoArgs),
	}
	c.Flags().Int64Var(&company, "company", 0, "only of this company (default: all)")
	c.Flags().StringVar(&since, "since", inboxLife, "arrived since then: how long ago (90m, 24h, 3d), or a time in UTC (2026-03-02T08:00)")
	c.Flags().IntVar(&limit, "limit", 100, "at most so many")
	c.RunE = func(c *cobra.Command, _ []string) error {
		now := s.target.Clock.Now()
		from, err := when(now, "since", since)
		if err == nil && (company < 0 || limit < 1) {
			err = usageError{errors.New("--company and --limit are positive")}
		}
		if err != nil {
			return err
		}
		o, err := operator.Open(c.Context(), s.target)
		if err != nil {
			return err
		}
		companies, unread := []int64{company}, error(nil)
		if company == 0 {
			if companies, unread, err = s.companies(c.Context(), o); err != nil {
				return err
			}
		}
		found, total, err := o.Quarantine(c.Context(), companies, from, limit, 0)
		if err != nil {
			return err
		}
		if total > len(found) {
			fmt.Fprintf(s.err, "These are the last %d of %d.\n", len(found), total)
		}
		err = s.write(append([]operator.Quarantined{}, found...), func(w io.Writer) error { return quarantineTable(w, found, now) })
		return errors.Join(err, unread)
	}
	return c
}

func quarantineTable(w io.Writer, all []operator.Quarantined, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "There is no such delivery.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DELIVERY\tRECEIVED\tBYTES\tREASON")
	for _, q := range all {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", q.ID, ago(now, q.ReceivedAt), q.Size, oneLine(q.Reason))
	}
	return t.Flush()
}

func (s *session) quarantineShow() *cobra.Command {
	var body bool
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show one delivery: why it is in quarantine, and what a replay would do with it now",
		Example: `  procore-connect quarantine show 5678/0a1b2c3d4e5f
  procore-connect quarantine show 5678/0a1b2c3d4e5f --body`,
		Args: usage(cobra.ExactArgs(1)),
	}
	c.Flags().BoolVar(&body, "body", false, "show what Procore sent too, which may be personal data")
	c.RunE = func(c *cobra.Command, args []string) error {
		_, q, err := s.held(c.Context(), args[0])
		if err != nil {
			return err
		}
		answer := struct {
			*operator.Quarantined
			Body string `json:"body,omitempty"`
		}{Quarantined: q}
		if body {
			answer.Body = string(q.Body)
		}
		now := s.target.Clock.Now()
		return s.write(answer, func(w io.Writer) error { return quarantineDetails(w, q, answer.Body, now) })
	}
	return c
}

// held opens the stack and reads a delivery in quarantine.
func (s *session) held(ctx context.Context, id string) (*operator.Operator, *operator.Quarantined, error) {
	if err := operator.CheckQuarantineID(id); err != nil {
		return nil, nil, usageError{fmt.Errorf("%w; procore-connect quarantine list shows them", err)}
	}
	o, err := operator.Open(ctx, s.target)
	if err != nil {
		return nil, nil, err
	}
	q, err := o.Held(ctx, id)
	return o, q, err
}

func quarantineDetails(w io.Writer, q *operator.Quarantined, body string, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "company\t%d\n", q.CompanyID)
	fmt.Fprintf(t, "digest\t%s\n", q.Digest)
	fmt.Fprintf(t, "received\t%s (%s)\n", clock(q.ReceivedAt), ago(now, q.ReceivedAt))
	fmt.Fprintf(t, "size\t%d bytes\n", q.Size)
	fmt.Fprintf(t, "reason\t%s\n", oneLine(q.Reason))
	fmt.Fprintf(t, "now\t%s\n", oneLine(q.Would()))
	if err := t.Flush(); err != nil || body == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "\nWhat Procore sent:\n%s\n", oneLine(body))
	return err
}

func (s *session) quarantineReplay() *cobra.Command {
	r := replaying{quarantined: true}
	c := &cobra.Command{
		Use:   "replay [ID]",
		Short: "Decode deliveries in quarantine again, and store those that are events now",
		Long: `Decode deliveries in quarantine again, and store those that are events now: one by its id, or those of a company.

What is an event now is stored by the ordinary write, so that the consumer receives it once. The rest remains in quarantine:
what is still not understood, what is stored already, and what is truncated, because only the beginning of a very large
delivery is kept. This command decodes as its own version does: build it from what is deployed.`,
		Example: `  procore-connect quarantine replay 5678/0a1b2c3d4e5f
  procore-connect quarantine replay --company 5678 --from 3d --dry-run
  procore-connect quarantine replay --all-companies --from 1d`,
		Args: usage(cobra.MaximumNArgs(1)),
	}
	f := c.Flags()
	f.Int64Var(&r.company, "company", 0, "the deliveries of this company")
	f.BoolVar(&r.all, "all-companies", false, "the deliveries of all companies, one company after the other")
	f.StringVar(&r.from, "from", inboxLife, "arrived since then: how long ago (90m, 2h, 3d), or a time in UTC (2026-11-28T14:05)")
	f.StringVar(&r.to, "to", "", "arrived before then (default: now)")
	f.BoolVar(&r.dryRun, "dry-run", false, fmt.Sprintf("only show what would be done, up to %d or --limit", maxListed))
	f.IntVar(&r.limit, "limit", 0, "at most so many deliveries (default: all)")
	f.StringVar(&r.position, "position", "", "go on where an earlier replay of the same deliveries stopped, which shows this")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return s.replayHeld(c, args[0], r)
		}
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
	return s.changes(c)
}

// replayHeld replays one delivery in quarantine.
func (s *session) replayHeld(c *cobra.Command, id string, r replaying) error {
	if r.company != 0 || r.all || r.position != "" || r.limit != 0 {
		return usageError{errors.New("name one delivery by its id, or those of a company by --company")}
	}
	o, q, err := s.held(c.Context(), id)
	if err != nil {
		return err
	}
	plan := fmt.Sprintf("Delivery %s, received %s: %s.", q.ID, clock(q.ReceivedAt), oneLine(q.Would()))
	would := operator.Replayed{Counts: map[inbox.Fate]int{q.Fate: 1}}
	if r.dryRun || q.Fate != inbox.StoredNow {
		fmt.Fprintln(s.err, plan)
		return s.write(would, func(w io.Writer) error { _, err := fmt.Fprintln(w, "Nothing was changed."); return err })
	}
	return s.change(c.Context(), o, operator.Action{Verb: "quarantine replay", CompanyID: q.CompanyID}, plan, func(ctx context.Context, _ string) error {
		done, err := o.StoreHeld(ctx, q)
		if err != nil {
			return err
		}
		report := operator.Replayed{Counts: map[inbox.Fate]int{done.Fate: 1}}
		return s.write(report, func(w io.Writer) error { return replayed(w, report) })
	})
}
