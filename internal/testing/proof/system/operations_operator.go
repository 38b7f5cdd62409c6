package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/internal/operator/doctor"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/internal/webhook/inbox"
)

const (
	stackName = "simulated"
	operators = "operators" // the log group of their changes
)

// verb is one that a person types.
type verb struct {
	name    string
	changes bool // what people expect of the company: not in the calm
	do      func(ctx context.Context, o *operator.Operator, c *customer) error
}

// verbs are those of which one is typed now and then, for a company.
func (s *system) verbs() []verb {
	return []verb{
		{"list", false, func(ctx context.Context, o *operator.Operator, _ *customer) error {
			_, err := o.List(ctx, operator.Filter{})
			return err
		}},
		{"why", false, func(ctx context.Context, o *operator.Operator, c *customer) error {
			found, err := o.Company(ctx, c.id)
			if err == nil {
				_ = found.Why()
			}
			return allowing(err, operator.ErrNotConnected)
		}},
		{"doctor", false, s.examines},
		{"webhooks show", false, func(ctx context.Context, o *operator.Operator, c *customer) error {
			_, err := o.Webhook(ctx, c.id)
			return allowing(err, operator.ErrNotConnected)
		}},
		{"webhooks sync", false, func(ctx context.Context, o *operator.Operator, c *customer) error {
			_ = o.Sync(ctx, c.id) // its own words say what failed
			return nil
		}},
		{"coverage", false, func(ctx context.Context, o *operator.Operator, c *customer) error {
			_, err := o.Coverage(ctx, c.id)
			return err
		}},
		{"reconcile", false, func(ctx context.Context, o *operator.Operator, c *customer) error {
			_, err := o.ReconcileNow(ctx, c.id)
			return err
		}},
		{"replay", false, s.replays},
		{"quarantine", false, s.releases},
		{"dead redrive", false, redrives},
		{"rescue", false, func(ctx context.Context, o *operator.Operator, _ *customer) error {
			if _, err := o.RescueList(ctx); err != nil {
				return err
			}
			_, _, err := o.RescueRun(ctx, true, nil)
			return err
		}},
		{"breaker probe", false, func(ctx context.Context, o *operator.Operator, _ *customer) error {
			_, err := o.Probe(ctx)
			return err
		}},
		{"departures acknowledge", false, func(ctx context.Context, o *operator.Operator, _ *customer) error {
			_, err := o.Acknowledge(ctx)
			return err
		}},
		{"refresh", true, func(ctx context.Context, o *operator.Operator, c *customer) error {
			p, err := o.Principal(fmt.Sprint(c.user))
			if err == nil {
				_, err = o.Refresh(ctx, p, operator.Always)
			}
			return err
		}},
		{"revoke", true, func(ctx context.Context, o *operator.Operator, c *customer) error {
			return c.ends(ctx, o)
		}},
		{"erase", true, s.erases},
		{"keys raise-epoch", true, raises},
	}
}

