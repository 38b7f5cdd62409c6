package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
)

func (s *session) call() *cobra.Command {
	var call operator.Call
	var query []string
	c := &cobra.Command{
		Use:   "call GET PATH --company ID",
		Short: "Make one call to Procore's API, with the right address, token and headers",
		Long: `Make one call to Procore's API, with the right address, token and headers.

The connection that serves the company makes it, or that of --user. {company_id} stands for the company. The answer's body is
written on standard output, and its status, request id, rate limit and next page on standard error. The exit code is 1 if the
status is 400 or more.

Only GET: it changes nothing at Procore. It counts in the customer's rate limit. If the token has expired, it is refreshed.`,
		Example: `  procore-connect call GET /rest/v1.0/me --company 5678
  procore-connect call GET /rest/v1.0/projects --company 5678 -q company_id={company_id} -q per_page=5
  procore-connect call GET '/rest/v2.0/companies/{company_id}/webhooks/hooks?namespace=procore-connect' --company 5678`,
		Args: usage(cobra.ExactArgs(2)),
	}
	c.Flags().Int64Var(&call.CompanyID, "company", 0, "the company (required)")
	c.Flags().Int64Var(&call.UserID, "user", 0, "the user whose connection makes the call (default: the one that serves the company)")
	c.Flags().StringArrayVarP(&query, "query", "q", nil, "name=value, added to the query (may be repeated)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if args[0] != "GET" {
			return usageError{fmt.Errorf("%.20q is not called, only GET: this command changes nothing at Procore", args[0])}
		}
		if call.CompanyID <= 0 || call.UserID < 0 {
			return usageError{errors.New("name the company by its id, such as --company 5678, and --user likewise; procore-connect list shows both")}
		}
		call.Path, call.Query = args[1], url.Values{}
		for _, pair := range query {
			name, value, ok := strings.Cut(pair, "=")
			if !ok || name == "" {
				return usageError{fmt.Errorf("-q %.40q is not name=value", pair)}
			}
			call.Query.Add(name, value)
		}
		if _, err := call.Address(); err != nil {
			return usageError{err}
		}
		return s.called(cmd.Context(), call)
	}
	return c
}

func (s *session) called(ctx context.Context, call operator.Call) error {
	o, err := operator.Open(ctx, s.target)
	if err != nil {
		return err
	}
	var a *operator.Answer
	err = o.Finish(ctx, func(ctx context.Context) (err error) {
		a, err = o.Call(ctx, call)
		return err
	})
	if err != nil {
		return err
	}
	if !s.json {
		s.aside(call, a)
	}
	return errors.Join(s.write(a, func(w io.Writer) error { return body(w, a.Text) }), a.Err)
}

// aside writes what goes beside the body.
func (s *session) aside(call operator.Call, a *operator.Answer) {
	fmt.Fprintf(s.err, "%d, by %s\n", a.Status, a.Principal)
	for _, name := range operator.Headers() {
		if v := a.Headers[name]; v != "" {
			fmt.Fprintf(s.err, "%s: %s\n", name, oneLine(v))
		}
	}
	if a.Next != "" {
		fmt.Fprintf(s.err, "Next page: procore-connect call GET '%s' --company %d", strings.ReplaceAll(oneLine(a.Next), "'", "%27"), call.CompanyID)
		if call.UserID != 0 {
			fmt.Fprintf(s.err, " --user %d", call.UserID)
		}
		fmt.Fprintln(s.err)
	}
	if a.Cut {
		fmt.Fprintln(s.err, "The answer is larger than 8 MB, and cut. Ask for less, such as by -q per_page=100.")
	}
}

// body writes an answer, indented if it is JSON, without what a terminal would obey.
func body(w io.Writer, text string) error {
	var pretty bytes.Buffer
	if json.Indent(&pretty, []byte(text), "", "  ") == nil {
		text = pretty.String()
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, text)
	_, err := fmt.Fprintln(w, strings.TrimRight(text, "\n"))
	return err
}
