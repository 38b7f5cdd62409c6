package provision

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// world is a keeper with its world. Joe and Ann are in the company.
type world struct {
	*functiontest.World
	*Reconciler
	t *testing.T
}

const (
	company = procoretest.MyConstruction
	joe     = procoretest.Joe
	ann     = procoretest.Ann

	localURL = "http://127.0.0.1:9/webhooks/procore" // no one listens
)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: functiontest.New(t), t: t}
	w.Reconciler = w.keeper()
	w.PatchCompany(company, procoretest.CompanyPatch{Members: &[]int64{joe, ann}})
	return w
}

// keeper is one process's.
func (w *world) keeper() *Reconciler {
	return &Reconciler{
		Store: w.World.Store(), Ring: w.World.Ring(), Log: w.World.Log.Logger,
		Recovery: &recovery.Recoverer{
			Inbox: &inbox.Store{DB: w.DB, Table: w.Tables.Inbox, Clock: w.Clock.Seam()}, Log: w.World.Log.Logger,
		},
		Want: Config{Namespace: "our-app", URL: localURL, PayloadVersion: "v2.0", Triggers: []procore.Trigger{
			{Resource: "RFIs", EventType: "create"}, {Resource: "RFIs", EventType: "update"},
		}},
	}
}

func (w *world) connect(user int64) connections.Connection {
	w.t.Helper()
	c := w.Connect(company, user, connections.WebhooksPending)
	w.Clock.Advance(time.Second) // so that they have an order
	return c
}

// reconcile makes a pass that must succeed and leave the company in this state.
func (w *world) reconcile(want connections.Webhooks) Result {
	w.t.Helper()
	result, err := w.Reconcile(w.t.Context(), company)
	if err != nil || result.Status != want {
		w.t.Fatalf("got %+v, %v, want %s", result, err, want)
	}
	return result
}

func (w *world) wantStatus(want connections.Webhooks, next time.Duration, all ...connections.Connection) {
	w.t.Helper()
	for _, c := range all {
		got := w.Connection(c.Key)
		if got.Webhooks != want || !got.CheckAt.Equal(w.Clock.Now().Add(next)) {
			w.t.Errorf("%s: webhooks are %s, looked at in %v; want %s, %v", c.Key, got.Webhooks, got.CheckAt.Sub(w.Clock.Now()), want, next)
		}
	}
}

// hook is the only one of the company, with these triggers.
func (w *world) hook(triggers ...string) procoretest.Hook {
	w.t.Helper()
	all := w.hooks()
	if len(all) != 1 {
		w.t.Fatalf("got %d hooks, want 1", len(all))
	}
	var got []string
	for _, t := range all[0].Triggers {
		got = append(got, t.ResourceName+" "+t.EventType)
	}
	slices.Sort(got)
	if len(triggers) == 0 {
		triggers = []string{"RFIs create", "RFIs update"}
	}
	if diff := cmp.Diff(got, triggers); diff != "" {
		w.t.Errorf("triggers (-got +want):\n%s", diff)
	}
	return all[0]
}

// id is that of the only hook.
func (w *world) id() procore.ID { return procore.NewID(w.hook().ID) }

func (w *world) hooks() []procoretest.Hook {
	return hooksOf(w.Procore.State())
}

func hooksOf(st procoretest.State) []procoretest.Hook {
	return slices.DeleteFunc(st.Hooks, func(h procoretest.Hook) bool { return h.CompanyID != company })
}

// calls are those to the webhooks API that changed something, since the last n
// calls.
func (w *world) calls(after int) (all []string) {
	for _, c := range w.Procore.State().Calls[after:] {
		if c.Method != "GET" {
			all = append(all, c.Method)
		}
	}
	return all
}

func (w *world) count() int { return len(w.Procore.State().Calls) }

func (w *world) options(p procoretest.OptionsPatch) {
	w.t.Helper()
	if err := w.Procore.UpdateOptions(p); err != nil {
		w.t.Fatal(err)
	}
}

// emit changes an RFI and gives the number of hooks that report it.
func (w *world) emit() int {
	w.t.Helper()
	e, err := w.Procore.Emit(procoretest.Event{CompanyID: company, ProjectID: 2001, ResourceName: "RFIs", ResourceID: "77", EventType: "update"})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(e.EventIDs)
}

func (w *world) deny(users ...int64) {
	w.t.Helper()
	w.PatchCompany(company, procoretest.CompanyPatch{WebhooksDeniedTo: &users})
}

func (w *world) client(key connections.Key) *procore.CompanyClient { return w.hand(nil, key).client }

func (w *world) take() (*lease, error) {
	return items{w.Reconciler.Store}.take(w.t.Context(), company)
}

func (w *world) release(l *lease) {
	items{w.Reconciler.Store}.release(w.t.Context(), l, w.World.Log.Logger)
}

// otherHook makes a hook past the keeper.
func (w *world) otherHook(user int64, spec procore.HookSpec) procore.Hook {
	w.t.Helper()
	h, err := w.client(connections.Key{CompanyID: company, Principal: tokens.User(user)}).CreateHook(w.t.Context(), spec)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}
