package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/internal/operator/doctor"
)

const (
	minEvery = time.Second
	maxEvery = time.Hour
)

func (s *session) doctor() *cobra.Command {
	var watch bool
	var every time.Duration
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the whole stack: configuration, clock, secrets, tables, every row, and who is told of alarms",
		Long: `Examine the whole stack: configuration, clock, secrets, tables, every row, breaker, brake, queues, schedules, who is told
of alarms, whether the public addresses answer, and what your identity may not read. It changes nothing, and asks
Procore's token endpoint with a token that was never issued.

Each finding is ok, warning, failed, unknown (it could not be found out) or skipped (make run has no such thing), and what
is not well is followed by what to type. The exit code is 3 if something failed.

With --watch it reads all grants again and again until you press Ctrl-C, and judges what changed between two reads by the
transitions of the protocol's model. Two reads may have several transitions between them, so it asks whether the model
leads from the one to the other. What no function does, such as a change by hand, is a line. Each read costs what a scan
of the table of grants costs.`,
		Example: `  procore-connect doctor
  procore-connect doctor --json
  procore-connect doctor --watch --every 10s`,
		Args: usage(cobra.NoArgs),
	}
	c.Flags().BoolVar(&watch, "watch", false, "judge every change of a grant until Ctrl-C")
	c.Flags().DurationVar(&every, "every", 10*time.Second, "with --watch: how often the grants are read")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if every < minEvery || every > maxEvery {
			return usageError{fmt.Errorf("--every %v is not between %v and %v", every, minEvery, maxEvery)}
		}
		o, err := operator.Open(c.Context(), s.target)
		if o == nil {
			return err // a wrong variable alone is for the doctor to report
		}
		d := &doctor.Doctor{Operator: o, Progress: func(text string) { fmt.Fprintln(s.err, oneLine(text)) }}
		if watch {
			return errors.Join(err, s.watch(c, d, every))
		}
		found := d.Run(c.Context())
		if err := c.Context().Err(); err != nil {
			return err
		}
		err = s.write(found, func(w io.Writer) error { return findings(w, found) })
		failed := slices.ContainsFunc(found, func(f doctor.Finding) bool { return f.Verdict == doctor.Failed })
		return errors.Join(err, trouble(err == nil && failed))
	}
	return c
}

// findings writes them for a person, and how many there are of each verdict.
func findings(w io.Writer, found []doctor.Finding) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	count := map[doctor.Verdict]int{}
	for _, f := range found {
		count[f.Verdict]++
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Verdict, f.Check, oneLine(f.Finding))
		if f.Next != "" {
			fmt.Fprintf(t, "\t\t→ %s\n", oneLine(f.Next))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var sums []string
	for _, v := range []doctor.Verdict{doctor.Failed, doctor.Unknown, doctor.Warning, doctor.OK, doctor.Skipped} {
		if count[v] > 0 {
			sums = append(sums, fmt.Sprintf("%d %s", count[v], v))
		}
	}
	_, err := fmt.Fprintf(w, "\n%s.\n", strings.Join(sums, ", "))
	return err
}

// watch writes each violation as it is found, until the command is interrupted.
func (s *session) watch(c *cobra.Command, d *doctor.Doctor, every time.Duration) error {
	w := d.Watch(c.Context(), every, func(v doctor.Violation) {
		if s.json {
			_ = json.NewEncoder(s.out).Encode(v) // the reader may have gone
			return
		}
		fmt.Fprintln(s.out, oneLine(violationText(v)))
	})
	fmt.Fprintf(s.err, "%d reads, %d failed; %d violations\n", w.Reads, w.Unread, w.Violations)
	if w.Reads == 0 {
		return errors.New("the grants were never read")
	}
	return trouble(w.Violations > 0)
}

func violationText(v doctor.Violation) string {
	return fmt.Sprintf("%s %s of companies %s: %s -> %s: %s", v.At.UTC().Format("15:04:05Z"), v.Principal, orDash(some(v.Companies)),
		orDash(v.Old), orDash(v.New), strings.Join(v.Problems, "; "))
}
