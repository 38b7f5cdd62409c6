package handler

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// authorized makes a session with a pair, whose browser does not come back.
func (r *refresher) authorized(user int64) session.Session {
	r.t.Helper()
	return r.authorizedIn(r.Sessions(), user)
}

func (r *refresher) authorizedIn(sessions *session.Store, user int64) session.Session {
	t, ctx := r.t, r.t.Context()
	t.Helper()
	st, err := sessions.Begin(ctx, session.Opening{RedirectURI: functiontest.RedirectURI})
	if err != nil {
		t.Fatal(err)
	}
	exchanging, _, err := sessions.Consume(ctx, st.State, st.Cookie)
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := sessions.StorePair(ctx, exchanging, procore.NewSecret("a-code"), r.Pair(user, functiontest.RedirectURI))
	if err != nil {
		t.Fatal(err)
	}
	r.Log.Secret(st.State.Reveal(), st.Cookie.Reveal(), cookie.Reveal())
	s, err := sessions.Find(ctx, st.Flow, cookie)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// chosen makes a session in which the user has chosen a company.
func (r *refresher) chosen(user, company int64) session.Session {
	r.t.Helper()
	s, err := r.h.sessions.Move(r.t.Context(), r.authorized(user))
	if err == nil {
		s, err = r.Sessions().Choose(r.t.Context(), s, company)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// connect makes the last transaction of a choice.
func (r *refresher) connect(chosen session.Session) error {
	_, err := r.Store().Connect(r.t.Context(), connections.New{
		Key: connections.Key{CompanyID: chosen.CompanyID, Principal: chosen.Principal}, Webhooks: connections.WebhooksOff,
	}, r.Sessions().Finish(chosen))
	return err
}

// live counts the pairs that Procore still accepts.
func (r *refresher) live() int {
	n := 0
	for _, token := range r.Procore.State().RefreshTokens {
		if token.State == procoretest.Live {
			n++
		}
	}
	return n
}

// pairs counts the sessions with a pair.
func (r *refresher) pairs() (n int) {
	r.t.Helper()
	out, err := r.DB.Scan(r.t.Context(), &dynamodb.ScanInput{TableName: &r.Tables.Sessions})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, item := range out.Items {
		if item["sealed"] != nil {
			n++
		}
	}
	return n
}

// authorizeIn sets what Procore does with a user's earlier pair.
func (r *refresher) authorizeIn(mode procoretest.SecondAuthorization) {
	r.t.Helper()
	if err := r.Procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
		r.t.Fatal(err)
	}
}

// A grant is revoked if no company was connected by it in time, whether one was chosen or
// the browser did not come back at all. Then its pair is moved first.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.authorized(procoretest.Joe)
	r.chosen(procoretest.Ann, procoretest.NorthernPlanner)
	r.Clock.Advance(4 * time.Minute)
	r.run("housekeeping")
	if got := r.pairs(); got != 1 {
		t.Errorf("%d sessions have a pair before the time is over, want 1", got)
	}
	r.Clock.Advance(2 * time.Minute)
	r.run("housekeeping")
	if r.live() != 2 || r.pairs() != 0 {
		t.Errorf("got %d live pairs, and %d in sessions; want 2 and none", r.live(), r.pairs())
	}
	if lines := r.Log.Lines(t, "authorization moved to its grant"); len(lines) != 1 || lines[0]["principal"] != string(tokens.User(procoretest.Joe)) {
		t.Errorf("logged %v, want Joe's", lines)
	}
	r.Clock.Advance(tokens.UnheldFor - 5*time.Minute)
	r.run("housekeeping") // Ann's time is over
	if r.live() != 1 || r.Grant(tokens.User(procoretest.Ann)).State != tokens.Revoked {
		t.Errorf("got %d live pairs, want Joe's", r.live())
	}
	r.Clock.Advance(6 * time.Minute)
	r.run("housekeeping")
	if r.live() != 0 || r.Grant(tokens.User(procoretest.Joe)).State != tokens.Revoked {
		t.Errorf("got %d live pairs, want none", r.live())
	}
	r.run("housekeeping")
	if got := r.Requests("POST /oauth/revoke"); got != 4 {
		t.Errorf("got %d revocations, want 4: each token of each pair once", got)
	}
	r.presented()
}

// Whatever Procore does with the first pair of a user, an abandoned second authorization
// does not end the connection, also if Procore does not answer for a while.
func TestAbandonedButHeld(t *testing.T) {
	t.Parallel()
	for _, mode := range []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Kill, procoretest.Return} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			r := newRefresher(t)
			r.authorizeIn(mode)
			c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
			r.authorized(procoretest.Joe)
			r.Clock.Advance(6 * time.Minute)
			r.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: http.StatusServiceUnavailable, Times: 3})
			r.fails("housekeeping", "authorization not moved")
			if got := r.pairs(); got != 1 {
				t.Errorf("%d sessions have a pair while Procore is down, want the one that is tried again", got)
			}
			r.Procore.ClearFaults()
			for range 4 {
				r.run("housekeeping")
				r.Clock.Advance(tokens.UnheldFor)
			}
			if got := r.pairs(); got != 0 || r.Requests("POST /oauth/revoke") != 0 {
				t.Errorf("%d sessions have a pair after %d revocations, want none", got, r.Requests("POST /oauth/revoke"))
			}
			r.wantGrant(c, tokens.Active)
			if _, err := r.Store().Client(c.Key).Me(t.Context()); err != nil {
				t.Error(err)
			}
			r.presented()
		})
	}
}

