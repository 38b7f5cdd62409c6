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

// read opens the stack and reads the company of the arguments.
func (s *session) read(ctx context.Context, args []string) (*operator.Company, error) {
	o, id, err := s.about(ctx, args)
	if err != nil {
		return nil, err
	}
	c, err := o.Company(ctx, id)
	if errors.Is(err, operator.ErrNotConnected) {
		err = fmt.Errorf("%w. The user who is to connect it opens %s", err, o.Link())
	}
	return c, err
}

func (s *session) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show COMPANY",
		Short: "Show what is known of a company: connections, grants, webhook, last transitions",
		Example: `  procore-connect show 5678
  procore-connect show 5678 --json`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, unread := s.read(cmd.Context(), args)
			if c == nil {
				return unread
			}
			now := s.target.Clock.Now()
			err := s.write(c, func(w io.Writer) error { return details(w, c, now) })
			return errors.Join(err, unread, trouble(err == nil && unread == nil && c.NeedsPerson()))
		},
	}
}

func (s *session) why() *cobra.Command {
	return &cobra.Command{
		Use:     "why COMPANY",
		Short:   "Explain in one paragraph how a company is, who has to do what, and the link to send",
		Example: `  procore-connect why 5678`,
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, unread := s.read(cmd.Context(), args)
			if c == nil {
				return unread
			}
			answer := struct {
				Why         string `json:"why"`
				NeedsPerson bool   `json:"needs_person"`
				Link        string `json:"link"`
			}{c.Why(), c.NeedsPerson(), c.Link}
			err := s.write(answer, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, wrap(oneLine(answer.Why), 100))
				return err
			})
			return errors.Join(err, unread, trouble(err == nil && unread == nil && c.NeedsPerson()))
		},
	}
}

// recipient is who should get the link. c is nil if no one connected the company.
func recipient(c *operator.Company) string {
	switch {
	case c == nil:
		return "a user of the company; no one has connected it yet"
	case c.Connections[0].ConnectedBy == operator.ServiceAccount:
		return fmt.Sprintf("an administrator of company %d, who connects the app in App Management", c.ID)
	}
	return fmt.Sprintf("%s, who connected company %d", short(c.Connections[0].ConnectedBy), c.ID)
}

// details writes all that is known of a company.
func details(w io.Writer, c *operator.Company, now time.Time) error {
	fmt.Fprintf(w, "%s\n\n", wrap(oneLine(c.Why()), 100))
	if err := table(w, c.Connections, now); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(c.Grants) > 0 {
		fmt.Fprintln(t, "\nGRANT\tSTATE\tGENERATION\tREFRESHED\tLAST USE\tCLAIM\tSEALED BY\tCOMPANIES")
	}
	for _, g := range c.Grants {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", g.Principal, g.State, g.Generation, ago(now, g.RefreshedAt), date(g.LastUsed),
			claim(now, g.Claim), orDash(g.SealKey), orDash(some(g.Companies)))
	}
	if c.Hook.ID != "" {
		fmt.Fprintln(t, "\nHOOK\tMADE BY\tPAYLOAD\tREPORTS SINCE\tRECOVERED")
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\n", short(c.Hook.ID), orDash(c.Hook.Creator), orDash(c.Hook.Version), date(c.Hook.Since), c.Hook.Recovered)
	}
	fmt.Fprintln(t, "\nWHEN\tWHAT\tSTATE\tREASON")
	for _, one := range c.Transitions {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", one.At.UTC().Format("2006-01-02 15:04:05Z"), one.Of, one.State, orDash(oneLine(one.Reason)))
	}
	return t.Flush()
}

func date(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format(time.DateOnly)
}

// claim is whether an attempt is at work.
func claim(now, until time.Time) string {
	switch {
	case until.IsZero():
		return "–"
	case now.After(until):
		return "expired"
	}
	return "open"
}

// some is a list of companies that fits a line.
func some(companies []string) string {
	const most = 5
	if len(companies) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(companies[:most], " "), len(companies)-most)
	}
	return strings.Join(companies, " ")
}
