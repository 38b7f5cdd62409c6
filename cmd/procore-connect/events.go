package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/internal/platform/logging"
)

func (s *session) events() *cobra.Command {
	c := &cobra.Command{
		Use:     "events",
		Short:   "Show what arrived by webhooks, and what became of it",
		Example: `  procore-connect events list --company 5678`,
		Args:    usage(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(s.eventsList(), s.eventsShow())
	return c
}

func (s *session) eventsList() *cobra.Command {
	var f operator.EventFilter
	var since string
	c := &cobra.Command{
		Use:   "list",
		Short: "List events, the last one first, and what became of each",
		Long: `List events, the last one first, and what became of each.

received       stored, and not in the queue yet
dispatched     in the queue, or just being handled
handled        finished by a consumer; OUTCOME is what it reports
failing        not handled; the queue delivers it again
dead           not handled as often as the queue delivers an event; see the dead-letter queue
quarantined    not understood, and shown to no consumer
undeliverable  refused by each queue
unknown        no line about it is found, for more than a day or beyond the retention of the logs

What arrived is known by the inbox, for 14 days. The rest is known by the log lines of dispatcher and consumer, which take
seconds to be found, seldom minutes. A consumer in another stack needs --log-group.`,
		Example: `  procore-connect events list --since 90m
  procore-connect events list --company 5678 --outcome failing
  procore-connect events list --since 2026-03-02T08:00 --type delete --json`,
		Args: usage(cobra.NoArgs),
	}
	flags := c.Flags()
	flags.Int64Var(&f.CompanyID, "company", 0, "only of this company (default: all, up to 200 companies)")
	flags.StringVar(&since, "since", "24h", "arrived since then: how long ago (90m, 24h, 3d), or a time in UTC (2026-03-02T08:00)")
	flags.StringVar(&f.Type, "type", "", "only of this type, such as update")
	flags.StringVar(&f.Outcome, "outcome", "", "only these: "+strings.Join(operator.EventOutcomes(), ", "))
	flags.IntVar(&f.Limit, "limit", 50, fmt.Sprintf("at most so many, up to %d", operator.MaxEvents))
	_ = c.RegisterFlagCompletionFunc("outcome", cobra.FixedCompletions(operator.EventOutcomes(), cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	c.RunE = func(c *cobra.Command, _ []string) error {
		now := s.target.Clock.Now()
		if err := checkEvents(f); err != nil {
			return err
		}
		from, err := when(now, "since", since)
		if err != nil {
			return err
		}
		f.From = from
		o, err := operator.Open(c.Context(), s.target)
		if err != nil {
			return err
		}
		found, more, unread := o.Events(c.Context(), f)
		if found == nil && unread != nil {
			return unread
		}
		if more {
			fmt.Fprintln(s.err, "There may be more: name a company, a shorter time, or a higher --limit.")
		}
		return errors.Join(s.write(append([]operator.Event{}, found...), func(w io.Writer) error { return eventTable(w, found, now) }), unread)
	}
	return s.searches(c)
}

func checkEvents(f operator.EventFilter) error {
	switch {
	case f.CompanyID < 0:
		return usageError{errors.New("--company is not the id of a company")}
	case f.Limit < 1 || f.Limit > operator.MaxEvents:
		return usageError{fmt.Errorf("--limit is not between 1 and %d", operator.MaxEvents)}
	case f.Outcome != "" && !slices.Contains(operator.EventOutcomes(), f.Outcome):
		return usageError{fmt.Errorf("%.30q is not an outcome; there are %s", f.Outcome, strings.Join(operator.EventOutcomes(), ", "))}
	}
	return nil
}

func eventTable(w io.Writer, all []operator.Event, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "There is no such event.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RECEIVED\tCOMPANY\tRESOURCE\tTYPE\tSTATE\tSINCE\tOUTCOME\tEVENT")
	for _, e := range all {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", ago(now, e.ReceivedAt), e.CompanyID, orDash(short(strings.TrimSpace(e.Resource+" "+e.ResourceID))),
			orDash(short(e.Type)), e.State, length(now, e.Since), orDash(short(cmp.Or(e.Outcome, e.Reason))), oneLine(logging.Short(e.ID)))
	}
	return t.Flush()
}

func (s *session) eventsShow() *cobra.Command {
	var company int64
	var body bool
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show one event: what became of it, how that is known, and its envelope",
		Long: `Show one event: what became of it, how that is known, and its envelope.

The company is found by the dispatcher's line. If the logs no longer have it, or the event is in quarantine, add --company.`,
		Example: `  procore-connect events show 01JA8Z7Q4M6X2V9T3C5B1N0KDE
  procore-connect events show 01JA8Z7Q4M6X2V9T3C5B1N0KDE --company 5678 --body`,
		Args: usage(cobra.ExactArgs(1)),
	}
	c.Flags().Int64Var(&company, "company", 0, "the company that the event is of")
	c.Flags().BoolVar(&body, "body", false, "show what Procore sent too, which may be personal data")
	c.RunE = func(c *cobra.Command, args []string) error {
		o, err := operator.Open(c.Context(), s.target)
		if err != nil {
			return err
		}
		d, unread := o.Event(c.Context(), args[0], company)
		if d == nil {
			return unread
		}
		answer := struct {
			*operator.Delivery
			Body string `json:"body,omitempty"`
		}{Delivery: d}
		if body {
			answer.Body = string(d.Body)
		}
		now := s.target.Clock.Now()
		return errors.Join(s.write(answer, func(w io.Writer) error { return eventDetails(w, d, answer.Body, now) }), unread)
	}
	return s.searches(c)
}

func eventDetails(w io.Writer, d *operator.Delivery, body string, now time.Time) error {
	at := func(t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return fmt.Sprintf("%s (%s)", clock(t), ago(now, t))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "company\t%d\n", d.CompanyID)
	if d.Resource != "" {
		fmt.Fprintf(t, "changed\t%s, %s\n", short(d.Resource+" "+d.ResourceID), orDash(short(d.Type)))
	}
	if !d.HappenedAt.IsZero() {
		fmt.Fprintf(t, "happened\t%s\n", at(d.HappenedAt))
	}
	fmt.Fprintf(t, "received\t%s\n%s\t%s\n", at(d.ReceivedAt), d.State, at(d.Since))
	for _, one := range [][2]string{{"outcome", d.Outcome}, {"reason", d.Reason}, {"known by", d.How}} {
		if one[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", one[0], oneLine(one[1]))
		}
	}
	if d.State == operator.EventQuarantined {
		fmt.Fprintf(t, "more\tprocore-connect quarantine show %s\n", operator.QuarantineID(strconv.FormatInt(d.CompanyID, 10), d.ID))
	} else {
		fmt.Fprintf(t, "its lines\tprocore-connect trace %s\n", oneLine(d.ID))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if d.State != operator.EventQuarantined {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(d.Envelope); err != nil {
			return err
		}
		fmt.Fprintln(w)
		for line := range strings.Lines(text.String()) {
			fmt.Fprintln(w, oneLine(strings.TrimRight(line, "\n")))
		}
	}
	if body == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nWhat Procore sent, %d bytes:\n%s\n", len(body), oneLine(body))
	return err
}

// clock is a time as a person compares it with a log.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