// allowing is an error unless it is one that a person expects.
func allowing(err error, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// operations starts the operator: a person who types verbs now and then, also in the calm.
func (s *system) operations() {
	s.stack()
	if s.Swarm().Has("operator") {
		s.Go("operator", s.operates)
	}
	for _, t := range []trouble{
		{"webhook key rotated", 8 * time.Hour, s.rotates(operator.WebhookRing)},
		{"seal key rotated", 8 * time.Hour, s.rotates(operator.SealRing)},
		{"app secret changed", 12 * time.Hour, s.changesSecret},
		{"rows lost", 10 * time.Hour, s.losesRows},
		{"tables reverted", 15 * time.Hour, s.reverts},
	} {
		s.start(t)
	}
}

// stack is what the operator's command finds of the stack.
func (s *system) stack() {
	s.Logs = awstest.NewLogs(s.Now, operators)
	s.Stacks.Put(stackName, map[string]string{
		"AppUrl": appURL, "RedirectUri": appURL + "/oauth/callback", "PostInstallationUrl": appURL + "/connected",
		"WebhookUrl": appURL + "/webhooks/procore", "FunctionNames": "reconciler,refresher",
		"RefresherFunctionName": "refresher", "ReconcilerFunctionName": "reconciler", "OperatorLogGroup": operators,
		"EventsQueueArn": awstest.QueueARN(simulation.EventsQueue), "EventsQueueUrl": s.Queues.URL(simulation.EventsQueue),
		"EventsDeadLetterQueueUrl":     s.Queues.URL(simulation.EventsDeadQueue),
		"DispatcherDeadLetterQueueUrl": s.Queues.URL(simulation.DispatchDeadQueue),
		"AnnouncerDeadLetterQueueUrl":  s.Queues.URL(simulation.AnnounceDeadQueue),
		"RescueQueueUrl":               s.Queues.URL(simulation.RescueQueue),
		"RescueDeadLetterQueueUrl":     s.Queues.URL(simulation.RescueDeadQueue),
		"GrantsTableName":              grants, "ConnectionsTableName": connectionsTable, "SpendsTableName": spends, "InboxTableName": inboxTable,
		"AppSecretArn": "app", "KeysSecretArn": "keys", "ConnectionsTopicArn": awstest.TopicARN("connections"), "AlarmsTopicArn": awstest.TopicARN("connections"),
	})
	for _, name := range []string{"refresher", "reconciler"} {
		s.Functions.Put(name, s.environment())
	}
}

// operates types a verb now and then.
func (s *system) operates(ctx context.Context) {
	all := s.verbs()
	for s.Sleep(ctx, s.part("operator", 3*time.Hour)) && simulation.Gate(ctx, "types") == simulation.Fine {
		v := all[s.Next("verb", "operator")%uint64(len(all))]
		c := s.customers[s.Next("company", "operator")%uint64(len(s.customers))]
		if s.Calm() && v.changes || !s.Swarm().Has("verb "+v.name) {
			continue
		}
		calm := s.rested()
		s.Happened("verb " + v.name)
		s.Note("%s for %s", v.name, c.name)
		if err := s.types(v.name, func(ctx context.Context, o *operator.Operator) error { return v.do(ctx, o, c) }); err != nil {
			s.Happened("verb failed")
			if v.name == "revoke" || v.name == "erase" { // the person types it again
				s.until(ctx, v.name, func(ctx context.Context, o *operator.Operator) error { return v.do(ctx, o, c) })
				continue
			}
			s.Note("%s failed: %v", v.name, err)
			if calm && !(v.name == "doctor" && s.disagrees(err)) {
				s.Problem("the operator's %s for %s fails in the calm: %v", v.name, c.name, err)
			}
		}
	}
}

// disagrees reports whether the doctor finds what the judge leaves out: tables that were reverted apart, and clocks that
// step by minutes.
func (s *system) disagrees(err error) bool {
	says := func(text string) bool { return strings.Contains(err.Error(), text) }
	return s.apart && says("connected to [") || s.World.Events()["clock stepped"] > 0 && says("was earlier than the one before")
}

// rested reports whether nothing has failed for so long that no command may fail.
func (s *system) rested() bool { return s.Calm() && s.Now().Sub(s.ends) > s.Config.Settle/2 }

// errDied is the error of a command whose process died.
var errDied = errors.New("the command's process died")

// types runs a command in its own process.
func (s *system) types(name string, do func(ctx context.Context, o *operator.Operator) error) error {
	s.typed++
	err := errDied
	s.Session(fmt.Sprintf("operator %d, %s,", s.typed, name), func(ctx context.Context, p *simulation.Process) {
		var o *operator.Operator
		if o, err = s.open(ctx, p); err == nil {
			err = o.Finish(ctx, func(ctx context.Context) error { return do(ctx, o) })
		}
		if p.Dead() {
			err = errDied
		}
	})
	return err
}

func (s *system) open(ctx context.Context, p *simulation.Process) (*operator.Operator, error) {
	sdk := s.AWS()
	log := slog.New(slog.NewJSONHandler(&lines{system: s, process: p}, nil))
	return operator.Open(ctx, operator.Target{Stack: stackName, SDK: &sdk, Clock: p.Clock(), Random: p.Random(), Dial: s.DialTransport, Log: log})
}

// examines is the verb doctor.
func (s *system) examines(ctx context.Context, o *operator.Operator, _ *customer) error {
	d := &doctor.Doctor{Operator: o, Transport: within{s, ctx}}
	var failed []string
	for _, f := range d.Run(ctx) {
		if f.Verdict == doctor.Failed && slices.Contains([]string{"rows", "breaker", "secrets"}, f.Check) {
			failed = append(failed, f.Check+": "+f.Finding)
		}
	}
	if failed != nil {
		return errors.New(strings.Join(failed, "; "))
	}
	return nil
}

// replays is the verb replay: a dry run first.
func (s *system) replays(ctx context.Context, o *operator.Operator, c *customer) error {
	of := operator.Selection{Companies: []int64{c.id}, Selection: inbox.Selection{From: s.Now().Add(-2 * time.Hour), Limit: 20, DryRun: true}}
	if _, err := o.Replay(ctx, of, func(int) {}); err != nil {
		return err
	}
	of.DryRun = false
	_, err := o.Replay(ctx, of, func(int) {})
	return err
}

// releases is the verb quarantine replay.
func (s *system) releases(ctx context.Context, o *operator.Operator, c *customer) error {
	held, _, err := o.Quarantine(ctx, []int64{c.id}, s.Now().Add(-24*time.Hour), 5, 5)
	for _, one := range held {
		s.Happened("quarantined delivery shown")
		q, failed := o.Held(ctx, one.ID)
		if failed == nil && q.Replayable() {
			_, failed = o.StoreHeld(ctx, q)
		}
		err = errors.Join(err, failed)
	}
	return err
}

// redrives is the verb dead redrive.
func redrives(ctx context.Context, o *operator.Operator, _ *customer) error {
	l, err := o.Letters(ctx)
	if err == nil && l.EventsTotal > 0 {
		_, err = o.DeadEvents().Move(ctx, nil)
	}
	return err
}

// erases is the verb erase, for a company that left. Its line in the log comes first.
func (s *system) erases(ctx context.Context, o *operator.Operator, c *customer) error {
	if c.connecting > 0 {
		return nil
	}
	c.ending = true
	defer func() { c.ending = false }()
	s.judge.gone(c)
	if err := o.Record(ctx, io.Discard, operator.Action{Verb: "erase", CompanyID: c.id}, "simulation"); err != nil {
		return err
	}
	r, err := o.Erase(ctx, c.id, "simulation", func(int) {})
	if err != nil {
		return err
	}
	if words := strings.Fields(r.Remains[0]); words[0] == "webhook" {
		c.cleans(words[1])
	}
	if s.judge.lossy() { // the row that names its hook may be one that is gone
		s.judge.knows(c).orphaned = true
	}
	return nil
}

// raises is the verb keys raise-epoch.
func raises(ctx context.Context, o *operator.Operator, c *customer) error {
	_, settled, err := o.RaiseEpoch(ctx, c.id)
	if err != nil {
		return err
	}
	_ = o.Sync(ctx, c.id)
	if err := o.Settle(ctx, settled, func(string) {}); err != nil {
		return err
	}
	_ = o.Sync(ctx, c.id)
	return nil
}
