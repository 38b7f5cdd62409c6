package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/internal/webhook/inbox"
)

// number is a count, which may be bounded.
func number(c inbox.Count) string {
	if c.More {
		return fmt.Sprintf("more than %d", c.Deliveries)
	}
	return strconv.Itoa(c.Deliveries)
}

// plan says what a replay will do.
func (r *replaying) plan(c inbox.Count, which operator.Selection) string {
	what, whose := "event", fmt.Sprintf("Company %d", r.company)
	if r.quarantined {
		what = "quarantined delivery"
	}
	if r.all {
		whose = plural(len(which.Companies), "company")
	}
	if r.resource != "" {
		whose += ", " + oneLine(r.resource)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s:\n", whose, r.understood)
	if c.More {
		b.WriteString("more than ")
	}
	b.WriteString(plural(c.Deliveries, what))
	if c.Deliveries > 0 {
		if !r.quarantined {
			fmt.Fprintf(&b, " of %s", plural(c.Resources, "resource"))
		}
		fmt.Fprintf(&b, ", received from %s to %s", c.First.UTC().Format(time.DateTime), c.Last.UTC().Format(time.DateTime))
	}
	b.WriteString(".\n")
	if r.notHandled {
		b.WriteString("Events that the consumer has finished are left out.\n")
	}
	if r.position != "" {
		b.WriteString("They are those behind the position, where an earlier replay stopped.\n")
	}
	if r.limit > 0 {
		fmt.Fprintf(&b, "At most %d are taken now.\n", r.limit)
	}
	if r.quarantined {
		b.WriteString("Each is decoded again. What is an event now is stored, and reaches the consumer once. The rest remains as it is.")
	} else {
		b.WriteString("Each is sent to the consumer again, in order of arrival, although newer ones of its resource may have been handled.")
	}
	return b.String()
}

// fates writes what a dry run would do.
func fates(w io.Writer, r operator.Replayed) error {
	if len(r.Items) == 0 {
		_, err := fmt.Fprintln(w, "There is nothing to replay.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RECEIVED\tRESOURCE\tDELIVERY\tWOULD BE\tREASON")
	for _, one := range r.Items {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", one.ReceivedAt.UTC().Format(time.DateTime), short(one.Resource), delivery(one), one.Fate, orDash(oneLine(one.Reason)))
	}
	return t.Flush()
}

// replayed writes what was done.
func replayed(w io.Writer, r operator.Replayed) error {
	for _, fate := range slices.Sorted(maps.Keys(r.Counts)) {
		fmt.Fprintf(w, "%d %s\n", r.Counts[fate], fate)
	}
	if len(r.Problems) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, one := range r.Problems {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", short(one.Resource), delivery(one), one.Fate, orDash(oneLine(one.Reason)))
	}
	return t.Flush()
}

// delivery is a delivery's id as other verbs take it.
func delivery(one inbox.Replayed) string {
	if company, quarantined := strings.CutSuffix(one.Resource, "#quarantine"); quarantined {
		return operator.QuarantineID(company, one.EventID)
	}
	return short(one.EventID)
}
