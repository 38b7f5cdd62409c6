package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
)

func (s *session) serviceAccount() *cobra.Command {
	c := &cobra.Command{
		Use:   "service-account",
		Short: "Show in which companies the app is installed, and which of them are connected",
		Long: fmt.Sprintf(`Show in which companies the app is installed, and which of them are connected, of an app that works with its service account.

Procore is asked for its list, and in up to %d companies as which user the service account acts there. That the list arrives
shows that client id, secret and token are good. Housekeeping compares both every few minutes. The exit code is 3 if they
differ, or if Procore refuses a company.`, operator.MaxActsAs),
		Example: `  procore-connect service-account
  procore-connect service-account sync`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := operator.Open(cmd.Context(), s.target)
			if err != nil {
				return err
			}
			return o.Finish(cmd.Context(), func(ctx context.Context) error { return s.installed(ctx, o) })
		},
	}
	c.AddCommand(s.serviceAccountSync())
	return c
}

func (s *session) serviceAccountSync() *cobra.Command {
	return s.changes(&cobra.Command{
		Use:   "sync",
		Short: "Connect the companies that installed the app, and end those that uninstalled it, now",
		Long: `Connect the companies that installed the app, and end those that uninstalled it, now, as housekeeping does every few minutes.

A company that Procore lists no longer is asked first, and ends only if it refuses. At most ten end in a day.`,
		Example: `  procore-connect service-account sync`,
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := operator.Open(cmd.Context(), s.target)
			if err == nil && !o.Principals.ServiceAccount {
				err = operator.ErrNoServiceAccount
			}
			if err != nil {
				return err
			}
			plan := "Companies that Procore lists for the app are connected. Those that it lists no longer are asked, and end if they refuse."
			return s.change(cmd.Context(), o, operator.Action{Verb: "service-account sync"}, plan, func(ctx context.Context, _ string) error {
				failed := o.SyncInstallations(ctx)
				return errors.Join(failed, s.installed(ctx, o))
			})
		},
	})
}

// installed writes the comparison.
func (s *session) installed(ctx context.Context, o *operator.Operator) error {
	list, err := o.Installations(ctx)
	if err != nil {
		return err
	}
	err = s.write(list, func(w io.Writer) error { return installations(w, list) })
	needed := slices.ContainsFunc(list, func(i operator.Installation) bool { return i.Differs || i.NotKnown != "" })
	return errors.Join(err, trouble(err == nil && needed))
}

func installations(w io.Writer, list []operator.Installation) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "Procore lists no company: no administrator has installed the app yet.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "COMPANY\tAT PROCORE\tHERE\tACTS AS")
	for _, i := range list {
		fmt.Fprintf(t, "%d %s\t%s\t%s\t%s\n", i.CompanyID, short(i.Company), atProcore(i), here(i), actsAs(i))
	}
	return t.Flush()
}

func atProcore(i operator.Installation) string {
	switch {
	case !i.Listed:
		return "not listed"
	case i.Inactive:
		return "inactive"
	}
	return "installed"
}

func here(i operator.Installation) string {
	switch {
	case i.State != "":
		return i.State
	case !i.Admitted:
		return "not in AllowedCompanies"
	case i.Differs:
		return "not connected yet: sync"
	}
	return "not connected"
}

func actsAs(i operator.Installation) string {
	switch {
	case i.ActsAs != 0:
		return "user " + strconv.FormatInt(i.ActsAs, 10)
	case i.NotKnown != "":
		return "not known: " + short(i.NotKnown)
	}
	return "–"
}
