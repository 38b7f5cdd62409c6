package system

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/kit/invarianttest"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// judge watches a run. What it learns goes to its parts, which know nothing of the world,
// so that a test can tell them what would be wrong.
type judge struct {
	*system

	mu       sync.Mutex // log lines may be written at once
	pairs    *pairs
	sends    *sends
	signIns  *signIns
	burns    *burns
	pace     *pace
	stored   *stored
	items    *items
	output   *output
	costs    *costs
	versions *versions
	windows  *windows
	holdings *holdings
	late     *late
	people   map[int64]*known
	rows     map[string]invariants.Row
	seen     invariants.Transitions
	ring     *keys.Ring
	rings    string                           // the text of ring
	rescued  int                              // pairs that waited in the queue
	claimed  []chan<- claim                   // each waits for one, with room for it
	turns    map[int64]chan<- struct{}        // of the reconciler, by company: each waits for the end of one, likewise
	stale    []chan<- claim                   // likewise for a late pair that its grant does not take
	strike   func(claims *simulation.Process) // called once with the sandbox that takes the next claim
}

// court is what each part of the judge has.
type court struct {
	now     func() time.Time
	problem func(format string, args ...any)
}

func newJudge(s *system) *judge {
	j := &judge{system: s, people: map[int64]*known{}, rows: map[string]invariants.Row{}, seen: invariants.Transitions{}, turns: map[int64]chan<- struct{}{}}
	c := j.court()
	j.output = &output{court: c}
	after := func(d time.Duration, name string, do func()) { s.After(d, name, do) }
	j.pairs = newPairs(c, after)
	j.sends = newSends(c)
	j.signIns = newSignIns(c, after, func(p *simulation.Pair) bool { return j.procore.Good(p) })
	j.burns = &burns{court: c, inFlight: j.claims}
	j.pace = newPace(c)
	j.stored = newStored(c)
	j.items = newItems(c)
	if !s.exact() {
		j.items.hides = wrong
	}
	j.costs = newCosts(c)
	j.versions = newVersions(c)
	j.windows = newWindows(c)
	j.holdings = newHoldings(c)
	j.late = newLate(c, j.rows, after, j.awaits)
	return j
}

// listen lets the world tell the judge.
func (j *judge) listen() {
	j.Tables.OnWrite, j.Tables.OnDelete = j.wrote, j.versions.deleted
	j.Queues.OnSend, j.Queues.OnDelete = j.sent, j.deleted
	j.OnCall = j.called
	j.procore.Presented = func(r *simulation.Request, p *simulation.Pair) {
		j.pairs.presented(r.Actor.Name, r.Form.Get("client_id"), p)
	}
	j.procore.Sending = func(r *simulation.Request, p *simulation.Pair) {
		if r.Path == "/oauth/token" {
			j.pace.sends(r.Actor.Name, p)
			j.sends.sending(r, p, j.Now().Add(r.Actor.Process.Skew()))
		}
	}
	j.procore.Received = j.received
	j.procore.Left = func(_ *simulation.Request, p *simulation.Pair, at time.Time) { j.sends.ends(p, at, false) }
	j.procore.Revoked = func(r *simulation.Request, p *simulation.Pair) {
		key := prefix + string(tokens.User(p.User))
		j.late.revoked(r.Actor.Name, key, p, j.pairs.held[key])
	}
	j.Server = watched{j.procore, j}
	j.Judge = j.settled
	j.Go("judge", j.sits)
	j.Go("operator's dead letters", j.redrives)
}

// received learns of a pair that a process received: for a refresh token or for a code.
func (j *judge) received(r *simulation.Request, p *simulation.Pair) {
	if r.Form.Has("refresh_token") {
		j.sends.ends(p, j.Now(), true)
		j.pairs.received(r.Actor.Name, r.Actor.Process, p)
	} else {
		j.signIns.receives(r.Actor.Name, r.Actor.Process, p)
	}
}

// watched is Procore, whose answers the judge sees.
type watched struct {
	*simulation.FakeProcore
	judge *judge
}

// Serve implements simulation.Server.
func (w watched) Serve(r *simulation.Request, f simulation.Fault) *simulation.Answer {
	uses := len(w.Uses)
	a := w.FakeProcore.Serve(r, f)
	if r.Actor == nil {
		return a
	}
	w.judge.sends.empty(r.Actor.Name, r.Form)
	if len(w.Uses) > uses {
		w.judge.burns.used(w.Uses[uses], a != nil && bytes.Contains(a.Body, []byte("invalid_grant")), r.Actor.Process.Dead)
		w.judge.pace.used(w.Uses[uses])
	}
	w.judge.costs.called(r, w.owner(r))
	w.judge.items.called(r)
	w.judge.holdings.called(r, w.by(r))
	return a
}

// owner names whose calls a call counts among, as Procore does.
func (w watched) owner(r *simulation.Request) string {
	if p := w.by(r); p != nil && p.User != 0 {
		return "user " + strconv.FormatInt(p.User, 10)
	}
	return "company " + r.Header.Get("Procore-Company-Id")
}

// by returns the pair by which a call is made, or nil.
func (w watched) by(r *simulation.Request) *simulation.Pair {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return w.ByToken(token)
}

// sits checks what is stored once in each virtual day. From a loss of rows on the tables agree
// again only when the operator has restored them and each customer who was asked has come back.
// They are checked after the question and at the end.
func (j *judge) sits(ctx context.Context) {
	for j.Sleep(ctx, 24*time.Hour) {
		j.ledger("on a day")
		if !j.lossy() {
			j.holders("on a day")
		}
	}
}

