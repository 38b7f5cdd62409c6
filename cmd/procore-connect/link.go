package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
)

// signing are the flags of a signed link.
type signing struct {
	reference, tenant, back string
	lifetime                time.Duration
}

// asked reports whether a signed link is wanted.
func (f signing) asked() bool { return f.reference != "" || f.tenant != "" || f.back != "" }

func (s *session) link() *cobra.Command {
	var f signing
	c := &cobra.Command{
		Use:   "link [COMPANY]",
		Short: "Write the link to send to the person who connects a company, or sign a link for a tenant",
		Long: `Write the link to send to the person who connects a company, on standard output; and to whom, on standard error.

The link is the app's address: the person signs in at Procore and chooses the company there.

With --reference and --tenant it signs a link as a host application does, and writes the link, its challenge, and the
verifier, which only the redemption needs. docs/HOST-APPLICATION.md explains both.`,
		Example: `  procore-connect link 5678
  procore-connect link 5678 | pbcopy
  procore-connect link --reference tenant-42 --tenant Acme`,
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		if f.asked() && len(args) > 0 {
			return usageError{fmt.Errorf("a signed link is for a tenant, whose user chooses the company: leave out %.30q", args[0])}
		}
		if f.asked() {
			return nil
		}
		return usage(cobra.ExactArgs(1))(cmd, args)
	}
	c.Flags().StringVar(&f.reference, "reference", "", "the tenant's id in the host application")
	c.Flags().StringVar(&f.tenant, "tenant", "", "the tenant's name, which the pages show")
	c.Flags().StringVar(&f.back, "return", "", "where the user returns to (default: the one of ReturnUrls, if there is just one)")
	c.Flags().DurationVar(&f.lifetime, "lifetime", 10*time.Minute, "how long the link is valid, at most 1h")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if f.asked() {
			return s.sign(cmd.Context(), f)
		}
		return s.address(cmd.Context(), args)
	}
	return s.changes(c)
}

// address writes the app's address for a company.
func (s *session) address(ctx context.Context, args []string) error {
	o, id, err := s.about(ctx, args)
	if err != nil {
		return err
	}
	c, err := o.Company(ctx, id)
	if err != nil && !errors.Is(err, operator.ErrNotConnected) {
		return err
	}
	fmt.Fprintln(s.err, "For "+recipient(c)+".")
	answer := map[string]string{"link": o.Link()}
	return s.write(answer, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, o.Link())
		return err
	})
}

// sign makes a signed link.
func (s *session) sign(ctx context.Context, f signing) error {
	switch {
	case f.reference == "" || f.tenant == "":
		return usageError{errors.New("a signed link needs both --reference and --tenant")}
	case f.lifetime < time.Minute || f.lifetime > link.MaxLifetime:
		return usageError{fmt.Errorf("--lifetime %v is not from 1m to 1h", f.lifetime)}
	}
	o, err := operator.Open(ctx, s.target)
	if err != nil {
		return err
	}
	if f.back, err = o.ReturnURL(f.back); err != nil {
		return err
	}
	plan := fmt.Sprintf("Signs a link: a user who opens it connects a company for %s, whose reference is %s.", short(f.tenant), oneLine(f.reference))
	return s.change(ctx, o, operator.Action{Verb: "link", Reference: f.reference}, plan, func(ctx context.Context, _ string) error {
		l, err := o.SignLink(ctx, f.reference, f.tenant, f.back, f.lifetime)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.err, wrap(fmt.Sprintf("Open the link before %s. The browser returns to %s with a code: type procore-connect redeem, then the address that the browser returned to, and the verifier.",
			l.Expires.UTC().Format("15:04 UTC"), f.back), 100))
		answer := map[string]string{"link": l.Address, "challenge": l.Challenge, "verifier": l.Verifier.Reveal(), "expires": l.Expires.UTC().Format(time.RFC3339)}
		return s.write(answer, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s\n\nchallenge  %s\nverifier   %s\n", answer["link"], answer["challenge"], answer["verifier"])
			return err
		})
	})
}

func (s *session) redeem() *cobra.Command {
	c := &cobra.Command{
		Use:   "redeem",
		Short: "Redeem the code with which a browser returned from a signed link",
		Long: `Redeem the code with which a browser returned from a signed link, as a host application does.

It asks for the code, or for the whole address that the browser returned to, and then for the verifier of the link, which is
not shown. Each is a line of standard input. The connection then has the link's reference.`,
		Example: `  procore-connect redeem
  procore-connect redeem --json`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := operator.Open(cmd.Context(), s.target)
			if err != nil {
				return err
			}
			if o.Links == nil {
				return operator.ErrNoLinks
			}
			plan := "Redeems the code with which a browser returned: its connection gets the reference of the link."
			return s.change(cmd.Context(), o, operator.Action{Verb: "redeem"}, plan, func(ctx context.Context, _ string) error {
				return s.redeemed(ctx, o)
			})
		},
	}
	return s.changes(c)
}

func (s *session) redeemed(ctx context.Context, o *operator.Operator) error {
	in := bufio.NewReader(io.LimitReader(s.in, 16<<10))
	code, err := s.typedIn(ctx, in, "Code, or the address with it: ", nil)
	if err != nil {
		return err
	}
	if code = codeOf(code); code == "" {
		return fmt.Errorf("no code: %w", errDeclined)
	}
	verifier, err := s.typedIn(ctx, in, "Verifier: ", s.hidden)
	switch {
	case err != nil:
		return err
	case verifier == "":
		return fmt.Errorf("no verifier: %w", errDeclined)
	}
	result, err := o.Redeem(ctx, code, procore.NewSecret(verifier))
	refused, again := errors.AsType[*link.RedeemError](err)
	if again = again && refused.Code == link.ErrorUsed; again {
		result = refused.Result
	} else if err != nil {
		return err
	}
	written := s.write(result, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, wrap(outcome(result), 100))
		return err
	})
	return errors.Join(written, err, trouble(written == nil && err == nil && result.Outcome != link.Connected))
}

// codeOf returns the code of an address, or what was typed.
func codeOf(typed string) string {
	if u, err := url.Parse(typed); err == nil && u.Scheme != "" && u.Host != "" {
		return u.Query().Get(link.ParameterCode)
	}
	return typed
}

// outcome says in a sentence what became of a link.
func outcome(r link.Result) string {
	whose := fmt.Sprintf("%s, whose reference is %s", short(r.Tenant), oneLine(r.Reference))
	switch r.Outcome {
	case link.Connected:
		return fmt.Sprintf("%d %s is connected by %s for %s.", r.CompanyID, short(r.CompanyName), short(r.UserName), whose)
	case link.NeedsAdmin:
		return fmt.Sprintf("%d %s is not connected for %s: an administrator has to act at Procore. %s", r.CompanyID, short(r.CompanyName), whose, oneLine(r.Reason))
	}
	return fmt.Sprintf("The user connected no company for %s.", whose)
}
