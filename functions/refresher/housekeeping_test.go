package main

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// pending makes an authorization that waits for the choice of a company.
func (r *refresher) pending(user int64) (session.Session, procore.Token) {
	r.t.Helper()
	return r.pendingAt(r.Environment.Name, user)
}

func (r *refresher) pendingAt(environment string, user int64) (session.Session, procore.Token) {
	t, ctx, sessions, redirectURI := r.t, r.t.Context(), r.Sessions(), "http://127.0.0.1:3000/oauth/callback"
	t.Helper()
	st, err := sessions.Begin(ctx, environment, redirectURI)
	if err != nil {
		t.Fatal(err)
	}
	exchanging, _, err := sessions.Consume(ctx, st.State, st.Cookie)
	if err != nil {
		t.Fatal(err)
	}
	pair := r.Pair(user, redirectURI)
	cookie, err := sessions.StorePair(ctx, exchanging, pair)
	if err != nil {
		t.Fatal(err)
	}
	r.Log.Secret(st.State.Reveal(), st.Cookie.Reveal(), cookie.Reveal())
	held, err := sessions.Find(ctx, st.Flow, cookie)
	if err != nil {
		t.Fatal(err)
	}
	return held, pair
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

func (r *refresher) sessions() int {
	r.t.Helper()
	out, err := r.DB.Scan(r.t.Context(), &dynamodb.ScanInput{TableName: &r.Tables.Sessions})
	if err != nil {
		r.t.Fatal(err)
	}
	return len(out.Items)
}

// connect makes the second transaction of a choice.
func (r *refresher) connect(chosen session.Session, pair procore.Token) error {
	_, _, err := r.Store().Connect(r.t.Context(), tokens.Authorization{
		Key: tokens.Key{CompanyID: chosen.CompanyID, Principal: chosen.Principal}, Environment: r.Environment.Name,
		Pair: pair, RedirectURI: chosen.RedirectURI, Webhooks: tokens.WebhooksOff,
	}, r.Sessions().Finish(chosen))
	return err
}

// A pair is revoked if the choice was not completed in time, whether a company was fixed or not.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.pending(procoretest.Joe)
	held, _ := r.pending(procoretest.Ann)
	if _, err := r.Sessions().Choose(t.Context(), held, procoretest.NorthernPlanner, tokens.User(procoretest.Ann)); err != nil {
		t.Fatal(err)
	}
	r.Clock.Advance(session.ChoiceLifetime - time.Minute)
	r.run("housekeeping")
	if r.live() != 2 || r.sessions() != 2 {
		t.Errorf("got %d live pairs in %d sessions before the time was over, want 2 in 2", r.live(), r.sessions())
	}
	r.Clock.Advance(2 * time.Minute)
	r.run("housekeeping")
	if r.live() != 0 || r.sessions() != 0 {
		t.Errorf("got %d live pairs in %d sessions, want none", r.live(), r.sessions())
	}
	if got := len(r.Log.Lines(t, "abandoned authorization revoked")); got != 2 {
		t.Errorf("got %d lines, want 2", got)
	}
	r.run("housekeeping")
	if got := r.Requests("POST /oauth/revoke"); got != 4 {
		t.Errorf("got %d revocations, want 4: each token of each pair once", got)
	}
}

// If Procore returns the pair of the first authorization for a second one, cancelling
// the second one does not end the connection.
func TestAbandonedButHeld(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	mode := procoretest.Return
	if err := r.Procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
		t.Fatal(err)
	}
	r.Connect(procoretest.MyConstruction, procoretest.Joe, tokens.WebhooksOff)
	r.pending(procoretest.Joe)
	r.Clock.Advance(session.ChoiceLifetime + time.Minute)
	r.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: http.StatusServiceUnavailable, Times: 3})
	r.fails("housekeeping", "could not be checked")
	if got := r.sessions(); got != 1 {
		t.Errorf("got %d sessions while Procore is down, want the one that is tried again", got)
	}
	r.run("housekeeping")
	if r.live() != 1 || r.sessions() != 0 {
		t.Errorf("got %d live pairs and %d sessions, want the connection's pair alone", r.live(), r.sessions())
	}
}

