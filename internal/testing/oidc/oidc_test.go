package oidc_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/logtest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	users     = 20
	refreshes = 1000
	processes = 4 // of callers; the functions are others
)

// world is a stack whose functions take the server for Procore.
type world struct {
	*stack.Stack
	server   *server
	front    *front // of the functions and the browsers
	browsers map[int64]*browsertest.Browser
	chosen   map[int64]bool // users who have chosen a company
	callers  []*callers
	spec     spec
}

func newWorld(t *testing.T) *world {
	t.Helper()
	needServer(t)
	w := &world{front: newFront(t), browsers: map[int64]*browsertest.Browser{}, chosen: map[int64]bool{}}
	o := stack.Options{
		BuildDir: "build/local", Refresh: -1, Housekeeping: -1, Reconcile: -1, Stdout: logtest.Output(t), Stderr: logtest.Output(t),
		Env: map[string]string{"PROCORE_LOGIN_URL": w.front.URL, "PROCORE_API_URL": w.front.URL, "WEBHOOK_TRIGGERS": "", "WEBHOOK_NAMESPACE": ""},
	}
	o.Procore.ClientID, o.Procore.ClientSecret = clientID, clientSecret
	var err error
	if w.Stack, err = stack.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	w.server = startServer(t, w.front.URL, w.AppURL+"/oauth/callback", users)
	w.front.lead(t, w.server.url)
	outputs := stack.Outputs(w.AppURL, w.AWSURL)
	ring, _ := w.Secrets.Value(outputs["KeysSecretArn"])
	w.spec = spec{DynamoDB: w.AWSURL, Server: w.front.URL, Grants: outputs["GrantsTableName"], Spends: outputs["SpendsTableName"], Keys: ring, Users: users}
	return w
}

// TestRefreshes is the life of some users' grants: made through the pages, refreshed a thousand times while many
// callers need them, and ended. The server has to find that no refresh token was presented again, until one is on purpose.
func TestRefreshes(t *testing.T) {
	w := newWorld(t)
	for id := int64(1); id <= users; id++ {
		w.connect(t, id)
	}
	w.cancel(t)
	w.browsers[3] = nil // user 3 authorizes in a second browser too
	w.connect(t, 3)
	w.race(t)
	w.alive(t)
	all := w.server.state(t)
	t.Log(all)
	if all.Refreshed < refreshes || all.Reused != 0 || all.PresentedAgain != 0 || len(all.Refused) != 0 || len(all.Failures) != 0 || all.Revoked != 0 {
		t.Errorf("%v, failures: %q; want %d refreshes and no reuse, refusal, revocation or failure", all, all.Failures, refreshes)
	}
	w.describe(t, 1)
	w.replay(t)
	w.disconnect(t, 2)
}

// race refreshes all grants again and again: two runs of the refresher alone, then with them the callers of other
// processes. Some answers are lost, and some processes killed, after the server has spent the token; the users of these
// grants authorize again.
func (w *world) race(t *testing.T) {
	t.Helper()
	fronts := []*front{w.front}
	for range processes {
		f := newFront(t)
		f.lead(t, w.server.url)
		w.callers = append(w.callers, startCallers(t, f, w.spec))
		fronts = append(fronts, f)
	}
	lost, killed, authorized, harmed := 0, 0, 0, false
	for round := 0; w.server.state(t).Refreshed < refreshes && !t.Failed(); round++ {
		w.age(t)
		var h *harm
		work := []string{"", "token"}[round%2]
		switch round % 10 {
		case 1:
			work = "call"
			w.server.endAccessTokens(t)
		case 3, 8:
			h = &harm{}
		case 5:
			h = &harm{kill: w.kill}
		}
		for _, f := range fronts {
			f.set(h)
		}
		if h != nil && h.kill != nil {
			w.front.set(nil) // callers alone are killed
		}
		before := w.server.state(t).Refreshed
		w.round(t, work)
		made, wasHarmed := w.server.state(t).Refreshed-before, harmed
		harmed = h != nil && h.done.Load()
		if made > users || made < users && !harmed && !wasHarmed {
			t.Errorf("round %d: %d refreshes of %d grants", round, made, users)
		}
		if harmed {
			lost++
		}
		for _, id := range w.uncertain(t) {
			w.connect(t, id)
			authorized++
		}
		for n, c := range w.callers {
			if c.killed.Load() {
				c.end()
				w.callers[n] = startCallers(t, c.front, w.spec)
				killed++
			}
		}
	}
	by := []int{}
	for _, f := range fronts {
		by = append(by, f.answers())
	}
	t.Logf("%d answers were lost, %d of them with their process; %d authorizations again; refreshes by process: %v", lost, killed, authorized, by)
	if lost-killed < 5 || killed < 3 || authorized < lost || slices.Min(by) < refreshes/50 {
		t.Error("that is too little harm, or too little of a race")
	}
}

