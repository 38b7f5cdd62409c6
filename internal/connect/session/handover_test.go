package session

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// second sets what Procore does at a user's second authorization.
func (w *world) second(mode procoretest.SecondAuthorization) {
	w.t.Helper()
	if err := w.procore.UpdateOptions(procoretest.OptionsPatch{SecondAuthorization: &mode}); err != nil {
		w.t.Fatal(err)
	}
}

// fails adds a fault of Procore.
func (w *world) fails(f procoretest.Fault) {
	w.t.Helper()
	if err := w.procore.Fault(f); err != nil {
		w.t.Fatal(err)
	}
}

// wantRefreshTokens checks the states of the refresh tokens that Procore issued.
func (w *world) wantRefreshTokens(want ...string) {
	w.t.Helper()
	var got []string
	for _, r := range w.procore.State().RefreshTokens {
		got = append(got, r.State)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		w.t.Errorf("refresh tokens (-got +want):\n%s", diff)
	}
}

// refresh refreshes the user's grant.
func (w *world) refresh() error {
	_, err := w.Tokens.Upkeep().Refresh(w.t.Context(), tokens.User(w.user), 2*time.Hour)
	return err
}

// Whatever keeps Procore from describing the user, for however long, the pair stays, is not
// revoked, and is moved later.
func TestMoveWhileProcoreFails(t *testing.T) {
	t.Parallel()
	wait := map[string]string{"Retry-After": "3600"} // so long that the client does not wait
	for _, f := range []procoretest.Fault{
		{Kind: procoretest.Reset},
		{Kind: procoretest.Drop},
		{Kind: procoretest.Status, Status: 500, Headers: wait},
		{Kind: procoretest.Status, Status: 503, Headers: wait},
		{Kind: procoretest.Status, Status: 429, Headers: wait},
		{Kind: procoretest.Status, Status: 403},
		{Kind: procoretest.Status, Status: 404},
		{Kind: procoretest.Status, Status: 302, Headers: map[string]string{"Location": "https://elsewhere.example/"}},
		{Kind: procoretest.Status, Status: 200, Body: "<html>maintenance</html>"},
		{Kind: procoretest.Status, Status: 200, Body: `{"login":"joe"}`},
	} {
		t.Run(f.Kind+" "+strconv.Itoa(f.Status), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s, cookie := w.authorized()
			before := w.item(s.Flow)
			f.Endpoint, f.Times = "/rest/v1.0/me", 1000
			w.fails(f)
			for range 2 {
				got, err := w.Move(t.Context(), s)
				if !errors.Is(err, ErrProcore) || errors.Is(err, ErrEnded) || got.Status != Authorized {
					t.Errorf("Move = %s, %v, want ErrProcore", got.Status, err)
				}
				w.clock.Advance(10 * time.Minute)
			}
			if diff := cmp.Diff(plain(before), plain(w.item(s.Flow))); diff != "" {
				t.Errorf("the session changed:\n%s", diff)
			}
			w.wantRefreshTokens(procoretest.Live)
			w.procore.ClearFaults()
			if got := w.move(w.find(s.Flow, cookie)); got.Status != Pending || got.Principal != joe {
				t.Errorf("moved = %s of %q", got.Status, got.Principal)
			}
			if err := w.refresh(); err != nil {
				t.Errorf("the grant does not work: %v", err)
			}
		})
	}
}

// A pair that Procore no longer accepts is dropped: it is not revoked, and the grant that
// Procore has given another pair remains as it is.
func TestMoveDead(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world){
		"a later authorization": func(w *world) { w.second(procoretest.Kill); w.pending() },
		"the time":              func(w *world) { w.clock.Advance(2 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s, _ := w.authorized()
			end(w)
			revoked := w.procore.State().RefreshTokens
			grant, _ := w.Tokens.Grant(t.Context(), joe)
			for range 2 {
				got, err := w.Move(t.Context(), s)
				if !errors.Is(err, ErrEnded) || errors.Is(err, ErrCanceled) || errors.Is(err, ErrStale) || got.Status != Abandoned || got.Reason != Dead {
					t.Errorf("Move = %s, %s, %v, want it abandoned as dead", got.Status, got.Reason, err)
				}
			}
			w.wants(s.Flow, Abandoned, true, false, false)
			if diff := cmp.Diff(w.procore.State().RefreshTokens, revoked); diff != "" {
				t.Errorf("refresh tokens (-got +want):\n%s", diff)
			}
			if again, _ := w.Tokens.Grant(t.Context(), joe); again.Rev != grant.Rev {
				t.Errorf("the grant has revision %d, want %d", again.Rev, grant.Rev)
			}
		})
	}
}