// In an outage users try again and again. A run asks Procore about three of their authorizations, and the first run after
// it about all.
func TestAbandonedInAnOutage(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.authorizeIn(procoretest.Return)
	for range 8 {
		r.authorized(procoretest.Joe)
	}
	r.Clock.Advance(6 * time.Minute)
	r.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: http.StatusServiceUnavailable, Times: 100})
	before := r.Requests("GET /rest/v1.0/me")
	r.fails("housekeeping", "authorization not moved")
	if got := r.Requests("GET /rest/v1.0/me") - before; got != 3*3 || r.pairs() != 8 {
		t.Errorf("%d calls, and %d sessions have a pair; want three attempts for each of three, and 8", got, r.pairs())
	}
	r.Procore.ClearFaults()
	r.run("housekeeping")
	if got := r.pairs(); got != 0 {
		t.Errorf("%d sessions have a pair after the outage, want none", got)
	}
}

// Each of those that wait is the first one of a run, and each run has all.
func TestInTurn(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 8, 1, 0, 0, time.UTC)
	for n := range 12 {
		var all, first []int
		for i := range n {
			all = append(all, i)
		}
		for run := range n {
			turn := inTurn(all, at.Add(time.Duration(run)*5*time.Minute))
			first = append(first, turn[0])
			if slices.Sort(turn); !slices.Equal(turn, all) {
				t.Errorf("a run has %v of %d", turn, n)
			}
		}
		if slices.Sort(first); !slices.Equal(first, all) {
			t.Errorf("the first ones of %d runs are %v", n, first)
		}
	}
	if got := inTurn([]int(nil), at); len(got) != 0 {
		t.Errorf("of none: %v", got)
	}
}

// A pair of another environment is not sent, and not kept for longer than a mistake may last.
func TestAbandonedElsewhere(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	elsewhere := r.Sessions()
	elsewhere.OAuth = secrettest.Constant(&procore.OAuth{Environment: procore.Sandbox(), ClientID: "fake-client-id"})
	r.authorizedIn(elsewhere, procoretest.Joe)
	r.Clock.Advance(2 * time.Hour)
	before := r.Requests("")
	r.run("housekeeping")
	if got := r.Requests("") - before; got != 0 || r.pairs() != 0 {
		t.Errorf("got %d requests and %d pairs, want none", got, r.pairs())
	}
	if lines := r.Log.Lines(t, "authorization abandoned"); len(lines) != 1 || lines[0]["reason"] != string(session.Dead) {
		t.Errorf("logged %v", lines)
	}
}

