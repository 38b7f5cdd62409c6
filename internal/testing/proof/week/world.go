package week

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/memnet"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// Config is the size of a simulation.
type Config struct {
	Seed      uint64
	Companies int
	Projects  int           // of each company
	Time      time.Duration // in which things change; what follows until all is found comes on top
	Changes   int
	Lost      float64       // the part of the deliveries that is lost without a trace
	Outage    time.Duration // of the receiver, once; 0: none
	Kills     int           // of the reconciler
	Crooked   string        // procoretest.Options.Crooked
	// Period, PerOwner and PerApp are reconcile.Config's.
	Period           time.Duration
	PerOwner, PerApp int
}

// Addresses in the network. The fake delivers only to this machine.
const (
	procoreAddress  = "127.0.0.1:4000"
	receiverAddress = "127.0.0.1:3000"
	redirectURI     = "http://127.0.0.1:3000/oauth/callback"
)

const (
	firstCompany = 10_000_000
	firstUser    = 20_000_000
	firstProject = 30_000_000
)

// triggers are what the hooks report: the resources that reconciliation can find.
func triggers() (all []procore.Trigger) {
	for _, r := range resources {
		for _, event := range []procore.EventType{"create", "update"} {
			all = append(all, procore.Trigger{Resource: r.name, EventType: event})
		}
	}
	return all
}

// resources change, in a company or in its projects.
var resources = [...]struct {
	name    string
	company bool
}{{"RFIs", false}, {"Punch Items", false}, {"Company Vendors", true}}

// world is all that the functions use.
type world struct {
	Config

	t           *testing.T
	ctx         context.Context
	random      *rand.Rand // of the setup and of the changes
	network     memnet.Network
	fake        *procoretest.Server
	dynamo      *dynamotest.Server
	names       tables.Names
	environment procore.Environment
	keys        keys.Source[*keys.Ring]
	ring        *credential.Ring
	log         *slog.Logger
	judge       *judge
	admin       *process // the world's own

	began, ends  time.Time
	outage, over time.Time // of the receiver
}

// newWorld starts the fakes. What it starts ends with the test.
func newWorld(t *testing.T, c Config) *world {
	t.Helper()
	w := &world{Config: c, t: t, ctx: t.Context(), random: rand.New(rand.NewPCG(c.Seed, 0)), dynamo: dynamotest.New(),
		began: time.Now(), ends: time.Now().Add(c.Time)}
	w.dynamo.FeedLength = 1 << 20 // the whole inbox
	w.judge = newJudge(w)
	w.log = slog.New(slog.DiscardHandler)
	if c.Outage > 0 {
		w.outage = w.began.Add(c.Time / 3)
		w.over = w.outage.Add(c.Outage)
	}
	w.names = tables.Names{Grants: "grants", Connections: "connections", Spends: "spends", Sessions: "sessions", Inbox: "inbox"}
	w.environment = must(procore.ParseEnvironment("custom", "http://"+procoreAddress, "http://"+procoreAddress))
	w.keys = constant[*keys.Ring]{must(keys.Parse(`{"current":"k1","k1":"fake-seal-key-0123456789-0123456789-0123456789"}`))}
	w.ring = must(credential.Parse(`{"current":"k1","k1":"fake-webhook-key-0123456789-0123456789-01234"}`))
	w.fake = procoretest.New(procoretest.Options{
		Dial: w.network.Dial, Crooked: c.Crooked, HideHourlyLimit: true,
		LoseDeliveries: c.Lost, LoseSeed: c.Seed, LoseAs: procoretest.LoseSucceeded,
		AppLimit: procoretest.Limit{Spike: 250}, TokenLimit: procoretest.Limit{Spike: 40}, CompanyLimit: procoretest.Limit{Spike: 25},
	})
	procore := w.network.Serve(procoreAddress, http.HandlerFunc(w.serveProcore))
	receiver := w.network.Serve(receiverAddress, http.HandlerFunc(w.serveDelivery))
	t.Cleanup(func() {
		w.fake.Close()
		_ = procore.Close()
		_ = receiver.Close()
	})
	w.admin = w.process()
	if err := tables.Create(w.ctx, w.admin.store.DB, w.names); err != nil {
		t.Fatal(err)
	}
	return w
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// populate adds the companies, and connects every fifth one by the app's service account,
// the others by a user each.
func (w *world) populate() {
	for i := range int64(w.Companies) {
		c := procoretest.NewCompany(firstCompany+i, fmt.Sprintf("Company %d", i), firstUser+i)
		c.ServiceAccount = i%5 == 4
		c.Installed = c.ServiceAccount
		for j := range int64(w.Projects) {
			id := firstProject + i*1000 + j
			c.Projects = append(c.Projects, procoretest.Project{ID: id, Name: fmt.Sprintf("Project %d", id)})
		}
		err := w.fake.AddUser(procoretest.User{ID: firstUser + i, Login: fmt.Sprintf("user-%d@example.com", i), Name: "A User"})
		if err == nil {
			err = w.fake.AddCompany(c)
		}
		if err == nil && c.ServiceAccount {
			err = w.admin.store.AddServiceAccount(w.ctx, c.ID, c.Name, connections.WebhooksPending)
		} else if err == nil {
			err = w.connect(c, firstUser+i)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// connect is an authorization by a user of the company.
func (w *world) connect(c procoretest.Company, user int64) error {
	k := connections.Key{CompanyID: c.ID, Principal: tokens.User(user)}
	pair := w.fake.Token(w.t, user, redirectURI)
	_, err := w.admin.store.Tokens.Authorize(w.ctx, tokens.Authorization{Principal: k.Principal, RedirectURI: redirectURI, Pair: procore.Token{
		AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
		IssuedAt: time.Now(), Expiry: time.Now().Add(time.Duration(pair.ExpiresIn) * time.Second),
	}})
	if err == nil {
		_, err = w.admin.store.Connect(w.ctx, connections.New{Key: k, CompanyName: c.Name, UserName: "A User", Webhooks: connections.WebhooksPending})
	}
	return err
}

// pause lets time pass.
func (w *world) pause(d time.Duration) { <-time.After(d) }

// until lets time pass.
func (w *world) until(t time.Time) { w.pause(time.Until(t)) }

// hooks returns what keeps the hooks, as housekeeping has it.
func (p *process) hooks() *provision.Reconciler {
	return &provision.Reconciler{
		Store: p.store, Ring: constant[*credential.Ring]{p.w.ring}, Log: p.w.log, Recovery: p.recovery(),
		Want: provision.Config{Namespace: "our-app", URL: "http://" + receiverAddress + provision.Path, Triggers: triggers()},
	}
}
