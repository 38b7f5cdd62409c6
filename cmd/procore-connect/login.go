package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/pkg/procore"
)

func (s *session) login() *cobra.Command {
	var company int64
	var browser bool
	c := &cobra.Command{
		Use:   "login",
		Short: "Sign in at Procore from a terminal, and connect a company",
		Long: `Sign in at Procore from a terminal, and connect a company, without the app's pages.

The command shows an address. Open it in any browser, sign in, and allow the app: Procore shows a code, which you type here,
where it is not shown. Then choose one of your companies. Nothing else is called before you have chosen.

Procore needs urn:ietf:wg:oauth:2.0:oob among the app's redirect URIs. A second sign-in by the same user replaces the first,
for all of the user's companies.`,
		Example: `  procore-connect login
  procore-connect login --company 5678 --open`,
		Args: usage(cobra.NoArgs),
	}
	c.Flags().Int64Var(&company, "company", 0, "the company to connect (default: your companies are listed, and you are asked)")
	c.Flags().BoolVar(&browser, "open", false, "open the address in this machine's browser")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if company < 0 {
			return usageError{fmt.Errorf("%d is not the id of a company", company)}
		}
		o, err := operator.Open(cmd.Context(), s.target)
		if err != nil {
			return err
		}
		l, err := o.Login(cmd.Context())
		if err != nil {
			return err
		}
		plan := "A user signs in at Procore, and one company is connected by that authorization. It replaces an earlier one of the same user."
		return s.change(cmd.Context(), o, operator.Action{Verb: "login", CompanyID: company}, plan, func(ctx context.Context, _ string) error {
			return s.signIn(ctx, o, l, company, browser)
		})
	}
	return s.changes(c)
}

func (s *session) signIn(ctx context.Context, o *operator.Operator, l *operator.Login, company int64, browser bool) error {
	fmt.Fprintf(s.err, "Open this address, sign in, and allow the app:\n\n%s\n\n", l.URL)
	if browser {
		if err := s.opened(ctx, l.URL); err != nil {
			fmt.Fprintf(s.err, "No browser could be opened: %v\n", err)
		}
	}
	in := bufio.NewReader(io.LimitReader(s.in, 16<<10))
	code, err := s.typedIn(ctx, in, "Code: ", s.hidden)
	switch {
	case err != nil:
		return err
	case code == "":
		return errDeclined
	}
	u, err := o.SignIn(ctx, l, procore.NewSecret(code))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "You are %s.\n", short(u.Name))
	if company == 0 {
		if company, err = s.chosen(ctx, o, u, in); err != nil {
			return fmt.Errorf("no company is connected: %w; housekeeping revokes the authorization in half an hour, unless it serves another company", err)
		}
	}
	connected, err := o.Choose(ctx, u, company)
	if err != nil {
		return fmt.Errorf("no company is connected: %w", err)
	}
	answer := struct {
		CompanyID   int64  `json:"company_id"`
		Company     string `json:"company"`
		Principal   string `json:"principal"`
		ConnectedBy string `json:"connected_by"`
		Webhook     string `json:"webhook"`
	}{connected.CompanyID, connected.CompanyName, string(connected.Principal), connected.UserName, string(connected.Webhooks)}
	return s.write(answer, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%d %s is connected by %s. Try procore-connect call GET /rest/v1.0/me --company %d\n",
			answer.CompanyID, short(answer.Company), short(answer.ConnectedBy), answer.CompanyID)
		return err
	})
}

// chosen lists the user's companies, and asks for one.
func (s *session) chosen(ctx context.Context, o *operator.Operator, u operator.User, in *bufio.Reader) (int64, error) {
	list := o.Admitted(u)
	if len(list) == 0 {
		return 0, fmt.Errorf("no company that may be connected is listed for %s", short(u.Name))
	}
	t := tabwriter.NewWriter(s.err, 0, 0, 2, ' ', 0)
	for _, c := range list[:min(len(list), maxShown)] {
		fmt.Fprintf(t, "%d\t%s\n", c.ID, short(c.Name))
	}
	if err := t.Flush(); err != nil {
		return 0, err
	}
	if more := len(list) - maxShown; more > 0 {
		fmt.Fprintf(s.err, "And %d more.\n", more)
	}
	text, err := s.typedIn(ctx, in, "Company: ", nil)
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(text, 10, 64)
	switch {
	case text == "":
		return 0, errors.New("none was chosen; --company ID chooses one")
	case err != nil:
		return 0, fmt.Errorf("%.30q is not one of these ids", text)
	}
	return id, nil
}

// typedIn asks for a line, which hidden reads without showing it; nil: it may be seen. ^C ends the waiting.
func (s *session) typedIn(ctx context.Context, in *bufio.Reader, question string, hidden func() ([]byte, error)) (string, error) {
	fmt.Fprint(s.err, question)
	read := func() (string, error) { return in.ReadString('\n') }
	if hidden != nil {
		read = func() (string, error) {
			line, err := hidden()
			return string(line), err
		}
	}
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := read()
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.err)
		return "", ctx.Err()
	case a := <-answers:
		if hidden != nil || !s.person {
			fmt.Fprintln(s.err)
		}
		line := strings.TrimSpace(a.line)
		if errors.Is(a.err, io.EOF) { // the last line, perhaps an empty one
			a.err = nil
		}
		return line, a.err
	}
}

// opened opens an address in the person's browser.
func (s *session) opened(ctx context.Context, url string) error {
	if s.open == nil {
		return errors.New("there is no one at this terminal")
	}
	return s.open(ctx, url)
}