// A choice that is under way when the time of its grant ends either keeps the grant or
// loses it. It never connects a company by a grant that is being revoked.
func TestLateChoice(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (*refresher, session.Session) {
		t.Helper()
		r := newRefresher(t)
		chosen := r.chosen(procoretest.Joe, procoretest.MyConstruction)
		r.Clock.Advance(tokens.UnheldFor + time.Second)
		return r, chosen
	}
	t.Run("choice first", func(t *testing.T) {
		t.Parallel()
		r, chosen := begin(t)
		met := r.once("TransactWriteItems", "revoke-", func() {
			if err := r.connect(chosen); err != nil {
				t.Error(err)
			}
		})
		r.run("housekeeping")
		if !*met || r.live() != 1 || r.Requests("POST /oauth/revoke") != 0 {
			t.Errorf("got %d live pairs, %d revocations; want the pair to live", r.live(), r.Requests("POST /oauth/revoke"))
		}
		if _, err := r.Store().Client(connections.Key{CompanyID: chosen.CompanyID, Principal: chosen.Principal}).Me(t.Context()); err != nil {
			t.Error(err)
		}
		r.Clock.Advance(tokens.UnheldFor)
		r.run("housekeeping")
		if got := r.live(); got != 1 {
			t.Errorf("got %d live pairs later, want the grant that has a holder", got)
		}
	})
	t.Run("housekeeping first", func(t *testing.T) {
		t.Parallel()
		r, chosen := begin(t)
		failed := make(chan error, 1)
		met := r.once("UpdateItem", "no company is connected by it", func() { // the revocation's last write
			go func() { failed <- r.connect(chosen) }()
		})
		r.run("housekeeping")
		if err := <-failed; !*met || !errors.Is(err, tokens.ErrRevoked) {
			t.Errorf("got error %v, want ErrRevoked", err)
		}
		if err := r.connect(chosen); !errors.Is(err, tokens.ErrRevoked) {
			t.Errorf("got error %v, want ErrRevoked", err)
		}
		if _, err := r.Store().Connection(t.Context(), connections.Key{CompanyID: chosen.CompanyID, Principal: chosen.Principal}); !errors.Is(err, connections.ErrNotFound) || r.live() != 0 {
			t.Errorf("got %v, and %d live pairs; want no connection and none", err, r.live())
		}
	})
}

// once runs f before the first operation of this kind with the text. It reports whether
// there was one.
func (r *refresher) once(operation, text string, f func()) *bool {
	met := new(bool)
	r.Fault(func(op string, body []byte) dynamotest.Fault {
		if op == operation && strings.Contains(string(body), text) && !*met {
			*met = true
			f()
		}
		return dynamotest.Fault{}
	})
	return met
}

// A user who authorizes again in another tab has thirty minutes from then on.
func TestAnotherTab(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.chosen(procoretest.Joe, procoretest.MyConstruction)
	r.Clock.Advance(tokens.UnheldFor - time.Minute)
	second := r.chosen(procoretest.Joe, procoretest.HarborHill)
	r.Clock.Advance(tokens.UnheldFor - time.Minute)
	r.run("housekeeping")
	if err := r.connect(second); err != nil {
		t.Error(err)
	}
	if got := r.Requests("POST /oauth/revoke"); got != 0 {
		t.Errorf("got %d revocations, want none", got)
	}
}

// A revocation that failed is retried, and does not stop the rest.
func TestRevocationFails(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.chosen(procoretest.Max, procoretest.MyConstruction)
	r.chosen(procoretest.Ann, procoretest.NorthernPlanner)
	r.Clock.Advance(tokens.UnheldFor + time.Second)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.ProcoreFails(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Status, Status: 503})
	r.fails("housekeeping", "not revoked")
	if got := r.live(); got != 2 { // one of the two, and the connection's
		t.Errorf("got %d live pairs, want 2", got)
	}
	if got := r.Connection(c.Key).Webhooks; got != connections.WebhooksActive {
		t.Errorf("the webhook is %s: it was kept from its turn", got)
	}
	r.run("housekeeping")
	if got := r.live(); got != 1 {
		t.Errorf("got %d live pairs, want the connection's", got)
	}
}

