package system

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/invariants"
	"procore-connect/internal/operator"
	"procore-connect/internal/operator/keyring"
	"procore-connect/internal/operator/restore"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procoretest"
)

// within sends the requests of a command, which know no actor.
type within struct {
	*system
	ctx context.Context
}

// RoundTrip implements http.RoundTripper.
func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	return w.system.RoundTrip(r.WithContext(w.ctx))
}

// until types a command until it is done, as a person does, or until nothing fails any longer.
func (s *system) until(ctx context.Context, name string, do func(ctx context.Context, o *operator.Operator) error) {
	for !s.Over() {
		calm := s.rested()
		err := s.types(name, do)
		if err == nil {
			s.Happened("done: " + name)
			return
		}
		s.Note("%s failed: %v", name, err)
		if calm {
			s.Problem("the operator's %s fails in the calm: %v", name, err)
			return
		}
		if !s.pause(ctx, 10*time.Minute) {
			return
		}
	}
}

// rotates rotates a key as the runbook says, and retires the old ones that nothing needs.
func (s *system) rotates(ring operator.RingName) func(ctx context.Context) {
	return func(ctx context.Context) {
		s.rotated(ctx, ring)
		if ring == operator.WebhookRing {
			s.until(ctx, "webhooks sync --all", func(ctx context.Context, o *operator.Operator) error {
				ids, err := o.ToSync(ctx, 0)
				if err == nil {
					_, err = o.SyncAll(ctx, ids, func(operator.Pass) {})
				}
				return err
			})
		}
		if !s.pause(ctx, 20*time.Hour) {
			return
		}
		s.until(ctx, "keys retire "+string(ring), func(ctx context.Context, o *operator.Operator) error { return s.retire(ctx, o, ring) })
	}
}

// rotated adds a key to a ring, which is current from then on.
func (s *system) rotated(ctx context.Context, ring operator.RingName) {
	s.until(ctx, "keys rotate "+string(ring), func(ctx context.Context, o *operator.Operator) error {
		all, err := o.Keys(ctx)
		if err != nil || len(keysOf(ring, all)) == keyring.MaxKeys {
			return err // with a full ring the person waits until a key may be retired
		}
		next, err := o.NextRotation(ctx, ring)
		if err != nil {
			return err
		}
		if ring == operator.SealRing {
			s.awaitsClaim(ctx)
		}
		return o.Rotate(ctx, next, func(string) {})
	})
}

// keysOf returns the keys of a ring.
func keysOf(ring operator.RingName, all []operator.RingKey) []operator.RingKey {
	return slices.DeleteFunc(all, func(k operator.RingKey) bool { return k.Ring != ring })
}

// retire removes the keys of a ring that may be removed.
func (s *system) retire(ctx context.Context, o *operator.Operator, ring operator.RingName) error {
	all, err := o.Keys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keysOf(ring, all) {
		if k.Current || k.New || s.lost { // rows that come back may need it
			continue
		}
		err := o.Retire(ctx, ring, k.ID)
		if errors.Is(err, operator.ErrNeeded) {
			continue
		}
		if err != nil {
			return err
		}
		s.Happened("key retired")
	}
	return nil
}

// changesSecret changes the app's client secret at Procore, and some minutes later here. At times a person stores another
// app's id and secret first.
func (s *system) changesSecret(ctx context.Context) {
	if s.Swarm().Has("another app's secret") && s.Next("another", "secret")%2 == 0 {
		right := s.Secrets.Value("app")
		s.Secrets.Put("app", `{"client_id":"fake-client-id-of-another","client_secret":"fake-client-secret-of-another"}`)
		s.Happened("another app's secret is stored")
		s.Sleep(ctx, min(s.part("another", time.Hour), max(s.ends.Sub(s.Now()), 0)))
		s.Secrets.Put("app", right)
	}
	s.typed++
	secret := fmt.Sprintf("fake-client-secret-%d", s.typed)
	must(s.procore.UpdateOptions(procoretest.OptionsPatch{ClientSecret: &secret}))
	s.Sleep(ctx, min(s.part("secret", time.Hour), max(s.ends.Sub(s.Now()), 0)))
	s.Secrets.Put("app", `{"client_id":"fake-client-id","client_secret":"`+secret+`"}`)
	s.Note("the app's new secret is stored")
}

