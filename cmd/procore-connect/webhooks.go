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
)

func (s *session) webhooks() *cobra.Command {
	c := &cobra.Command{
		Use:     "webhooks",
		Short:   "Show a company's webhook, or put it in order now",
		Example: `  procore-connect webhooks show 5678`,
		Args:    usage(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(s.webhooksShow(), s.webhooksSync())
	return c
}

func (s *session) webhooksShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show COMPANY",
		Short: "Show a company's webhook: as it should be, as Procore shows it, and the last and next pass",
		Long: `Show a company's webhook: as it should be, as Procore shows it, and the last and next pass.

Procore is asked by a connection whose access token is valid. None is refreshed, and nothing is changed. Procore never shows
the credential: whether it is current follows from what Procore last accepted. The exit code is 3 if something is wrong.`,
		Example: `  procore-connect webhooks show 5678
  procore-connect webhooks show 5678 --json`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, id, err := s.about(cmd.Context(), args)
			if err != nil {
				return err
			}
			w, err := o.Webhook(cmd.Context(), id)
			if err != nil {
				return err
			}
			now := s.target.Clock.Now()
			err = s.write(w, func(out io.Writer) error { return webhook(out, w, now) })
			return errors.Join(err, trouble(err == nil && len(w.Faults()) > 0))
		},
	}
}

// webhook writes a company's hook for a person.
func webhook(out io.Writer, w *operator.Webhook, now time.Time) error {
	fmt.Fprintf(out, "%s\n\n", wrap(oneLine(judgement(w)), 100))
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(field string, values ...string) {
		fmt.Fprintf(t, "%s\t%s\n", field, strings.Join(values, "\t"))
	}
	row("", "WANTED", "AT PROCORE")
	p, wanted := operator.ShownHook{}, w.Wanted
	if w.Procore != nil {
		p = *w.Procore
	}
	shown := func(text string) string {
		if w.Procore == nil {
			return "not known"
		}
		return orDash(short(text))
	}
	status := "active"
	if w.Off {
		status, wanted = "no hook", operator.HookFields{}
	}
	row("hook", orDash(w.Stored.ID), shown(p.ID))
	row("status", status, shown(p.Status))
	row("URL", orDash(oneLine(wanted.URL)), shown(p.URL))
	row("namespace", orDash(oneLine(wanted.Namespace)), shown(p.Namespace))
	row("payload", orDash(wanted.Version), shown(p.Version))
	row("credential", orDash(w.Stored.Current), orDash(w.Stored.Credential)+" (last accepted)")
	row("triggers", fmt.Sprint(len(wanted.Triggers)), shown(fmt.Sprint(len(p.Triggers))))
	if err := t.Flush(); err != nil {
		return err
	}
	for _, list := range []struct {
		name string
		all  []string
	}{{"missing trigger", p.Missing}, {"surplus trigger", p.Surplus}, {"twin hook", p.Twins}, {"hook of another deployment", p.Foreign}} {
		for _, one := range list.all {
			fmt.Fprintf(t, "%s\t%s\n", list.name, short(one))
		}
	}
	fmt.Fprintf(t, "last pass\t%s\n", passed(now, w))
	fmt.Fprintf(t, "next pass\t%s\n", next(now, w.NextPass))
	fmt.Fprintf(t, "made by\t%s\n", orDash(w.Stored.Creator))
	fmt.Fprintf(t, "reports since\t%s\n", date(w.Stored.Since))
	fmt.Fprintf(t, "recovered\t%d events that Procore had discarded\n", w.Stored.Recovered)
	for _, r := range w.Repairs {
		fmt.Fprintf(t, "tried in vain\t%s: from %s to %s, %d times, last %s\n", short(r.Field), short(r.Have), short(r.Want), r.Tries, ago(now, r.At))
	}
	fmt.Fprintln(out)
	return t.Flush()
}

// judgement is the first paragraph: how the hook is, and what to type.
func judgement(w *operator.Webhook) string {
	faults := w.Faults()
	s := fmt.Sprintf("The webhook of company %d ", w.CompanyID)
	switch {
	case len(faults) > 0:
		s += fmt.Sprintf("is not as it should be: %s.", strings.Join(faults, "; "))
	case w.Procore == nil:
		s += "is as it should be, as far as that is stored."
	case w.Off:
		s = fmt.Sprintf("No triggers are configured, and company %d has no webhook.", w.CompanyID)
	default:
		s += "is as it should be."
	}
	if w.Procore == nil && w.NotShown != "" {
		s += fmt.Sprintf(" Procore was not asked, or did not answer: %s.", strings.TrimSuffix(w.NotShown, "."))
	}
	switch {
	case w.NeedsAdmin:
		s += fmt.Sprintf(" An administrator has to act: procore-connect why %d.", w.CompanyID)
	case len(faults) > 0 || w.Procore == nil:
		s += fmt.Sprintf(" procore-connect webhooks sync %d makes a pass now.", w.CompanyID)
	}
	return s
}

