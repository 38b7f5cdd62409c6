package provision

import (
	"context"
	"errors"
	"fmt"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// Inspection is a company's hook as it should be, as it is stored, and as Procore shows it.
type Inspection struct {
	Row      Row
	Busy     bool // another run reconciles the company
	Off      bool // no triggers are configured: there should be no hook
	Spec     procore.HookSpec
	Triggers []procore.Trigger // wanted
	// Credential names the credential that the hook should have: its key and the epoch.
	Credential string
	Shown      *Shown // nil: Procore was not asked, or did not answer
	Unshown    error  // why
}

// Shown is what Procore shows of a company's hooks, and how it differs from what is wanted.
type Shown struct {
	By       tokens.Principal  // whose connection asked
	Hook     procore.Hook      // without an id there is none
	Twins    []procore.ID      // other hooks with our URL, which a pass removes
	Foreign  []procore.ID      // hooks of other deployments in our namespace, which it leaves alone
	Triggers []procore.Trigger // of the hook
	Missing  []procore.Trigger // wanted, and absent
	Surplus  []procore.Trigger // present, and not wanted
	// Differences are those of the hook's fields. Have is what Procore shows.
	Differences []Repair
	// Wrong is about triggers that do not exist at Procore.
	Wrong error
}

var (
	errUnasked = errors.New("no connection of the company works")
	errExpired = errors.New("its access token has expired, and showing refreshes none")
)

// Inspect reads a company's hook. It changes nothing: it asks Procore by the first connection whose access token is
// valid, and refreshes none. all are the company's connections. The error is about what is stored, or wanted.
func (k *Reconciler) Inspect(ctx context.Context, companyID int64, all []connections.Connection) (Inspection, error) {
	row, err := k.Row(ctx, companyID)
	if err != nil {
		return Inspection{}, err
	}
	want, err := k.want(ctx, companyID, all)
	i := Inspection{
		Row: row, Busy: k.now().Before(row.until), Off: want.off, Spec: want.spec, Triggers: want.triggers, Credential: want.credential, Unshown: errUnasked,
	}
	i.Spec.Headers = nil // no reader needs the credential itself
	if err != nil {
		return i, err
	}
	for n, c := range candidates(all, row.Creator, 0) {
		if n == maxTries {
			break
		}
		have, err := k.ask(ctx, c, want, row.Memory)
		if err == nil {
			i.Shown, i.Unshown = compared(want, have, row.Memory), nil
			return i, nil
		}
		i.Unshown = fmt.Errorf("by the connection of %s: %w", c.Principal, err)
		if kind := kindOf(err); !errors.Is(err, errExpired) && (kind == later || kind == limited || kind == wrong) {
			break // another connection has the same answer
		}
	}
	return i, nil
}

// ask observes with the access token that a connection has. What Procore answers is recorded nowhere.
func (k *Reconciler) ask(ctx context.Context, c connections.Connection, want wanted, m Memory) (observed, error) {
	if err := k.Store.Works(ctx, c); err != nil {
		return observed{}, err
	}
	access, err := k.Store.Tokens.Current(ctx, c.Principal)
	if errors.Is(err, tokens.ErrReauthorize) { // the grant works, so it is this token
		err = errExpired
	}
	if err != nil {
		return observed{}, err
	}
	hc := k.Store.Tokens.Bearer(access.Bearer())
	client := procore.NewCompanyClient(k.Store.Tokens.Environment, hc, c.CompanyID, k.Store.Options(c.Key, procore.WithAttempts(1), procore.WithMaxWait(k.MaxWait))...)
	have, err := observe(ctx, client, want, m)
	have.at, have.by = k.now(), c.Principal
	return have, err
}

// compared compares what Procore shows with what is wanted, as a pass does that remembers no attempts.
func compared(want wanted, have observed, m Memory) *Shown {
	s := &Shown{By: have.by, Hook: have.hook, Foreign: have.foreign, Triggers: have.triggers}
	for _, twin := range have.twins {
		s.Twins = append(s.Twins, twin.ID)
	}
	if have.hook.ID == "" || want.off {
		s.Missing = want.triggers
		return s
	}
	if m.HookID != have.hook.ID {
		m.forget()
	}
	m.Version = version(have.hook.PayloadVersion) // a pass that changes it makes the triggers again
	p := planner{at: have.at}
	p.patch(want, have.hook, m)
	for _, step := range p.steps {
		s.Differences = append(s.Differences, step.repairs...)
	}
	p = planner{at: have.at}
	p.triggers(want, have, m)
	for _, step := range p.steps {
		if step.do == addTriggers {
			s.Missing = append(s.Missing, step.triggers...)
		} else {
			s.Surplus = append(s.Surplus, step.triggers...)
		}
	}
	s.Wrong = errors.Join(p.problems...)
	return s
}
