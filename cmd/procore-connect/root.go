package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/pkg/procore"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitTrouble = 3 // the answer is complete, and what was asked for needs a person
)

// errTrouble makes the exit code exitTrouble. It is not printed.
var errTrouble = errors.New("in trouble")

// usageError is a mistake in what was typed.
type usageError struct{ error }

// streams are where answers, and what goes beside them, are written, and where a person answers.
type streams struct {
	in       io.Reader
	out, err io.Writer
	person   bool                                        // in is a terminal
	ask      func(ctx context.Context, plan string) bool // asks a person whether to go on, otherwise than by in; nil: by in
	hidden   func() ([]byte, error)                      // reads a line of in without showing it; nil: it is not a terminal
	open     func(ctx context.Context, url string) error // in the person's browser
}

// session is one run of the command.
type session struct {
	streams
	getenv func(string) string
	target operator.Target
	local  bool
	json   bool
	yes    bool // of the verbs that change something

	unaudited bool // likewise
}

// run runs the command and returns its exit code. getenv is asked for LOCAL_AWS_ADDR alone.
func run(ctx context.Context, args []string, getenv func(string) string, to streams, clock procore.Clock) int {
	s := &session{streams: to, getenv: getenv, target: operator.Target{Clock: clock}}
	root := s.root(getenv)
	root.SetArgs(args)
	root.SetOut(to.out)
	root.SetErr(to.err)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errTrouble):
		return exitTrouble
	}
	fmt.Fprintln(to.err, "procore-connect:", err)
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

func (s *session) root(getenv func(string) string) *cobra.Command {
	root := &cobra.Command{
		Use:   "procore-connect",
		Short: "See and repair who is connected to Procore",
		Long: `See and repair who is connected to Procore.

The stack is found by its CloudFormation outputs, with AWS's usual credentials: environment, profile or single sign-on.
With --local it is the one of make run. No output has a token.

Exit codes: 0 all is well; 1 it failed; 2 wrong usage; 3 the answer is complete, and what was asked for needs a person.`,
		Example: `  procore-connect list --needs-person
  procore-connect why 5678
  procore-connect --local list`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(s.call(), s.login(), s.serviceAccount())
	root.AddCommand(s.replay(), s.quarantine(), s.dead())
	f := root.PersistentFlags()
	f.StringVar(&s.target.Stack, "stack", "procore-connect", "name of the CloudFormation stack")
	f.StringVar(&s.target.Region, "region", "", "AWS region (default: that of the profile, or AWS_REGION)")
	f.StringVar(&s.target.Profile, "profile", "", "profile of AWS's configuration (default: AWS_PROFILE)")
	f.BoolVar(&s.local, "local", false, "the stack of make run, at LOCAL_AWS_ADDR or 127.0.0.1:8000")
	f.BoolVar(&s.json, "json", false, "write JSON, for programs")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentPreRun = func(*cobra.Command, []string) {
		if s.local {
			s.target.Local = localAddress(getenv)
		}
	}
	root.AddCommand(s.list(), s.show(), s.why(), s.link(), s.redeem(), s.breaker(), s.webhooks(), s.doctor(), s.events(), s.trace(),
		s.refresh(), s.departures(), s.markRestored(), s.restore(), s.revoke(), s.erase())
	root.AddCommand(s.keys(), s.rescue(), s.reconcile(), s.coverage(), s.console())
	return root
}

func localAddress(getenv func(string) string) string {
	if a := getenv("LOCAL_AWS_ADDR"); a != "" {
		return a
	}
	return "127.0.0.1:8000"
}

// usage makes what a check of the arguments finds a mistake of usage.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
		}
		return nil
	}
}

// companyID reads the one argument of a verb about a company.
func companyID(args []string) (int64, error) {
	id, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil || id <= 0 {
		return 0, usageError{fmt.Errorf("%.30q is not the id of a company; procore-connect list shows them", args[0])}
	}
	return id, nil
}

// about opens the stack for a verb about one company, which is its argument.
func (s *session) about(ctx context.Context, args []string) (*operator.Operator, int64, error) {
	id, err := companyID(args)
	if err != nil {
		return nil, 0, err
	}
	o, err := operator.Open(ctx, s.target)
	return o, id, err
}

// write writes the answer: as JSON, or as text does.
func (s *session) write(answer any, text func(io.Writer) error) error {
	if !s.json {
		return text(s.out)
	}
	e := json.NewEncoder(s.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(answer)
}

// trouble returns errTrouble if a person has to act.
func trouble(needed bool) error {
	if needed {
		return errTrouble
	}
	return nil
}
