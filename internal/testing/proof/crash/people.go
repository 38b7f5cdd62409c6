package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// populate adds the users and the companies that are missing.
func (m *machine) populate() error {
	state := m.fake.State()
	for i := range int64(users) {
		if state.Company(firstCompany+i).ID != 0 {
			continue
		}
		user := procoretest.User{ID: firstUser + i, Login: fmt.Sprintf("user-%d@example.com", i), Name: "A User"}
		c := procoretest.NewCompany(firstCompany+i, fmt.Sprintf("Company %d", i), user.ID)
		if i == 0 {
			c.Members = append(c.Members, firstUser+1)
		}
		c.Projects = []procoretest.Project{{ID: firstProject + i, Name: "A Project"}}
		known := slices.ContainsFunc(state.Users, func(u procoretest.User) bool { return u.ID == user.ID })
		if !known {
			if err := m.fake.AddUser(user); err != nil {
				return err
			}
		}
		if err := m.fake.AddCompany(c); err != nil {
			return err
		}
	}
	return nil
}

// people is how many of them do things at the same time.
const people = 3

// dice returns the random numbers of one loop of the machine.
func (w *world) dice(n uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, w.starts<<8+n)) }

// person connects, reads and changes.
func (m *machine) person(dice *rand.Rand) {
	for m.pause(dice, 20*time.Second) {
		user := dice.Int64N(users)
		company := user
		if user == 1 && dice.IntN(3) == 0 {
			company = 0
		}
		key := connections.Key{CompanyID: firstCompany + company, Principal: tokens.User(firstUser + user)}
		switch dice.IntN(5) {
		case 0, 1:
			m.change(key.CompanyID, firstProject+company, dice)
		case 2:
			if m.seen.needsHook(key.CompanyID) {
				m.check(key.CompanyID)
			}
		default:
			if err := m.use(key); err != nil && (tired(err) || dice.IntN(3) == 0) {
				m.connect(key)
			}
		}
	}
}

// tired reports whether only a new authorization helps.
func tired(err error) bool { return !errors.Is(err, tokens.ErrTryAgain) }

// pause reports whether the machine still runs after a random time.
func (m *machine) pause(dice *rand.Rand, most time.Duration) bool {
	return procore.Clock{}.Sleep(m.ctx, time.Duration(dice.Int64N(int64(most)))) == nil
}

// use makes a call, which refreshes the token if that is needed.
func (m *machine) use(key connections.Key) error {
	c, err := m.store.Connection(m.ctx, key)
	if err == nil {
		err = m.store.Works(m.ctx, c)
	}
	if err == nil {
		_, err = m.store.Client(key).Project(m.ctx, firstProject+key.CompanyID-firstCompany)
	}
	if err != nil {
		return err
	}
	if g, err := m.store.Tokens.Grant(m.ctx, key.Principal); err == nil {
		m.seen.generation(key.Principal, g.Generation)
	}
	return nil
}

// connect is a user's authorization and choice.
func (m *machine) connect(key connections.Key) {
	var user int64
	if _, err := fmt.Sscanf(string(key.Principal), "user#%d", &user); err != nil {
		m.t.Error(err)
		return
	}
	pair, ok := m.authorize(user)
	if !ok {
		return
	}
	m.seen.answered(pair.RefreshToken)
	_, err := m.store.Tokens.Authorize(m.ctx, tokens.Authorization{Principal: key.Principal, RedirectURI: redirectURI, Pair: procore.Token{
		AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
		IssuedAt: time.Unix(pair.CreatedAt, 0), Expiry: time.Now().Add(time.Duration(pair.ExpiresIn) * time.Second),
	}})
	if err != nil {
		return
	}
	_, err = m.store.Connect(m.ctx, connections.New{Key: key, CompanyName: "A Company", UserName: "A User", Webhooks: connections.WebhooksPending})
	if err != nil {
		return
	}
	m.seen.connected(key)
	m.stats.count("connections")
	m.check(key.CompanyID)
}

// authorize returns what Procore answers after the login.
func (m *machine) authorize(user int64) (pair procoretest.Pair, ok bool) {
	done := make(chan struct{})
	go func() { // because failing ends it when the disk has failed
		defer close(done)
		pair = m.fake.Token(failing{m}, user, redirectURI)
		ok = true
	}()
	<-done
	return pair, ok
}

// failing is the procoretest.TB of a machine that may crash.
type failing struct{ m *machine }

func (failing) Helper()        {}
func (failing) Cleanup(func()) {}

func (f failing) Fatalf(format string, args ...any) {
	if !f.m.crashed() {
		f.m.t.Errorf(format, args...)
	}
	runtime.Goexit()
}

// check keeps the company's hook, as housekeeping does.
func (m *machine) check(company int64) {
	if _, err := m.hooks.Reconcile(m.ctx, company); err == nil {
		m.seen.hooked(company)
		m.stats.count("hooks checked")
	}
}

// change changes an RFI.
func (m *machine) change(company, project int64, dice *rand.Rand) {
	e := procoretest.Event{CompanyID: company, ProjectID: project, ResourceName: "RFIs", EventType: "create"}
	if last := m.seen.lastRFI(company); last != "" && dice.IntN(2) == 0 {
		e.EventType, e.ResourceID = "update", last
	}
	made, err := m.fake.Emit(e)
	if err != nil {
		return
	}
	m.seen.changed(company, made)
	m.stats.count("changes")
}

// schedule refreshes what is due and makes pending hooks.
func (m *machine) schedule(dice *rand.Rand) {
	for m.pause(dice, 2*time.Minute) {
		m.refresh()
	}
}

func (m *machine) refresh() {
	for shard := range tokens.Shards {
		for p, err := range m.store.Tokens.Upkeep().Due(m.ctx, shard, life/2) {
			if err == nil {
				_, err = m.store.Tokens.Upkeep().Refresh(m.ctx, p, life/2)
			}
			if err == nil {
				m.stats.count("refreshes by the schedule")
			}
		}
	}
}