// alive checks that each user's grant can still be refreshed, after the server has ended all access tokens.
func (w *world) alive(t *testing.T) {
	t.Helper()
	w.age(t)
	w.refresher(t, "refresh") // the last harm may have made the breaker careful
	w.age(t)
	w.server.endAccessTokens(t)
	before := w.server.state(t).Refreshed
	w.round(t, "call")
	if made := w.server.state(t).Refreshed - before; made != users {
		t.Errorf("%d of %d grants are alive", made, users)
	}
}

// kill ends the callers behind the front, before they have the answer that they wait for.
func (w *world) kill(f *front) {
	for _, c := range w.callers {
		if c.front == f {
			c.kill()
		}
	}
}

// round has two runs of the refresher, and if there is work the callers, need all grants at once.
func (w *world) round(t *testing.T, work string) {
	t.Helper()
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { w.refresher(t, "refresh") })
	}
	for _, c := range w.callers {
		if work == "" {
			break
		}
		all.Go(func() {
			for _, err := range c.need(work) {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func (w *world) refresher(t *testing.T, task string) {
	t.Helper()
	if _, err := w.Invoke(t.Context(), "refresher", fmt.Appendf(nil, `{"task":%q}`, task)); err != nil {
		t.Errorf("%s: %v", task, err)
	}
}

// connect authorizes the app as the user and connects the user's company.
func (w *world) connect(t *testing.T, id int64) {
	t.Helper()
	if w.browsers[id] == nil {
		w.browsers[id] = browsertest.New()
	}
	b := w.browsers[id]
	b.Open(t.Context(), w.AppURL+"/")
	b.Click(t.Context(), "Connect to Procore")
	authorize(t, b, id)
	b.Choose(fmt.Sprintf("Company %d", id))
	w.asksOnlyWhoAndWhere(t, id)
	b.Click(t.Context(), "Connect this company")
	if err := b.Err(); err != nil {
		t.Fatalf("user %d: %v", id, err)
	}
	if b.Status != http.StatusOK || b.URL.Path != "/connected" {
		t.Fatalf("user %d is at %s (%d): %s", id, b.URL.Path, b.Status, b.Text())
	}
}

// authorize goes through those of the server's pages that it shows.
func authorize(t *testing.T, b *browsertest.Browser, id int64) {
	t.Helper()
	if strings.HasPrefix(b.Text(), "Sign in ") {
		b.Choose(fmt.Sprintf("User %d", id))
		b.Click(t.Context(), "Sign in")
	}
	if strings.Contains(b.Text(), "authorize the app?") {
		b.Click(t.Context(), "Authorize")
	}
}

// asksOnlyWhoAndWhere checks the calls for a user so far (R3): none into a company that was not chosen.
func (w *world) asksOnlyWhoAndWhere(t *testing.T, id int64) {
	t.Helper()
	for _, c := range w.server.state(t).Calls {
		free := c.Company == 0 && slices.Contains([]string{"/rest/v1.0/me", "/rest/v1.0/companies"}, c.Path)
		if c.User == id && (c.Status != http.StatusOK || !free && !(w.chosen[id] && c.Company == 1000+id)) {
			t.Errorf("user %d: %s with company %d: %d", c.User, c.Path, c.Company, c.Status)
		}
	}
	w.chosen[id] = true
}

// cancel is a user who does not authorize the app.
func (w *world) cancel(t *testing.T) {
	t.Helper()
	b := browsertest.New()
	b.Open(t.Context(), w.AppURL+"/")
	b.Click(t.Context(), "Connect to Procore")
	b.Choose("User 1")
	b.Click(t.Context(), "Sign in")
	b.Click(t.Context(), "Cancel")
	if b.Err() != nil || b.Status != http.StatusForbidden || !strings.Contains(b.Text(), "Access was not allowed") {
		t.Errorf("after a cancellation: %d, %v: %s", b.Status, b.Err(), b.Text())
	}
}

// describe checks what the server knows of a user's access token.
func (w *world) describe(t *testing.T, id int64) {
	t.Helper()
	store := w.spec.store(t)
	access, err := store.Current(t.Context(), tokens.User(id))
	if err != nil {
		t.Fatal(err)
	}
	oauth, _ := store.OAuth.Get(t.Context())
	info, err := oauth.TokenInfo(t.Context(), access.Bearer())
	if err != nil || info.UserID != id || info.ClientID != clientID || info.ExpiresIn > lifetime*time.Second {
		t.Errorf("the token of user %d: %+v, %v", id, info, err)
	}
}

// replay presents a spent refresh token, as nothing of this project does. The server counts it and ends the grant, which
// the refresher then finds.
func (w *world) replay(t *testing.T) {
	t.Helper()
	before := w.server.state(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.url+"/oauth/token", strings.NewReader(w.callers[0].front.lastSpent().Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	all := w.server.state(t)
	if resp.StatusCode != http.StatusBadRequest || all.Reused != 1 || all.PresentedAgain != 1 || all.Revoked != before.Revoked+1 {
		t.Errorf("a spent token was presented: %s, %v; want a refusal, a count and an end", resp.Status, all)
	}
	var ended int64
	for id := int64(1); id <= users; id++ {
		if name := strconv.FormatInt(id, 10); all.Live[name] < before.Live[name] { // a user may have authorized twice
			ended = id
		}
	}
	w.age(t)
	w.refresher(t, "refresh")
	all = w.server.state(t)
	if state := value(w.rows(t)[ended]["state"]); state != "reauthorize" || all.Reused != 1 || all.PresentedAgain != 1 {
		t.Errorf("after the end of the grant of user %d it is %q, %v; want reauthorize, after one refusal", ended, state, all)
	}
	w.connect(t, ended)
	w.describe(t, ended)
}

// disconnect is a user who leaves: the server has ended the whole grant.
func (w *world) disconnect(t *testing.T, id int64) {
	t.Helper()
	store, before := w.spec.store(t), w.server.state(t)
	access, err := store.Current(t.Context(), tokens.User(id))
	if err != nil {
		t.Fatal(err)
	}
	b := w.browsers[id]
	b.Open(t.Context(), b.URL.String())
	b.Click(t.Context(), "Disconnect this company")
	b.Click(t.Context(), "Disconnect")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	oauth, _ := store.OAuth.Get(t.Context())
	_, err = oauth.TokenInfo(t.Context(), access.Bearer())
	all := w.server.state(t)
	if !errors.Is(err, procore.ErrUnauthorized) || all.Live[strconv.FormatInt(id, 10)] != 0 || all.Revoked != before.Revoked+1 {
		t.Errorf("user %d disconnected: %v, live refresh tokens: %v, %v", id, err, all.Live, all)
	}
	if state := value(w.rows(t)[id]["state"]); state != "revoked" {
		t.Errorf("the grant of user %d is %q, want revoked", id, state)
	}
}
