package handler

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// refresher is the function and its world.
type refresher struct {
	*functiontest.World
	t *testing.T
	h *handler
}

const ourURL = "http://127.0.0.1:3000/webhooks/procore"

func newRefresher(t *testing.T) *refresher {
	t.Helper()
	return refresherIn(t, functiontest.New(t))
}

func refresherIn(t *testing.T, w *functiontest.World) *refresher {
	t.Helper()
	h := &handler{
		store: w.Store(), rescue: w.Rescue(), log: w.Log.Logger,
		inbox: &inbox.Store{DB: w.DB, Table: w.Tables.Inbox, Clock: w.Clock.Seam()},
	}
	h.tokens = h.store.Tokens
	h.tokens.Rescue = h.rescue.Send
	h.sessions = session.Handover{Sessions: w.Sessions(), Tokens: h.tokens}
	h.hooks = &provision.Reconciler{
		Store: h.store, Ring: w.Ring(), Log: w.Log.Logger,
		Recovery: &recovery.Recoverer{Inbox: h.inbox, Log: w.Log.Logger},
		Want: provision.Config{Namespace: "our-app", URL: ourURL, PayloadVersion: "v2.0", Triggers: []procore.Trigger{
			{Resource: "RFIs", EventType: "create"}, {Resource: "RFIs", EventType: "update"}, {Resource: "Company Users", EventType: "update"},
		}},
	}
	h.departures = &departures.Watch{Store: h.store, Hooks: h.hooks, Log: w.Log.Logger}
	return &refresher{World: w, t: t, h: h}
}

// run runs a task that must succeed.
func (r *refresher) run(task string) {
	r.t.Helper()
	if _, err := r.h.handle(r.t.Context(), Input{Task: task}); err != nil {
		r.t.Errorf("%s: %v", task, err)
	}
}

// fails runs a task that must return an error with this text.
func (r *refresher) fails(task, text string) {
	r.t.Helper()
	_, err := r.h.handle(r.t.Context(), Input{Task: task})
	if err == nil || !strings.Contains(err.Error(), text) {
		r.t.Errorf("%s: got error %v, want %q", task, err, text)
		return
	}
	r.Log.Search(r.t, "an error", err.Error())
}

// presented counts the refreshes of tokens that were issued (R1).
func (r *refresher) presented() int {
	r.t.Helper()
	n := 0
	for _, token := range r.Procore.State().RefreshTokens {
		if token.State == procoretest.Unknown {
			continue // the probe's
		}
		if token.Presented > 1 {
			r.t.Errorf("refresh token %s was presented %d times", token.Fingerprint, token.Presented)
		}
		n += token.Presented
	}
	return n
}

func (r *refresher) wantGeneration(c connections.Connection, want int64) {
	r.t.Helper()
	if got := r.Grant(c.Principal); got.Generation != want {
		r.t.Errorf("%s: got generation %d (%s), want %d", c.Principal, got.Generation, got.State, want)
	}
}

// wantGrant fails the test unless the connection's grant has the state.
func (r *refresher) wantGrant(c connections.Connection, want tokens.State) {
	r.t.Helper()
	if got := r.Grant(c.Principal); got.State != want {
		r.t.Errorf("%s is %s (%s), want %s", c.Principal, got.State, got.Reason, want)
	}
}

// users connects one company by n users, whose ids begin with 5000.
func (r *refresher) users(company int64, n int, webhooks connections.Webhooks) (all []connections.Connection, ids []int64) {
	r.t.Helper()
	for i := range int64(n) {
		ids = append(ids, 5000+i)
		if err := r.Procore.AddUser(procoretest.User{ID: 5000 + i, Login: fmt.Sprintf("user-%d@example.com", i), Name: "A User"}); err != nil {
			r.t.Fatal(err)
		}
	}
	r.members(company, ids...)
	for _, id := range ids {
		all = append(all, r.Connect(company, id, webhooks))
	}
	return all, ids
}

