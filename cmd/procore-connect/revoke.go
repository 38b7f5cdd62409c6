package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
)

func (s *session) revoke() *cobra.Command {
	var user int64
	c := &cobra.Command{
		Use:   "revoke COMPANY [--user ID]",
		Short: "End a company's connections, delete its webhook, and revoke what no other company needs",
		Long: `End a company's connections, delete its webhook, and revoke what no other company needs.

With --user only that user's connection ends. The webhook is deleted with the last connection that works. A user's grant is
revoked at Procore unless another company needs it. Stored events remain; see erase.

It may be interrupted and repeated: the next one goes on with what remains.`,
		Example: `  procore-connect revoke 5678
  procore-connect revoke 5678 --user 1234567`,
		Args: usage(cobra.ExactArgs(1)),
	}
	c.Flags().Int64Var(&user, "user", 0, "the id of the user whose connection ends (default: all)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		o, id, err := s.about(cmd.Context(), args)
		if err != nil {
			return err
		}
		plan, err := o.PlanRevocation(cmd.Context(), id, user)
		if err != nil {
			return err
		}
		return s.change(cmd.Context(), o, operator.Action{Verb: "revoke", CompanyID: id}, revocationPlan(plan), func(ctx context.Context, by string) error {
			err := o.Revoke(ctx, plan, by)
			written := s.write(plan, func(w io.Writer) error { return revoked(w, plan) })
			if err != nil {
				err = fmt.Errorf("%w. Type it again to go on: procore-connect %s", err, revocation("revoke", id, user))
			}
			return errors.Join(written, err)
		})
	}
	return s.changes(c)
}

// revocation is what is typed about a company, and a user if there is one.
func revocation(verb string, company, user int64) string {
	if user != 0 {
		return fmt.Sprintf("%s %d --user %d", verb, company, user)
	}
	return fmt.Sprintf("%s %d", verb, company)
}

// revocationPlan says what will end.
func revocationPlan(r *operator.Revocation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Company %d (%s) loses %s.\n", r.CompanyID, short(r.Company), plural(len(r.Ended), "connection"))
	for _, one := range r.Ended {
		fmt.Fprintf(&b, "  %s\n", grantFate(one))
	}
	switch {
	case r.Hook != "":
		fmt.Fprintf(&b, "Its webhook %s is deleted.", short(r.Hook))
	case len(r.Keeps) > 0:
		fmt.Fprintf(&b, "It keeps %s.", plural(len(r.Keeps), "connection"))
	default:
		b.WriteString("It has no webhook.")
	}
	return b.String()
}

// grantFate is what becomes of the grant of a connection.
func grantFate(one operator.Ending) string {
	who := fmt.Sprintf("%s (%s)", short(one.By), one.Principal)
	switch {
	case one.Before:
		return who + ": has ended before"
	case one.By == operator.ServiceAccount:
		return "the service account: its token remains, for other companies"
	case len(one.Others) == 1:
		return fmt.Sprintf("%s: the grant remains, because another company of the same user needs it: %s", who, one.Others[0])
	case len(one.Others) > 1:
		return fmt.Sprintf("%s: the grant remains, because %d other companies of the same user need it: %s", who, len(one.Others), some(one.Others))
	}
	return who + ": the grant is revoked at Procore"
}

// revoked says what has ended, and what remains.
func revoked(w io.Writer, r *operator.Revocation) error {
	all := true
	for _, one := range r.Ended {
		if one.Remains != "" {
			all = false
			fmt.Fprintf(w, "%s remains: %s\n", one.Principal, oneLine(one.Remains))
			continue
		}
		fmt.Fprintf(w, "%s has ended.\n", one.Principal)
	}
	if r.Hook != "" && all {
		fmt.Fprintf(w, "Webhook %s remains at Procore, because no connection may delete it: an administrator of the company deletes it.\n", short(r.Hook))
	}
	return nil
}

func (s *session) erase() *cobra.Command {
	return s.changes(&cobra.Command{
		Use:   "erase COMPANY",
		Short: "Delete everything that is stored of a company, with a receipt",
		Long: `Delete everything that is stored of a company, with a receipt, as Procore's policy asks after a deletion request.

Its connections end first, as revoke does it. Then its events with their payloads, its quarantine, its connections with the
names of users, and its webhook's and reconciliation's state are deleted. The receipt says what remains and until when.

It may be interrupted and repeated: the next one goes on, and deletes also what has arrived since.`,
		Example: `  procore-connect erase 5678
  procore-connect erase 5678 --json --yes`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, id, err := s.about(cmd.Context(), args)
			if err != nil {
				return err
			}
			text, err := erasurePlan(cmd.Context(), o, id)
			if err != nil {
				return err
			}
			return s.change(cmd.Context(), o, operator.Action{Verb: "erase", CompanyID: id}, text, func(ctx context.Context, by string) error {
				r, err := o.Erase(ctx, id, by, func(n int) { fmt.Fprintf(s.err, "%d events deleted\n", n) })
				if err != nil {
					return fmt.Errorf("%w. Deleted so far: %s. Type it again to go on: procore-connect erase %d", err, deleted(r), id)
				}
				return s.write(r, func(w io.Writer) error { return receipt(w, r) })
			})
		},
	})
}

// erasurePlan says what will be deleted.
func erasurePlan(ctx context.Context, o *operator.Operator, id int64) (string, error) {
	text := "\nAll that is stored of it is deleted: events, quarantine, names. That cannot be undone."
	plan, err := o.PlanRevocation(ctx, id, 0)
	switch {
	case errors.Is(err, operator.ErrNotConnected):
		return fmt.Sprintf("Company %d has no connection.", id) + text, nil
	case err != nil:
		return "", err
	}
	return revocationPlan(plan) + text, nil
}

func deleted(r *operator.Receipt) string {
	return fmt.Sprintf("%s, %d in quarantine, %s", plural(r.Events, "event"), r.Quarantined, plural(r.Rows, "row"))
}

// receipt writes what was deleted, and what remains.
func receipt(w io.Writer, r *operator.Receipt) error {
	fmt.Fprintf(w, "Company %d was erased at %s by %s.\n\n", r.CompanyID, r.At.UTC().Format("2006-01-02 15:04:05 UTC"), oneLine(r.By))
	fmt.Fprintf(w, "Ended:    %s\nDeleted:  %s of connections, webhook and reconciliation\n", plural(r.Connections, "connection"), plural(r.Rows, "row"))
	fmt.Fprintf(w, "          %s, with payload\n          %s in quarantine\nRemains:\n", plural(r.Events, "event"), plural(r.Quarantined, "delivery"))
	for _, one := range r.Remains {
		fmt.Fprintf(w, "  %s\n", oneLine(one))
	}
	return nil
}
