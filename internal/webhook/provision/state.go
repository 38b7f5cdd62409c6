package provision

import (
	"time"

	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// wanted is the hook that one company should have.
type wanted struct {
	off        bool // none
	unhooked   bool // none, and changes are reconciled all the same
	spec       procore.HookSpec
	credential string // names the one in spec
	triggers   []procore.Trigger
}

// observed is what Procore shows of a company's hooks.
type observed struct {
	at        time.Time
	by        tokens.Principal // whose connection observes
	hook      procore.Hook     // ours; without an id there is none
	twins     []procore.Hook   // others with our URL, and one that ours replaces
	foreign   []procore.ID     // other deployments' hooks in our namespace
	triggers  []procore.Trigger
	resources []procore.WebhookResource // that a hook can report; none: not known
	// orphaned reports whether the connection that made the hook no longer works.
	orphaned bool
	// waiting reports whether deliveries wait in an orphaned hook. They would go with it.
	waiting bool
}

// Memory is what one pass leaves to the next. Only memory knows which credential is set:
// the headers that Procore shows may be masked as a whole.
type Memory struct {
	HookID   procore.ID       // empty: none, or none known
	Creator  tokens.Principal // whose connection made the hook
	Replaces procore.ID       // a hook to delete once HookID has its triggers
	// Credential names the one that Procore last accepted: its key and the epoch.
	Credential   string
	CredentialAt time.Time // when it first accepted that one, a pass's length too early at most
	Version      string    // the payload version for which the triggers were made
	// Since is when the first trigger of the company's first hook was about to be created, or when a pass found that there
	// is to be none. Zero: not yet.
	Since   time.Time
	Foreign []procore.ID // hooks of other deployments in our namespace
	Repairs []Repair

	Recovery recovery.Progress // through the hook's discarded deliveries

	alone bool // Procore refuses two hooks with one URL; not stored
}

// forget removes what concerns the hook. Since is the company's: what changes while a hook is missing is reconciled.
func (m *Memory) forget() {
	*m = Memory{Since: m.Since, Foreign: m.Foreign, Repairs: m.Repairs, alone: m.alone}
}

// adopt notes a hook that was found, although the pass ends before it can plan. Should no connection work any more, its
// id is what a person needs to delete it.
func (m *Memory) adopt(hook procore.ID, by tokens.Principal) {
	if m.HookID == "" && hook != "" {
		m.HookID, m.Creator = hook, by
	}
}

// A Repair is an attempt to remove a difference, which Procore answered. While the
// difference is the same, the next attempt waits.
type Repair struct {
	Field, Want, Have string
	Tries             int
	At                time.Time // of the last one
}

// action is what a step does.
type action int

const (
	createHook action = iota
	patchHook
	addTriggers
	removeTriggers
	deleteHook
)

// String names the action.
func (a action) String() string {
	return [...]string{"create", "patch", "add", "remove", "delete"}[a]
}

// A step is one call that changes something at Procore.
type step struct {
	do       action
	hook     procore.ID        // of all but createHook; there the one that it replaces
	activate bool              // of patchHook
	version  string            // of addTriggers: the hook's payload version
	triggers []procore.Trigger // of addTriggers and removeTriggers
	repairs  []Repair          // to remember once Procore has answered
}
