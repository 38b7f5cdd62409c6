package system

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/testing/proof/simulation"
)

// known is what a customer knows and wants.
type known struct {
	customer *customer
	wants    bool      // the company is to be connected
	sees     bool      // and the last page said that it is
	asked    bool      // the operator asks the user to connect it again, after a restore; one who leaves never does
	since    time.Time // when wants changed, or a page first said so
	left     bool      // the user left, which the app does not learn at once
	removed  bool      // the app, by an administrator
	orphaned bool      // its hook may remain: a log named the company, or its rows are older ones
	unhooked time.Time // when an administrator last deleted its hook
}

func (j *judge) knows(c *customer) *known {
	if j.people[c.id] == nil {
		j.people[c.id] = &known{customer: c}
	}
	return j.people[c.id]
}

// begins learns that a user begins to connect the company.
func (j *judge) begins(c *customer) {
	j.items.chosen(c.id)
	if k := j.knows(c); !k.wants {
		*k = known{customer: c, wants: true, asked: k.asked, since: j.Now()}
		j.items.gone(c.id, false)
	}
}

// connected learns that a page said so.
func (j *judge) connected(c *customer) {
	k := j.knows(c)
	if !k.sees {
		k.since = j.Now()
	}
	k.sees, k.asked = true, false
	j.items.gone(c.id, false)
}

// removed learns that an administrator removed the app. Until it is connected again nothing of it works there.
func (j *judge) removed(c *customer) {
	k := j.knows(c)
	*k = known{customer: c, asked: k.asked, since: j.Now(), removed: true}
	j.items.gone(c.id, true)
}

// orphans learns from a line of a log that a company's hook may remain: no one can delete it before the company is
// connected again.
func (j *judge) orphans(line string) {
	for id, k := range j.people {
		if strings.Contains(line, fmt.Sprintf(`"company_id":%d,`, id)) {
			k.orphaned = true
		}
	}
}

// gone learns that the user left the company, or ended its connection.
func (j *judge) gone(c *customer) {
	members, k := j.procore.Company(c.id).Members, j.knows(c)
	left := !slices.Contains(members, c.user)
	*k = known{customer: c, asked: k.asked, since: j.Now(), left: left, removed: k.removed, orphaned: k.orphaned}
	j.items.gone(c.id, true)
}

// attends is the time in which the user reads what the operator passes on from the topic,
// and does what it asks: connects the company again. A page that did not succeed asks the
// same.
func (c *customer) attends(ctx context.Context) {
	read, told := 0, false
	for c.Sleep(ctx, 10*time.Minute+c.part("reads the mail", c.leisure())) {
		all := c.Topics.Messages("connections")
		for _, m := range all[read:] {
			told = told || strings.Contains(m, strconv.FormatInt(c.id, 10))
		}
		read = len(all)
		if k := c.judge.knows(c); k.wants && (told || k.asked || !k.sees && c.Calm()) {
			c.Note("%s: the user reads that the connection needs a person", c.name)
			told = !c.connect(ctx)
		}
	}
}

// leisure is how long a mail may wait.
func (c *customer) leisure() time.Duration {
	if c.Calm() {
		return 20 * time.Minute
	}
	return 6 * time.Hour
}

// redrives is what the operator does with dead letters of events, as docs/RUNBOOK.md has it:
// moves them back now and then. By then their cause is mended.
func (s *system) redrives(ctx context.Context) {
	for s.Sleep(ctx, time.Hour) {
		for _, m := range s.Queues.Receive(simulation.EventsDeadQueue, 1000).Records {
			s.Queues.Send(simulation.EventsQueue, simulation.Message{Body: m.Body, Group: m.Attributes["MessageGroupId"], Dedup: m.Attributes["MessageDeduplicationId"]})
			if err := s.Queues.Delete(m.ReceiptHandle); err != nil {
				s.Problem("a dead letter is not moved: %v", err)
			}
		}
	}
}