// companies connects n companies by one user; their ids begin with 700.
func (r *refresher) companies(user int64, n int, webhooks connections.Webhooks) (all []connections.Connection) {
	r.t.Helper()
	r.Authorize(user)
	for id := int64(700); id < 700+int64(n); id++ {
		if err := r.Procore.AddCompany(procoretest.NewCompany(id, "One of Many", user)); err != nil {
			r.t.Fatal(err)
		}
		c, err := r.Store().Connect(r.t.Context(), connections.New{
			Key: connections.Key{CompanyID: id, Principal: tokens.User(user)}, CompanyName: "One of Many", UserName: "A User", Webhooks: webhooks,
		})
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// inProcess makes the requests of a client without a network, for a test with many.
type inProcess struct{ server http.Handler }

func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	p.server.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// inProcessClient returns a client of the storage that uses no network.
func inProcessClient(storage http.Handler) *dynamodb.Client {
	return dynamodb.New(dynamotest.Client("http://127.0.0.1:9").Options(), func(o *dynamodb.Options) { o.HTTPClient = inProcess{storage} })
}

func TestUnknownTask(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.fails("dance", `unknown task "dance"`)
	r.fails("", `unknown task ""`)
	_, err := r.h.handle(t.Context(), Input{Task: strings.Repeat("x", 10_000)})
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("the error is %d bytes long", len(err.Error()))
	}
}

// The schedule refreshes grants that are due and in use, not fresh or idle ones.
func TestRefresh(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	due := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	r.Clock.Advance(80 * time.Minute)
	fresh := r.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksOff)
	r.run("refresh")
	r.wantGeneration(due, 2)
	r.wantGeneration(fresh, 1)
	if got := r.presented(); got != 1 {
		t.Errorf("got %d refreshes, want 1", got)
	}
	r.run("refresh")
	r.wantGeneration(due, 2)
	if lines := r.Log.Lines(t, "refresh run finished"); lines[0]["refreshed"] != float64(1) || lines[1]["refreshed"] != float64(0) {
		t.Errorf("logged %v", lines)
	}
	r.wantMetric("RefreshesSucceeded", 1, 1)
	r.wantMetric("RefreshesFailed", 0, 0)
	r.wantMetric("BreakerOpen", 0, 2)
	r.wantMetric("OldestDueSeconds", 0, 2)
}

// A grant whose token could not be refreshed counts as failed although its access
// token is still valid. Its user notices nothing yet, but the operator should.
func TestNotRefreshedWhileTheTokenLives(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	r.Clock.Advance(80 * time.Minute)
	r.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Delay}) // the probe
	r.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Drop})
	r.run("refresh")
	r.wantGrant(c, tokens.Uncertain)
	if _, err := r.Tokens().Token(t.Context(), c.Principal); err != nil {
		t.Errorf("the user notices: %v", err)
	}
	r.Clock.Advance(5 * time.Minute)
	r.run("refresh") // nothing is to be done before the late answer's time is over
	r.wantMetric("RefreshesSucceeded", 0, 0)
	r.wantMetric("RefreshesFailed", 1, 1)
	if got := len(r.Log.Lines(t, "grant not refreshed")); got != 1 {
		t.Errorf("%d lines say that a grant was not refreshed, want 1", got)
	}
	r.Clock.Advance(30 * time.Minute) // no late answer is expected
	r.run("refresh")
	r.wantGrant(c, tokens.Reauthorize)
	r.wantMetric("RefreshesFailed", 2, 2)
}

// wantMetric fails the test unless the metric has this sum, in this many lines.
func (r *refresher) wantMetric(name string, sum float64, lines int) {
	r.t.Helper()
	if s, n := r.Log.Metric(r.t, name); s != sum || n != lines {
		r.t.Errorf("metric %s: got %v in %d lines, want %v in %d", name, s, n, sum, lines)
	}
}

// A grant that is unused for a week is refreshed only once in a month, because
// each refresh is a risk.
func TestRefreshIdle(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	used := r.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksOff)
	r.Clock.Advance(tokens.UsedWithin)
	if _, err := r.Tokens().Token(t.Context(), used.Principal); err != nil {
		t.Fatal(err)
	}
	r.run("refresh")
	r.wantGeneration(c, 2) // its token had expired within the week
	r.wantGeneration(used, 2)
	for _, wait := range []time.Duration{80 * time.Minute, 24 * time.Hour} {
		r.Clock.Advance(wait)
		r.run("refresh")
		r.wantGeneration(c, 2)
	}
	r.wantGeneration(used, 4)
	r.Clock.Advance(tokens.IdleEvery)
	r.run("refresh")
	r.wantGeneration(c, 3)
	r.presented()
}