// The browser, another tab and housekeeping move one pair at the same time: once.
func TestMoveOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, cookie := w.authorized()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if got, err := w.Move(t.Context(), s); err != nil || got.Status != Pending || got.Principal != joe || got.UserName != "Joe Builder" {
				t.Errorf("Move = %s of %q, %v, want pending", got.Status, got.Principal, err)
			}
		})
	}
	all.Wait()
	if g := w.grant(joe); g.Generation != 1 || g.Rev != 1 {
		t.Errorf("the grant has generation %d, revision %d, want 1 and 1", g.Generation, g.Rev)
	}
	w.wants(s.Flow, Pending, true, false, false)
	w.find(s.Flow, cookie)
}

// A session that was read before another process moved it, and before its user went on, is
// returned as it is now.
func TestMoveLate(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	s, cookie := w.authorized()
	chosen, err := w.Choose(ctx, w.move(s), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := w.Move(ctx, s); err != nil || got.Status != Chosen || got.CompanyID != 1 {
		t.Errorf("Move of a chosen session = %s, %v", got.Status, err)
	}
	if got, err := w.Move(ctx, chosen); err != nil || got.Status != Chosen {
		t.Errorf("Move without a pair = %s, %v", got.Status, err)
	}
	if err := w.finish(chosen); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Move(ctx, s); err != nil || got.Status != Connected {
		t.Errorf("Move of a connected session = %s, %v", got.Status, err)
	}
	w.find(s.Flow, cookie)
	canceled, _ := w.authorized()
	if err := w.Cancel(ctx, w.move(canceled)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Move(ctx, canceled); !errors.Is(err, ErrCanceled) {
		t.Errorf("Move of a canceled session: %v, want ErrCanceled", err)
	}
	if g := w.grant(joe); g.State != tokens.Active {
		t.Errorf("the grant is %s", g.State)
	}
	gone, _ := w.authorized()
	if err := dynamo.Write(ctx, w.Store.DB, new(dynamo.Expression).Delete(w.Table, rowKey(gone.Flow))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Move(ctx, gone); !errors.Is(err, ErrUnknown) {
		t.Errorf("Move of a session that is gone: %v, want ErrUnknown", err)
	}
}

// Whichever write of a move fails, or loses its answer, the pair is moved in the end.
func TestMoveStorageFails(t *testing.T) {
	t.Parallel()
	for _, fault := range []dynamotest.Fault{
		{Code: "InternalServerError"}, {Code: "ThrottlingException"}, {Drop: true}, {Drop: true, Applied: true},
		{Reasons: []string{"TransactionConflict", "None", "None"}}, {Reasons: []string{"None", "TransactionConflict", "None"}},
	} {
		w := newWorld(t)
		s, cookie := w.authorized()
		w.dynamo.Intercept(dynamotest.Nth(1, "TransactWriteItems", fault))
		if got, err := w.Move(t.Context(), s); err == nil && got.Status != Pending || errors.Is(err, ErrEnded) {
			t.Errorf("%+v: Move = %s, %v", fault, got.Status, err)
		}
		w.dynamo.Intercept(nil)
		w.move(w.find(s.Flow, cookie))
		if g := w.grant(joe); g.Generation != 1 || w.status(s.Flow) != Pending {
			t.Errorf("%+v: generation %d, and the session is %s", fault, g.Generation, w.status(s.Flow))
		}
		w.wantRefreshTokens(procoretest.Live)
	}
}

// doubtful makes a grant of the user whose refresh token was sent, and whose request never
// reached Procore, which goes on returning the pair.
func (w *world) doubtful() {
	w.t.Helper()
	w.second(procoretest.Return)
	w.pending()
	w.fails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Reset})
	if err := w.refresh(); err != nil { // the access token is valid
		w.t.Fatal(err)
	}
	if g := w.grant(tokens.User(w.user)); g.State != tokens.Uncertain {
		w.t.Fatalf("the grant is %s, want uncertain", g.State)
	}
}

// A pair whose refresh token was sent before is revoked, and the user authorizes once more:
// Procore then issues another pair. Without the revocation it would return the same one for
// ever.
func TestMoveStale(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	w.doubtful()
	s, _ := w.authorized()
	w.wantRefreshTokens(procoretest.Live) // the same pair

	w.fails(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Reset})
	if got, err := w.Move(ctx, s); err == nil || errors.Is(err, ErrEnded) || got.Status != Authorized {
		t.Errorf("not revoked: Move = %s, %v", got.Status, err)
	}
	w.wants(s.Flow, Authorized, false, true, true)

	for range 2 {
		got, err := w.Move(ctx, s)
		if !errors.Is(err, ErrStale) || !errors.Is(err, ErrEnded) || !errors.Is(err, tokens.ErrStale) || got.Status != Abandoned || got.Reason != Stale {
			t.Errorf("Move = %s, %s, %v, want it abandoned as stale", got.Status, got.Reason, err)
		}
	}
	w.wants(s.Flow, Abandoned, true, false, false)
	w.wantRefreshTokens(procoretest.Revoked)

	again, _ := w.authorized()
	w.move(again)
	if g := w.grant(joe); g.State != tokens.Active || g.Generation != 2 {
		t.Errorf("the grant is %s, generation %d, want active, 2", g.State, g.Generation)
	}
	if err := w.refresh(); err != nil {
		t.Errorf("the grant does not work: %v", err)
	}
}