// losesRows lets a script delete the rows of some users and companies, and restores them
// from the backup of a moment before.
func (s *system) losesRows(ctx context.Context) {
	if err := s.recoverable(); err != nil {
		s.Problem("no backups: %v", err)
		return
	}
	if !s.Sleep(ctx, time.Hour+s.part("before the loss", time.Hour)) || simulation.Gate(ctx, "deletes rows") != simulation.Fine || s.Calm() {
		return
	}
	before := s.Now().Add(-s.part("backup", 50*time.Minute)).Truncate(time.Second)
	if before.Before(s.reverted) {
		return // there is no backup of that time
	}
	s.lost = true
	s.unsure++
	s.deleteRows()
	if !s.Sleep(ctx, s.part("unnoticed", time.Hour)) || simulation.Gate(ctx, "restores") != simulation.Fine {
		return
	}
	s.until(ctx, "restore", func(ctx context.Context, o *operator.Operator) error { return restored(ctx, o, before) })
	s.judge.items.restored(s.Tables.Items(connectionsTable)) // what was erased a day before the backup stays away
	s.lost = false
	s.compares(ctx)
}

// recoverable turns point-in-time recovery on, as the template does.
func (s *system) recoverable() error {
	for _, table := range []string{grants, connectionsTable} {
		_, err := s.Tables.Client().UpdateContinuousBackups(s.Context(), &dynamodb.UpdateContinuousBackupsInput{
			TableName: &table, PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteRows deletes some rows of users and companies.
func (s *system) deleteRows() {
	for _, of := range []struct {
		table string
		key   []string
	}{{grants, []string{"grant"}}, {connectionsTable, []string{"company", "principal"}}} {
		for _, i := range s.Tables.Items(of.table) {
			if s.Next("loses", of.table)%2 == 0 || !customersOwn(i) {
				continue
			}
			key := simulation.Item{}
			for _, name := range of.key {
				key[name] = &types.AttributeValueMemberS{Value: *i[name].S}
			}
			if _, err := s.Tables.Client().DeleteItem(s.Context(), &dynamodb.DeleteItemInput{TableName: &of.table, Key: key}); err != nil {
				s.Problem("no row deleted: %v", err)
			}
			s.judge.items.lost(i)
		}
	}
	s.judge.restored()
	s.judge.items.restored(s.Tables.Items(connectionsTable))
}

// customersOwn reports whether a row is of a company or a user, not of the environment.
func customersOwn(i invariants.Item) bool {
	if _, of := i["company"]; of {
		return i["principal"].S != nil && *i["company"].S != environmentRow(*i["company"].S)
	}
	return invariants.IsGrant(i)
}

// environmentRow returns a key of a row that is about no company, or nothing.
func environmentRow(key string) string {
	for _, c := range key {
		if c >= '0' && c <= '9' {
			return ""
		}
	}
	return key
}

// restored is the verb restore.
func restored(ctx context.Context, o *operator.Operator, at time.Time) error {
	r := o.Restorer(at)
	copies, err := r.Copies(ctx)
	if err != nil {
		return err
	}
	if err := makeCopies(ctx, r, copies); err != nil {
		return err
	}
	erased, err := o.Erased(ctx, at)
	if err != nil {
		return err
	}
	plan, err := r.Compare(ctx, erased)
	if err != nil {
		return err
	}
	if _, err := r.Put(ctx, plan, func(int) {}); err != nil {
		return err
	}
	return r.Discard(ctx)
}

func makeCopies(ctx context.Context, r *restore.Restorer, copies []restore.Copy) error {
	if err := r.Make(ctx, copies); err != nil {
		return err
	}
	return r.Wait(ctx, func(time.Duration) {})
}

// reverts puts a backup of some hours in the place of both tables, as a person does who
// knows no better. The ledger is not restored, and refuses what was sent since.
func (s *system) reverts(ctx context.Context) {
	if s.lost {
		return // a backup of that time lacks rows
	}
	names := []string{grants, connectionsTable}
	if s.Swarm().Has("tables reverted apart") {
		names = [][]string{names, names[:1], names[1:]}[s.Next("which", "reverts")%3]
	}
	backup := s.Tables.Snapshot(names...)
	if !s.Sleep(ctx, s.part("backup", 6*time.Hour)) || simulation.Gate(ctx, "reverts the tables") != simulation.Fine || s.Calm() || s.lost {
		return
	}
	if s.Swarm().Has("reverts after a rotation") {
		s.rotated(ctx, operator.SealRing)
		if s.Calm() || s.lost {
			return
		}
	}
	s.unsure++
	s.Tables.Restore(backup)
	s.Note("reverted: %v", names)
	s.apart = s.apart || len(names) == 1
	s.reverted = s.Now()
	s.judge.restored()
	s.judge.items.reverted(s.Tables.Items(connectionsTable))
	for _, k := range s.judge.people {
		k.orphaned = true // no row may name its hook
	}
	if s.Next("marks", "reverts")%2 == 0 {
		s.marks(ctx)
	}
	s.compares(ctx)
}

// marks ends all grants, as those of a copied table.
func (s *system) marks(ctx context.Context) {
	s.until(ctx, "mark-restored", func(ctx context.Context, o *operator.Operator) error {
		before := s.judge.late.usables(s.judge.pairs.held)
		_, err := o.Restored(ctx, "simulation")
		if err == nil {
			s.judge.late.marks(before, s.judge.pairs.held)
		}
		return err
	})
}

// restores reports whether an actor is the verb restore.
func restores(actor string) bool { return strings.HasSuffix(actor, ", restore,") }

// compares is a person who asks each customer after a restore, ends what came back of those
// who have left, and asks the users of whom the list says so to connect again.
func (s *system) compares(ctx context.Context) {
	for _, c := range s.customers {
		k := s.judge.knows(c)
		k.sees = false // the user is asked to try again
		if k.wants || c.connecting > 0 {
			continue
		}
		s.until(ctx, "revoke "+c.name, func(ctx context.Context, o *operator.Operator) error { return c.ends(ctx, o) })
	}
	s.until(ctx, "list", s.asks)
	if s.unsure--; s.unsure == 0 {
		s.judge.holders("after a restore")
	}
}

// asks asks the users of the companies that need a person to connect them again. It reads the
// whole list, as the receipt of restore says.
func (s *system) asks(ctx context.Context, o *operator.Operator) error {
	before := s.judge.holdings.unheld()
	all, err := o.List(ctx, operator.Filter{})
	if err != nil {
		return err
	}
	s.judge.holdings.listed(before, all)
	for _, c := range s.customers {
		k := s.judge.knows(c)
		k.asked = k.asked || slices.ContainsFunc(all, func(one operator.Connection) bool { return one.CompanyID == c.id && one.NeedsPerson })
	}
	return nil
}

// ends is the verb revoke. Its user does not connect at the same time.
func (c *customer) ends(ctx context.Context, o *operator.Operator) error {
	if c.connecting > 0 {
		return nil
	}
	c.ending = true
	defer func() { c.ending = false }()
	plan, err := o.PlanRevocation(ctx, c.id, 0)
	if err != nil {
		return allowing(err, operator.ErrNotConnected)
	}
	c.judge.gone(c)
	if err := o.Revoke(ctx, plan, "simulation"); err != nil {
		return err
	}
	c.cleans(plan.Hook)
	return nil
}

// cleans is an administrator of the company who deletes a hook that the operator could not
// delete, because no grant works any longer.
func (c *customer) cleans(hook string) {
	id, err := strconv.ParseInt(hook, 10, 64)
	if err != nil {
		return // there was none
	}
	if h, _ := c.procore.Hook(id); h.CompanyID == c.id {
		must(c.procore.DeleteHook(id))
		c.Happened("an administrator deletes our hook")
	}
}