// ledger checks all rows of grants. Where clocks step by minutes, so do the times of transitions.
func (j *judge) ledger(when string) {
	for _, p := range invariants.CheckTables(j.Tables.Items(grants), j.Tables.Items(spends), j.Now().Add(maxSkew)) {
		if j.World.Events()["clock stepped"] == 0 || !strings.Contains(p, "was earlier than the one before") {
			j.Problem("%s: %s", when, p)
		}
	}
}

// holders checks whose the grants are.
func (j *judge) holders(when string) {
	if j.apart { // what one table lacks agrees again when its user connects the company
		return
	}
	for _, p := range disagreements(j.Tables.Items(connectionsTable), j.Tables.Items(grants), j.people) {
		j.Problem("%s: %s", when, p)
	}
}

// disagreements returns what is wrong with the holders of grants. Those of a user whom the
// operator has asked to connect a company again agree when the user has.
func disagreements(connections, grants []invariants.Item, people map[int64]*known) []string {
	asked := map[string]bool{}
	for _, k := range people {
		if k.asked {
			asked[string(tokens.User(k.customer.user))] = true
		}
	}
	rest := func(all []invariants.Item) []invariants.Item {
		return slices.DeleteFunc(all, func(i invariants.Item) bool {
			return asked[text(i, "principal")] || asked[strings.TrimPrefix(text(i, "grant"), prefix)]
		})
	}
	return invarianttest.CheckHolders(rest(connections), rest(grants))
}

// maxSkew is how far the clocks of sandboxes differ from the world's.
const maxSkew = 2 * time.Second

// called learns of calls of AWS's services, also of those that fail.
func (j *judge) called(a *simulation.Actor, call string) {
	if strings.HasPrefix(call, "PutSecretValue ") && j.claims() > 0 {
		j.Happened("key rotated during a claim")
	}
	if strings.HasPrefix(call, "SendMessage "+simulation.RescueQueue+" ") {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.pairs.tries(a.Process)
	}
}

// sent checks each message that a queue accepts.
func (j *judge) sent(queue string, m simulation.Message) {
	switch queue {
	case simulation.RescueQueue:
		r, err := tokens.ParseRescued([]byte(m.Body))
		if err != nil {
			j.Problem("R2: %v", err)
			return
		}
		j.rescued++
		pair := j.rescuedPair(r)
		j.pairs.saved(pair)
		j.late.rescued[pair] = true
		return // what it has is sealed
	case simulation.EventsQueue:
		j.stored.sent(m)
	}
	j.output.text("the queue "+queue, m.Body)
}

// deleted checks that a pair leaves the rescue queue for the table.
func (j *judge) deleted(queue string, m simulation.Message) {
	if queue != simulation.RescueQueue {
		return
	}
	if r, err := tokens.ParseRescued([]byte(m.Body)); err == nil {
		j.pairs.leaves(string(r.Principal), j.rescuedPair(r))
	}
}

// failed learns of the errors of functions.
func (j *judge) failed(name string, err error) {
	if err != nil && !errors.Is(err, simulation.ErrCrashed) {
		j.output.text("an error of "+name, err.Error())
	}
}

// logged learns of a line of a log.
func (j *judge) logged(by *simulation.Process, line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.output.text("a log", line)
	_, rest, _ := strings.Cut(line, `"msg":"`)
	message, _, _ := strings.Cut(rest, `"`)
	switch message {
	case "claim not released":
		j.sends.unreleased(by)
	case "new pair lost":
		j.pairs.gaveUp(by)
	case "request":
		if strings.Contains(line, `"route":"GET /oauth/callback"`) {
			j.signIns.answered(by, strings.Contains(line, `"outcome":"authorized"`))
		}
	case "hook cleanup for ended connection failed":
		j.orphans(line)
	case "hook not deleted":
		if j.lossy() || strings.Contains(line, `"hook_id":""`) { // the row names no hook, or maybe one of before
			j.orphans(line)
		}
	case "refresh superseded":
		j.superseded(by)
	case "breaker update failed":
		j.burns.blind++
	}
}

// answered learns what the app answered to a person or to a delivery.
func (j *judge) answered(r *http.Request, body []byte, w *recorder) {
	j.output.answer(r.URL.Path, w)
	if r.URL.Path == "/webhooks/procore" && r.Method == http.MethodPost {
		j.stored.answered(r.Header.Get("Authorization"), body, w.status)
	}
}

// consumed is the consumer's own work.
func (s *system) consumed(ctx context.Context, e procore.Event, c *procore.CompanyClient) error {
	at := s.Now()
	if _, err := c.Read(ctx, e); err != nil {
		return err
	}
	s.judge.items.read(item{e.CompanyID, e.Resource, e.ResourceID}, at)
	return nil
}

// settled judges what the run led to, when nothing has failed for some hours.
func (j *judge) settled(context.Context) {
	j.ledger("at the end")
	j.holders("at the end")
	forbidden, _ := invarianttest.Compare(j.seen)
	for _, line := range forbidden {
		j.Problem("the model does not allow %s", line)
	}
	for _, m := range j.Topics.Messages("connections") {
		j.output.text("the topic", m)
	}
	j.stored.settled()
	j.items.settled()
	_, faults := j.Counts()
	ring, err := keys.Parse(j.Secrets.Value("keys"))
	must(err)
	j.costs.keys = len(ring.IDs())
	j.costs.settled(j.Companies, faults, j.Config.Time+j.Settle)
	j.rest(j.procore.State())
}

// each calls f for the entries of a map in order.
func each[K ~string, V any](m map[K]V, f func(K, V)) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		f(k, m[k])
	}
}