// A row that cannot be read, or a token that Procore refuses, does not stop the rest.
func TestBadRows(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	dead := r.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksOff)
	good, _ := r.users(procoretest.MyConstruction, 3, connections.WebhooksOff)
	kill := procoretest.Kill
	if err := r.Procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &kill}); err != nil {
		t.Fatal(err)
	}
	r.Pair(procoretest.Ann, "http://127.0.0.1:3000/")
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	for shard := range tokens.Shards {
		for _, grant := range []string{"bad-" + strings.Repeat("x", shard), fmt.Sprint("custom#user#", 100+shard)} {
			_, err := r.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &r.Tables.Grants, Item: map[string]types.AttributeValue{
				"grant": text(grant), "state": text("active"), "generation": text("seven"),
				"due_shard": text(fmt.Sprint("custom#", shard)), "due_at": &types.AttributeValueMemberN{Value: "1"},
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	r.Clock.Advance(2 * time.Hour)
	r.fails("refresh", `row of grant "bad-xxx"`)
	for _, c := range good {
		r.wantGeneration(c, 2)
	}
	r.wantGrant(dead, tokens.Reauthorize)
	lines := r.Log.Lines(t, "grant not refreshed")
	if len(lines) != 1+tokens.Shards || !slices.ContainsFunc(lines, func(l map[string]any) bool { return l["principal"] == string(dead.Principal) }) {
		t.Errorf("logged %v, want those that were not refreshed", lines)
	}
	r.wantMetric("GrantsToReauthorize", 1, 1)
	r.wantMetric("RefreshesFailed", 1+tokens.Shards, 1)
}

// R7: a wrong secret or an outage costs nothing if the probe notices it first.
func TestProbeFirst(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*refresher){
		"wrong secret": func(r *refresher) {
			other := "fake-client-secret-other"
			r.Procore.UpdateOptions(procoretest.OptionsPatch{ClientSecret: &other})
		},
		"503": func(r *refresher) {
			r.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 503, Times: 99})
		},
		"reset": func(r *refresher) {
			r.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Reset, Times: 99})
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRefresher(t)
			c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
			r.Clock.Advance(2 * time.Hour)
			spoil(r)
			r.fails("refresh", "nothing refreshed")
			r.wantMetric("BreakerOpened", 1, 1)
			r.wantMetric("BreakerOpen", 1, 1)
			r.wantMetric("OldestDueSeconds", (2*time.Hour - 90*time.Minute + tokens.Ahead).Seconds(), 1)
			if got := r.presented(); got != 0 {
				t.Errorf("got %d refreshes, want none", got)
			}
			right := "fake-client-secret"
			if err := r.Procore.UpdateOptions(procoretest.OptionsPatch{ClientSecret: &right}); err != nil {
				t.Fatal(err)
			}
			r.Procore.ClearFaults()
			r.run("refresh")
			r.wantGeneration(c, 2)
		})
	}
}

// A new deployment, whose secret is not filled in yet, reports no failure.
func TestBeforeTheSetup(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.Secrets.Put(functiontest.AppSecret, `{"client_id":"FILL-IN","client_secret":"FILL-IN"}`)
	r.run("refresh")
	r.run("housekeeping")
	if got := len(r.Log.Lines(t, "refresh run finished")); got != 1 {
		t.Errorf("%d lines of a run that ended, want 1", got)
	}
	r.wantMetric("BreakerOpen", 0, 1)
}

// A run with too little time left begins nothing.
func TestOutOfTime(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.Clock.Advance(2 * time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), reserve-time.Second)
	defer cancel()
	for _, task := range []string{"refresh", "housekeeping"} {
		if _, err := r.h.handle(ctx, Input{Task: task}); err != nil {
			t.Errorf("%s: %v", task, err)
		}
	}
	r.wantGeneration(c, 1)
	if hooks := r.Procore.State().Hooks; len(hooks) > 0 || r.presented() > 0 {
		t.Errorf("got %d hooks and %d refreshes, want none", len(hooks), r.presented())
	}
}

func TestStorageDown(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.Clock.Advance(2 * time.Hour)
	r.Fault(functiontest.Down)
	r.fails("refresh", "tokens:")
	r.fails("housekeeping", "session:")
	r.Fault(nil)
	if got := r.presented(); got != 0 {
		t.Errorf("got %d refreshes, want none", got)
	}
	r.run("refresh")
	r.run("housekeeping")
	r.wantGeneration(c, 2)
}
