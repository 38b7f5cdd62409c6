package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// killUsers is how many users connect their companies. A grant is refreshed once a minute at most.
const killUsers = 15

// clients use a victim, and remember what it answered.
type clients struct {
	t *testing.T
	v *victim

	mu        sync.Mutex
	connected [killUsers]bool
	events    map[string]bool // ids of changes' events

	made, refreshes, delivered, dead int
	silent                           int // events that were handled, or are dead letters, without a line
}

func newClients(t *testing.T, v *victim) *clients {
	t.Helper()
	return &clients{t: t, v: v, events: map[string]bool{}}
}

// call calls the fake Procore's control interface.
func (c *clients) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+c.v.addresses[1]+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// populate adds users and companies. The token endpoint takes a while to answer, so that kills meet refreshes.
func (c *clients) populate() {
	c.t.Helper()
	do := func(path string, in any) {
		c.t.Helper()
		if err := c.call(c.t.Context(), http.MethodPost, path, in, new(any)); err != nil {
			c.t.Fatal(err)
		}
	}
	c.patch(firstLife)
	do("/_fake/faults", procoretest.Fault{Endpoint: "token", Kind: procoretest.Delay, DelayMS: 100, Seconds: 86400})
	for i := range int64(killUsers) {
		do("/_fake/users", procoretest.User{ID: firstUser + i, Login: fmt.Sprintf("user-%d@example.com", i), Name: user(i)})
		company := procoretest.NewCompany(firstCompany+i, fmt.Sprintf("Company %d", i), firstUser+i)
		company.Projects = []procoretest.Project{{ID: firstProject + i, Name: "A Project"}}
		do("/_fake/companies", company)
	}
}

// firstLife is how long the first tokens are valid: until all are connected, and a little longer.
const firstLife = 12 * time.Second

// patch sets how long the next tokens are valid.
func (c *clients) patch(life time.Duration) {
	c.t.Helper()
	seconds := int64(life / time.Second)
	if err := c.call(c.t.Context(), http.MethodPatch, "/_fake/options", procoretest.OptionsPatch{ExpiresInSeconds: &seconds}, new(any)); err != nil {
		c.t.Fatal(err)
	}
}

func user(i int64) string { return fmt.Sprintf("User %d", i) }

// begin starts the clients. stop ends them.
func (c *clients) begin() (stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	var all sync.WaitGroup
	every := func(d time.Duration, do func(ctx context.Context)) {
		all.Go(func() {
			for procore.Clock.Sleep(procore.Clock{}, ctx, d) == nil {
				do(ctx)
			}
		})
	}
	every(50*time.Millisecond, c.connect)
	every(20*time.Millisecond, c.change)
	return func() {
		cancel()
		all.Wait()
	}
}

// connect connects a company that was not connected, or perhaps any again.
func (c *clients) connect(ctx context.Context) {
	i := rand.Int64N(killUsers)
	c.mu.Lock()
	again := c.connected[i]
	c.mu.Unlock()
	if again && rand.IntN(100) > 0 {
		return
	}
	b := browsertest.New()
	b.Open(ctx, "http://"+c.v.addresses[0]+"/")
	b.Click(ctx, "Connect to Procore")
	b.Choose(user(i))
	b.Click(ctx, "Authorize")
	b.Choose(fmt.Sprintf("Company %d", i))
	b.Click(ctx, "Connect this company")
	if b.Err() != nil || b.Status != http.StatusOK || b.URL.Path != "/connected" {
		return // it was killed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected[i] = true
	c.made++
}

// underWay reports whether all companies are connected, and changes have events.
func (c *clients) underWay() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.events) > 10 && !slices.Contains(c.connected[:], false)
}

// presented returns how many refresh tokens were presented, and fails if one was presented twice.
func (c *clients) presented() (n int) {
	c.t.Helper()
	for _, r := range c.state().RefreshTokens {
		n += min(r.Presented, 1)
		if r.Presented > 1 {
			c.t.Errorf("R1: a refresh token was presented %d times", r.Presented)
		}
	}
	return n
}

// change changes an RFI in a company that is connected.
func (c *clients) change(ctx context.Context) {
	i := rand.Int64N(killUsers)
	var made procoretest.Emitted
	err := c.call(ctx, http.MethodPost, "/_fake/events", procoretest.Event{CompanyID: firstCompany + i, ProjectID: firstProject + i,
		ResourceName: "RFIs", EventType: "create"}, &made)
	if err != nil {
		return // it was killed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range made.EventIDs {
		c.events[id] = true
	}
}