// A pair of another environment is neither sent nor kept.
func TestAbandonedElsewhere(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.pendingAt(procore.Sandbox().Name, procoretest.Joe)
	r.Clock.Advance(session.ChoiceLifetime + time.Minute)
	r.run("housekeeping")
	if got := r.Requests("POST /oauth/revoke"); got != 0 || r.sessions() != 0 {
		t.Errorf("got %d revocations and %d sessions, want none", got, r.sessions())
	}
}

// A choice that is under way when the time ends either gets the pair or loses it. It
// never gets a pair that is being revoked.
func TestLateChoice(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (*refresher, session.Session, procore.Token) {
		t.Helper()
		r := newRefresher(t)
		held, pair := r.pending(procoretest.Joe)
		chosen, err := r.Sessions().Choose(t.Context(), held, procoretest.MyConstruction, tokens.User(procoretest.Joe))
		if err != nil {
			t.Fatal(err)
		}
		r.Clock.Advance(session.ChoiceLifetime + time.Second)
		return r, chosen, pair
	}
	t.Run("choice first", func(t *testing.T) {
		t.Parallel()
		r, chosen, pair := begin(t)
		var met atomic.Bool
		r.Fault(func(operation string, body []byte) dynamotest.Fault {
			if operation == "UpdateItem" && strings.Contains(string(body), "abandoned") && !met.Swap(true) {
				if err := r.connect(chosen, pair); err != nil {
					t.Error(err)
				}
			}
			return dynamotest.Fault{}
		})
		r.run("housekeeping")
		if !met.Load() || r.live() != 1 || r.Requests("POST /oauth/revoke") != 0 {
			t.Errorf("got %d live pairs, %d revocations; want the pair to live", r.live(), r.Requests("POST /oauth/revoke"))
		}
		if _, err := r.Store().Token(t.Context(), tokens.Key{CompanyID: chosen.CompanyID, Principal: chosen.Principal}); err != nil {
			t.Error(err)
		}
	})
	t.Run("housekeeping first", func(t *testing.T) {
		t.Parallel()
		r, chosen, pair := begin(t)
		// Revoking fails, so that the choice still finds the session.
		r.ProcoreFails(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Reset, Times: 9})
		r.fails("housekeeping", "not revoked")
		if err := r.connect(chosen, pair); !errors.Is(err, tokens.ErrUsed) {
			t.Errorf("got error %v, want ErrUsed", err)
		}
		r.Procore.ClearFaults()
		r.run("housekeeping")
		if err := r.connect(chosen, pair); !errors.Is(err, tokens.ErrUsed) {
			t.Errorf("got error %v, want ErrUsed", err)
		}
		if r.live() != 0 || r.sessions() != 0 {
			t.Errorf("got %d live pairs in %d sessions, want none", r.live(), r.sessions())
		}
	})
}

// A revocation that failed is retried, and does not stop the rest.
func TestRevocationFails(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.pending(procoretest.Joe)
	r.pending(procoretest.Ann)
	c := r.Connect(procoretest.MyConstruction, procoretest.Joe, tokens.WebhooksPending)
	r.Clock.Advance(session.ChoiceLifetime + time.Second)
	r.ProcoreFails(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Status, Status: 503})
	r.fails("housekeeping", "not revoked")
	if r.live() != 2 || r.sessions() != 1 { // one of the two, and the connection's
		t.Errorf("got %d live pairs and %d sessions, want 2 and 1", r.live(), r.sessions())
	}
	if got := r.Connection(c.Key).Webhooks; got != tokens.WebhooksActive {
		t.Errorf("the webhook is %s: it was kept from its turn", got)
	}
	r.run("housekeeping")
	if r.live() != 1 || r.sessions() != 0 {
		t.Errorf("got %d live pairs and %d sessions, want 1 and none", r.live(), r.sessions())
	}
}

// If a run dies between abandoning and revoking, the next one continues.
func TestRunDied(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	held, _ := r.pending(procoretest.Joe)
	r.Clock.Advance(session.ChoiceLifetime + time.Second)
	if _, err := r.Sessions().Abandon(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	r.run("housekeeping")
	if r.live() != 0 || r.sessions() != 0 {
		t.Errorf("got %d live pairs in %d sessions, want none", r.live(), r.sessions())
	}
}