// If a run dies during a revocation, the next one continues when its claim is over.
func TestRunDied(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.chosen(procoretest.Joe, procoretest.MyConstruction)
	r.Clock.Advance(tokens.UnheldFor + time.Second)
	r.Fault(func(operation string, body []byte) dynamotest.Fault {
		if operation == "UpdateItem" { // all writes after the claim
			return functiontest.Down(operation, body)
		}
		return dynamotest.Fault{}
	})
	r.ProcoreFails(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Status, Status: 503})
	r.fails("housekeeping", "not revoked")
	r.Fault(nil)
	if got := r.live(); got != 1 {
		t.Fatalf("got %d live pairs, want the one whose revocation was begun", got)
	}
	r.Clock.Advance(time.Minute)
	r.run("housekeeping")
	if got := r.live(); got != 0 || r.Grant(tokens.User(procoretest.Joe)).State != tokens.Revoked {
		t.Errorf("got %d live pairs, want none", got)
	}
}

// After thirty days a disconnected connection ends, and its grant with the last one.
func TestDisconnectedExpires(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	other := r.Connect(procoretest.HarborHill, procoretest.Joe, connections.WebhooksOff)
	if err := r.h.store.Disconnect(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r.during(29*24*time.Hour, 12*time.Hour)
	r.wantState(c, connections.Disconnected)
	r.during(2*24*time.Hour, 12*time.Hour)
	r.wantState(c, connections.Ended)
	r.wantState(other, connections.Connected)
	r.wantGrant(c, tokens.Active)
	if err := r.h.store.Disconnect(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	r.during(31*24*time.Hour, 12*time.Hour)
	r.wantState(other, connections.Ended)
	r.wantGrant(c, tokens.Revoked)
	if got := r.live(); got > 1 { // the first authorization's pair was replaced, and not revoked
		t.Errorf("got %d live pairs, want one at most", got)
	}
}

// Each run leaves heartbeats for the dispatcher and the announcer, and one line with how far behind the checks are.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksPending)
	r.Clock.Advance(time.Hour)
	short, cancel := context.WithTimeout(t.Context(), reserve-time.Second) // so that the first run checks nothing
	defer cancel()
	for _, ctx := range []context.Context{short, t.Context()} {
		if _, err := r.h.handle(ctx, Input{Task: "housekeeping"}); err != nil {
			t.Error(err)
		}
		r.Clock.Advance(time.Minute)
	}
	beats, err := r.DB.Query(t.Context(), new(dynamo.Expression).Equal("resource", dynamo.Text(inbox.Heartbeat)).Query(r.Tables.Inbox, ""))
	if err != nil || len(beats.Items) != 2 {
		t.Fatalf("%d heartbeats, error %v, want one of each run", len(beats.Items), err)
	}
	for _, i := range beats.Items {
		if i["received_at_ms"] == nil || i["ttl"] == nil || i["envelope"] != nil || i["company_id"] != nil {
			t.Errorf("heartbeat %v: it is an event, or would stay", i)
		}
	}
	for table, key := range map[string]dynamo.Item{
		r.Tables.Grants: {"grant": dynamo.Text("custom#heartbeat")}, r.Tables.Connections: r.h.store.Row("heartbeat", "heartbeat"),
	} {
		if beat, err := dynamo.Get(t.Context(), r.DB, table, key); err != nil || beat["beat_at_ms"] == nil || len(beat) != len(key)+1 {
			t.Errorf("heartbeat of %s: %v, %v", table, beat, err)
		}
	}
	lines := r.Log.Lines(t, "housekeeping run finished")
	if len(lines) != 2 || lines[0]["oldest_check_s"] != 3600.0 || lines[0]["oldest_first_s"] != 3600.0 || lines[1]["oldest_check_s"] != 0.0 {
		t.Errorf("lines %v, want an hour and then nothing", lines)
	}
}

// The line is the schedule's heartbeat, so a run that fails has it too. Without the table it would be a guess.
func TestHeartbeatOfAFailedRun(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.Fault(func(operation string, body []byte) dynamotest.Fault {
		if operation == "PutItem" {
			return functiontest.Down(operation, body)
		}
		return dynamotest.Fault{}
	})
	r.fails("housekeeping", "heartbeat not written")
	if n := len(r.Log.Lines(t, "housekeeping run finished")); n != 1 {
		t.Errorf("%d lines, want one", n)
	}
	r.Fault(functiontest.Down)
	r.fails("housekeeping", "heartbeat not written")
	if n := len(r.Log.Lines(t, "housekeeping run finished")); n != 1 {
		t.Errorf("%d lines, want no other without the table", n)
	}
}