// midRefresh refreshes the user's grant, and calls other when the refresh token has been
// claimed and, unless the fault prevents it, sent: just before the outcome is stored.
func (w *world) midRefresh(other func()) error {
	w.t.Helper()
	w.dynamo.Intercept(func(operation string, _ []byte) (f dynamotest.Fault) {
		if operation == "UpdateItem" {
			w.dynamo.Intercept(nil)
			other()
		}
		return f
	})
	return w.refresh()
}

// The user authorizes while the grant's very token is being spent, and Procore returns the
// same pair. The move waits for the outcome.
func TestMoveWhileThePairIsSpent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault procoretest.Fault // of the refresh; none: success
		err   error             // of the move
		after string            // state of the refresh token
	}{
		{"success", procoretest.Fault{}, nil, procoretest.Spent},
		{"refusal", procoretest.Fault{Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`}, ErrStale, procoretest.Spent},
		{"no answer", procoretest.Fault{Kind: procoretest.Reset}, ErrStale, procoretest.Revoked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.second(procoretest.Return)
			w.pending()
			s, _ := w.authorized() // the same pair
			if tt.fault.Kind != "" {
				tt.fault.Endpoint = "token"
				w.fails(tt.fault)
			}
			moved := make(chan error, 1)
			waits := make(chan struct{})
			_ = w.midRefresh(func() {
				go func() {
					_, err := w.Move(t.Context(), s)
					moved <- err
				}()
				var n atomic.Int64
				w.dynamo.Intercept(func(operation string, _ []byte) (f dynamotest.Fault) {
					if operation == "GetItem" && n.Add(1) == 3 {
						close(waits) // the move reads the grant again and again
					}
					return f
				})
				<-waits
				w.dynamo.Intercept(nil)
			})
			if err := <-moved; !errors.Is(err, tt.err) || tt.err == nil && err != nil {
				t.Errorf("Move: %v, want %v", err, tt.err)
			}
			if got := w.procore.State().RefreshTokens[0]; got.State != tt.after || got.Presented != 1 {
				t.Errorf("the refresh token is %s, presented %d times, want %s, 1", got.State, got.Presented, tt.after)
			}
			if tt.err != nil { // once more
				again, _ := w.authorized()
				w.move(again)
			}
			if g := w.grant(joe); g.State != tokens.Active || g.Generation != 2 {
				t.Errorf("the grant is %s, generation %d, want active, 2", g.State, g.Generation)
			}
			if err := w.refresh(); err != nil {
				t.Errorf("the grant does not work: %v", err)
			}
		})
	}
}

// The process that is spending the token hangs, and its claim expires. Nothing is known of
// the pair. What that process stores later changes nothing.
func TestMoveWhileTheSpenderHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.second(procoretest.Return)
	w.pending()
	s, _ := w.authorized() // the same pair
	w.fails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Reset})
	_ = w.midRefresh(func() {
		w.clock.Advance(time.Minute)
		if _, err := w.Move(t.Context(), s); !errors.Is(err, ErrStale) {
			t.Errorf("Move: %v, want ErrStale", err)
		}
		again, _ := w.authorized()
		w.move(again)
	})
	if err := w.refresh(); err != nil || w.grant(joe).State != tokens.Active {
		t.Errorf("the grant is %s, %v", w.grant(joe).State, err)
	}
	w.wantRefreshTokens(procoretest.Revoked, procoretest.Spent, procoretest.Live)
}

// In each mode of a second authorization the grant has a pair that works, whichever of two
// browsers comes back first.
func TestMoveTwoBrowsers(t *testing.T) {
	t.Parallel()
	for _, mode := range []procoretest.SecondAuthorization{procoretest.Keep, procoretest.Kill, procoretest.Return} {
		for _, apart := range []time.Duration{0, time.Minute} {
			for name, order := range map[string][2]int{"in order": {0, 1}, "the later one first": {1, 0}} {
				t.Run(string(mode)+" "+apart.String()+" "+name, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					w.second(mode)
					first, _ := w.authorized()
					w.clock.Advance(apart)
					second, _ := w.authorized()
					sessions := [2]Session{first, second}
					for _, i := range order {
						got, err := w.Move(t.Context(), sessions[i])
						if dead := mode == procoretest.Kill && i == 0; dead != errors.Is(err, ErrEnded) || !dead && (err != nil || got.Status != Pending) {
							t.Errorf("browser %d: Move = %s, %v", i+1, got.Status, err)
						}
					}
					a, err := w.Tokens.Current(t.Context(), joe)
					if err != nil {
						t.Fatal(err)
					}
					client := procore.NewUserClient(w.Tokens.Environment, w.Tokens.Bearer(a.Bearer()))
					if _, err := client.Me(t.Context()); err != nil {
						t.Errorf("the grant's access token: %v", err)
					}
					if err := w.refresh(); err != nil {
						t.Errorf("the grant's refresh token: %v", err)
					}
					revoked := slices.ContainsFunc(w.procore.State().RefreshTokens, func(r procoretest.RefreshToken) bool { return r.State == procoretest.Revoked })
					if revoked != (mode == procoretest.Kill) {
						t.Error("a pair was revoked")
					}
				})
			}
		}
	}
}

// After a change of the environment or the client id, the sessions from before are unknown, and Procore would not accept
// their pairs from this app: nothing is sent to it. Housekeeping keeps them while they may be of use, should the change be a
// mistake. Then it drops them.
func TestOtherConfiguration(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*procore.OAuth){
		"environment": func(o *procore.OAuth) { o.Environment.Name = "production" },
		"client id":   func(o *procore.OAuth) { o.ClientID = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, ctx := newWorld(t), t.Context()
			st := w.begin()
			authorized, cookie := w.authorized()
			pending, other := w.pending()
			calls := len(w.procore.State().Calls)
			changed := *w.oauth
			change(&changed)
			w.oauth = &changed
			if _, verifier, err := w.Consume(ctx, st.State, st.Cookie); !errors.Is(err, ErrUnknown) || !verifier.IsZero() {
				t.Errorf("Consume: %v, want ErrUnknown", err)
			}
			if _, err := w.Find(ctx, authorized.Flow, cookie); !errors.Is(err, ErrUnknown) {
				t.Errorf("Find with a pair: %v, want ErrUnknown", err)
			}
			if _, err := w.Find(ctx, pending.Flow, other); !errors.Is(err, ErrUnknown) {
				t.Errorf("Find: %v, want ErrUnknown", err)
			}
			moves := func(d time.Duration, status Status, reason Reason, want error) {
				t.Helper()
				w.clock.Advance(d)
				for s, err := range w.Stale(ctx) {
					if err != nil {
						t.Fatal(err)
					}
					if got, err := w.Move(ctx, s); !errors.Is(err, want) || got.Status != status || got.Reason != reason {
						t.Errorf("Move = %s, %s, %v, want %s", got.Status, got.Reason, err, status)
					}
				}
			}
			moves(moveAfter+time.Second, Authorized, "", errOther)
			w.wants(authorized.Flow, Authorized, false, true, true)
			moves(accessLife, Abandoned, Dead, ErrEnded)
			w.wants(authorized.Flow, Abandoned, true, false, false)
			if got := len(w.procore.State().Calls); got != calls {
				t.Errorf("got %d calls to Procore", got-calls)
			}
			w.wantRefreshTokens(procoretest.Live, procoretest.Live)
			w.begin()
		})
	}
}

// Another app's secret, stored by mistake, costs no pair if it is put right while Procore accepts the pair.
func TestOtherSecretByMistake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, _ := w.authorized()
	right, wrong := w.oauth, *w.oauth
	wrong.ClientID = "another"
	w.oauth = &wrong
	if got, err := w.Move(t.Context(), s); !errors.Is(err, errOther) || got.Status != Authorized {
		t.Fatalf("Move = %s, %v, want the pair kept", got.Status, err)
	}
	w.oauth = right
	if got, err := w.Move(t.Context(), s); err != nil || got.Status != Pending {
		t.Fatalf("Move = %s, %v, want it moved", got.Status, err)
	}
	w.wantRefreshTokens(procoretest.Live)
}