// passed is when the last pass ended, and how.
func passed(now time.Time, w *operator.Webhook) string {
	s := ago(now, w.LastPass)
	if w.LastError != "" {
		s += ", failed"
	}
	if w.PassRuns {
		s += "; one is at work"
	}
	return s
}

// next is when something is due.
func next(now, at time.Time) string {
	switch {
	case at.IsZero():
		return "–"
	case !now.Before(at):
		return "due"
	}
	return "in " + operator.Length(at.Sub(now))
}

func (s *session) webhooksSync() *cobra.Command {
	var every bool
	var after int64
	c := &cobra.Command{
		Use:   "sync COMPANY | --all",
		Short: "Put a company's webhook in order now, and recover what Procore discarded",
		Long: `Put a company's webhook in order now, and recover what Procore discarded, as housekeeping does when it is due.

It is safe beside housekeeping: one of them works on a company at a time. With --all each company has a pass, a few at once.
Use that when a wrong deployment was corrected, after a change of the triggers, and to end a rotation of the webhook key
sooner. ^C ends it after the passes that have begun, and the command that goes on is shown.`,
		Example: `  procore-connect webhooks sync 5678
  procore-connect webhooks sync --all --yes`,
		Args: usage(func(c *cobra.Command, args []string) error {
			if all, _ := c.Flags().GetBool("all"); all {
				return cobra.NoArgs(c, args)
			}
			return cobra.ExactArgs(1)(c, args)
		}),
	}
	c.Flags().BoolVar(&every, "all", false, "all connected companies")
	c.Flags().Int64Var(&after, "after", 0, "with --all: those with a higher id, to go on where one was interrupted")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var id int64
		if !every {
			var err error
			if id, err = companyID(args); err != nil {
				return err
			}
		}
		o, err := operator.Open(cmd.Context(), s.target)
		if err != nil {
			return err
		}
		if every {
			return s.syncAll(cmd.Context(), o, after)
		}
		return s.sync(cmd.Context(), o, id)
	}
	return s.changes(c)
}

func (s *session) sync(ctx context.Context, o *operator.Operator, id int64) error {
	plan := fmt.Sprintf("A pass over company %d makes its webhook at Procore as it is configured, and stores the events that Procore discarded.", id)
	return s.change(ctx, o, operator.Action{Verb: "webhooks sync", CompanyID: id}, plan, func(ctx context.Context, _ string) error {
		p := o.Sync(ctx, id)
		err := s.write(p, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, wrap(oneLine(p.String()), 100))
			return err
		})
		return errors.Join(err, trouble(err == nil && !p.Right()))
	})
}

// maxShown bounds the companies that an answer about all of them names.
const maxShown = 50

func (s *session) syncAll(ctx context.Context, o *operator.Operator, after int64) error {
	ids, err := o.ToSync(ctx, after)
	if err != nil {
		return err
	}
	plan := fmt.Sprintf("A pass over each of %d companies makes its webhook at Procore as it is configured, and stores the events that Procore discarded.", len(ids))
	return s.change(ctx, o, operator.Action{Verb: "webhooks sync --all"}, plan, func(ctx context.Context, _ string) error {
		answer := struct {
			Passes int             `json:"passes"`
			Right  int             `json:"right"`
			Others []operator.Pass `json:"others"` // at most 50
			After  int64           `json:"after,omitzero"`
		}{Others: []operator.Pass{}}
		reached, ended := o.SyncAll(ctx, ids, func(p operator.Pass) {
			answer.Passes++
			switch {
			case p.Right():
				answer.Right++
			case len(answer.Others) < maxShown:
				answer.Others = append(answer.Others, p)
			}
			if answer.Passes%100 == 0 {
				fmt.Fprintf(s.err, "%d of %d companies\n", answer.Passes, len(ids))
			}
		})
		if ended != nil {
			answer.After = max(reached, after)
		}
		err := s.write(answer, func(w io.Writer) error {
			fmt.Fprintf(w, "%d of %d companies had a pass. Webhooks in order: %d.\n", answer.Passes, len(ids), answer.Right)
			for _, p := range answer.Others {
				fmt.Fprintf(w, "%d: %s\n", p.CompanyID, oneLine(p.String()))
			}
			if more := answer.Passes - answer.Right - len(answer.Others); more > 0 {
				fmt.Fprintf(w, "And %d more that are not in order.\n", more)
			}
			return nil
		})
		if ended != nil {
			return errors.Join(err, fmt.Errorf("interrupted; procore-connect webhooks sync --all --after %d goes on", answer.After))
		}
		return errors.Join(err, trouble(err == nil && answer.Right < answer.Passes))
	})
}
