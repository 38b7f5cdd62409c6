package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
)

func (s *session) breaker() *cobra.Command {
	return &cobra.Command{
		Use:   "breaker",
		Short: "Show whether refreshes run, and if not, since when and why",
		Long: `Show whether refreshes run, and if not, since when and why.

The breaker stops all refreshes while Procore's token endpoint is in trouble, or the client secret is wrong. The refresher
probes before each run, and closes it once the endpoint answers as it should.`,
		Example: `  procore-connect breaker`,
		Args:    usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := operator.Open(c.Context(), s.target)
			if err != nil {
				return err
			}
			b, err := o.Breaker(c.Context())
			if err != nil {
				return err
			}
			now := s.target.Clock.Now()
			err = s.write(b, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, breakerText(b, ago(now, b.Since)))
				return err
			})
			return errors.Join(err, trouble(b.Open))
		},
	}
}

func breakerText(b operator.Breaker, since string) string {
	switch {
	case b.Open:
		return fmt.Sprintf("open since %s (%s): %s\n%s", b.Since.UTC().Format("2006-01-02 15:04 UTC"), since, oneLine(b.Reason),
			wrap("No token is refreshed; access tokens that are valid still work. If Procore refuses the app's client id and secret, "+
				"correct the secret of the output AppSecretArn. Otherwise wait for Procore. The refresher probes before each run, and closes the breaker.", 100))
	case b.Suspect:
		return "closed: refreshes run, a few at a time, because the last ones failed"
	}
	return "closed: refreshes run"
}
