package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"procore-connect/internal/operator"
	"procore-connect/internal/operator/logs"
	"procore-connect/internal/platform/logging/readable"
)

func (s *session) trace() *cobra.Command {
	var since string
	c := &cobra.Command{
		Use:   "trace ID",
		Short: "Show what all functions wrote about a request or an event, in order of time",
		Long: `Show what all functions wrote about a request or an event, in order of time.

The ID is that which a page shows, one of API Gateway (Apigw-Requestid), of an event, or of a request to Procore, from an
error. What belongs to it is shown too: a delivery's event leads to the lines of dispatcher and consumer.

Lines are found some seconds after they were written, seldom minutes, and until the retention of the logs. A longer time
costs more, because Logs Insights bills what it reads. A consumer in another stack needs --log-group.`,
		Example: `  procore-connect trace 8f0a3c6e-5d0b-4f43-9c1e-2f1f5a7f4b11
  procore-connect trace 01JA8Z7Q4M6X2V9T3C5B1N0KDE --since 14d`,
		Args: usage(cobra.ExactArgs(1)),
	}
	c.Flags().StringVar(&since, "since", "24h", "search from then on: how long ago (90m, 24h, 3d), or a time in UTC (2026-03-02T08:00)")
	c.RunE = func(c *cobra.Command, args []string) error {
		from, err := when(s.target.Clock.Now(), "since", since)
		if err != nil {
			return err
		}
		id := strings.Trim(args[0], " \t\r\n\"'.,")
		if len(id) < 8 {
			return usageError{fmt.Errorf("%.30q is too short for an id, and would be found in too many lines", id)}
		}
		o, err := operator.Open(c.Context(), s.target)
		if err != nil {
			return err
		}
		t, err := o.Trace(c.Context(), id, from)
		if err != nil {
			return err
		}
		if t.More {
			fmt.Fprintln(s.err, "There are more lines: search a shorter time.")
		}
		return s.write(t, func(w io.Writer) error { return traced(w, t) })
	}
	return s.searches(c)
}

func traced(w io.Writer, t *operator.Trace) error {
	_, err := fmt.Fprintf(w, "%s is the id of %s. Times are UTC.\n", oneLine(t.ID), t.Is)
	f := readable.Format{Clock: func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05.000") }}
	for _, l := range t.Lines {
		_, failed := io.WriteString(w, lineText(f, l))
		err = errors.Join(err, failed)
	}
	return err
}

func lineText(f readable.Format, l logs.Line) string {
	text := f.Line(l.Time, l.Function, l.Fields)
	if l.Fields == nil {
		text = f.Text(l.Time, l.Function, l.Message)
	}
	return oneLine(strings.TrimRight(text, " \n")) + "\n"
}
