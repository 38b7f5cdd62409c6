package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/pkg/connections"
)

func (s *session) list() *cobra.Command {
	var f operator.Filter
	c := &cobra.Command{
		Use:   "list",
		Short: "List who is connected, and where a person has to act",
		Long: `List who is connected, and where a person has to act. Those come first.

A connection needs a person if its company is served by no other one, and the user has to authorize again, an administrator
disconnected the app, or Procore refuses the company. A company whose webhook nobody may set up needs one too.

With --needs-person, and of the states reauthorize, disconnected and paused, it reads indexes, and otherwise the whole of two
tables, also with --reference alone. After the restore of one table alone, the whole list also shows what no index has. LAST
EVENT is shown for up to 200 companies, and REFERENCE, a host application's id of its tenant, if a connection has one. A
connection that has ended is listed with its last one.`,
		Example: `  procore-connect list --needs-person
  procore-connect list --state disconnected
  procore-connect list --reference tenant-42
  procore-connect list --json`,
		Args: usage(cobra.NoArgs),
	}
	c.Flags().BoolVar(&f.NeedsPerson, "needs-person", false, "only where a person has to act; the exit code is 3 if there is one")
	c.Flags().StringVar((*string)(&f.State), "state", "", "only this state: "+states())
	c.Flags().StringVar(&f.Reference, "reference", "", "only the tenant's of a host application, by its id there")
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(strings.Split(states(), ", "), cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.State != "" && !slices.Contains(operator.States(), f.State) {
			return usageError{fmt.Errorf("%.30q is not a state; the states are %s", f.State, states())}
		}
		if c.Flags().Changed("reference") { // an empty one is a mistake, and does not choose all
			if err := connections.CheckReference(f.Reference); err != nil {
				return usageError{fmt.Errorf("--reference: %w", err)}
			}
		}
		o, err := operator.Open(c.Context(), s.target)
		if err != nil {
			return err
		}
		found, unread := o.List(c.Context(), f)
		if found == nil && unread != nil {
			return unread
		}
		now := s.target.Clock.Now()
		err = s.write(append([]operator.Connection{}, found...), func(w io.Writer) error { return table(w, found, now) })
		return errors.Join(err, unread, trouble(err == nil && unread == nil && f.NeedsPerson && len(found) > 0))
	}
	return c
}

func states() string {
	var all []string
	for _, s := range operator.States() {
		all = append(all, string(s))
	}
	return strings.Join(all, ", ")
}

// table writes the list for a person.
func table(w io.Writer, all []operator.Connection, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "There is no such connection.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	header, referred := "COMPANY\tCONNECTED BY\tSTATE\tSINCE\tTOKEN\tWEBHOOK\tLAST EVENT", slices.ContainsFunc(all, hasReference)
	if referred {
		header += "\tREFERENCE"
	}
	fmt.Fprintln(t, header)
	for _, c := range all {
		fmt.Fprintf(t, "%d %s\t%s\t%s\t%s\t%s\t%s\t%s", c.CompanyID, short(c.Company), orDash(short(c.ConnectedBy)), c.State,
			length(now, c.Since), token(now, c), orDash(c.Webhook), ago(now, c.LastEvent))
		if referred {
			fmt.Fprintf(t, "\t%s", orDash(oneLine(c.Reference))) // as a whole, to type it
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func hasReference(c operator.Connection) bool { return c.Reference != "" }

// token is for how long a user's access token serves.
func token(now time.Time, c operator.Connection) string {
	switch {
	case c.TokenExpires.IsZero() || c.State == operator.Disconnected || c.State == operator.Ended:
		return "–"
	case !now.Before(c.TokenExpires):
		return "expired"
	case c.State == operator.Reauthorize:
		return "not used"
	}
	return operator.Length(c.TokenExpires.Sub(now))
}

func length(now, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return operator.Length(now.Sub(t))
}

func ago(now, t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return operator.Ago(now, t)
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
