package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
)

func (s *session) breaker() *cobra.Command {
	c := &cobra.Command{
		Use:   "breaker",
		Short: "Show whether refreshes run, and if not, since when and why",
		Long: `Show whether refreshes run, and if not, since when and why.

The breaker stops all refreshes while Procore's token endpoint is in trouble, or the client secret is wrong. The refresher
probes before each run, and closes it once the endpoint answers as it should.`,
		Example: `  procore-connect breaker
  procore-connect breaker probe`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := operator.Open(c.Context(), s.target)
			if err != nil {
				return err
			}
			b, err := o.Breaker(c.Context())
			if err != nil {
				return err
			}
			return s.showBreaker(b)
		},
	}
	c.AddCommand(s.probe())
	return c
}

// showBreaker writes the breaker, and is an error if it is open.
func (s *session) showBreaker(b operator.Breaker) error {
	now := s.target.Clock.Now()
	err := s.write(b, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\n%s\n", breakerText(b, ago(now, b.Since)), probeText(b, ago(now, b.ProbedAt)))
		return err
	})
	return errors.Join(err, trouble(err == nil && b.Open))
}

func (s *session) probe() *cobra.Command {
	return s.changes(&cobra.Command{
		Use:   "probe",
		Short: "Ask Procore's token endpoint whether it works, and close or open the breaker accordingly",
		Long: `Ask Procore's token endpoint whether it works, and close or open the breaker accordingly.

The refresher does the same before each run. The question spends no token: it is answered with an error that only a working
endpoint gives, for the app's own client id and secret.`,
		Example: `  procore-connect breaker probe`,
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := operator.Open(cmd.Context(), s.target)
			if err != nil {
				return err
			}
			plan := "Procore's token endpoint is asked with the app's client id and secret, which spends nothing. The breaker closes if it answers as it should, and opens if not."
			return s.change(cmd.Context(), o, operator.Action{Verb: "breaker probe"}, plan, func(ctx context.Context, _ string) error {
				b, err := o.Probe(ctx)
				if err != nil && !b.Open {
					return err
				}
				return s.showBreaker(b)
			})
		},
	})
}

func probeText(b operator.Breaker, when string) string {
	switch {
	case b.ProbedAt.IsZero():
		return "Procore's token endpoint was not probed yet."
	case b.Probe == "":
		return "Procore's token endpoint answered the last probe as it should, " + when + "."
	}
	return wrap(fmt.Sprintf("The last probe of Procore's token endpoint, %s, failed: %s", when, oneLine(b.Probe)), 100)
}

func breakerText(b operator.Breaker, since string) string {
	switch {
	case b.Open:
		return fmt.Sprintf("open since %s (%s): %s\n%s", toMinute(b.Since), since, oneLine(b.Reason),
			wrap("No token is refreshed; access tokens that are valid still work. If Procore refuses the app's client id and secret, "+
				"correct the secret of the output AppSecretArn. Otherwise wait for Procore. The refresher probes before each run, and closes the breaker.", 100))
	case b.Suspect:
		return "closed: refreshes run, a few at a time, because the last ones failed"
	}
	return "closed: refreshes run"
}
