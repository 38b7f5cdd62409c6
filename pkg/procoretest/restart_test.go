package procoretest

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// crash returns a server on what a crash would leave of another.
func crash(t *testing.T, m *memory, o Options) (*memory, *Server) {
	t.Helper()
	next := newMemory(m.synced())
	return next, startOn(t, next, o)
}

// A refresh token that was presented stays presented, whatever became of the answer.
func TestPresentedSurvives(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{"": Spent, Drop: Spent, Delay: Spent, Status: Spent, Reset: Live} {
		m := newMemory(nil)
		p := startOn(t, m, Options{})
		pair := p.Token(t, Joe, redirect)
		if kind != "" {
			if err := p.Fault(Fault{Endpoint: "token", Kind: kind, Status: 503, DelayMS: 1}); err != nil {
				t.Fatal(err)
			}
		}
		send(t, tokenRequest(t, p, credentials("grant_type", "refresh_token", "refresh_token", pair.RefreshToken)))
		_, again := crash(t, m, Options{})
		got := again.State().RefreshTokens[0]
		if got.Fingerprint != Fingerprint(pair.RefreshToken) || got.Presented != 1 || got.State != want {
			t.Errorf("fault %q: %+v after a restart, want it presented once and %s", kind, got, want)
		}
		if want == Spent {
			refresh(t, again, pair.RefreshToken).wants(t, 400, "invalid_grant")
		}
	}
}

// So it does if the client does not wait for a late answer.
func TestPresentedBeforeALateAnswer(t *testing.T) {
	t.Parallel()
	m := newMemory(nil)
	p := startOn(t, m, Options{})
	pair := p.Token(t, Joe, redirect)
	if err := p.Fault(Fault{Endpoint: "token", Kind: Delay, DelayMS: 60_000}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := tokenRequest(t, p, credentials("grant_type", "refresh_token", "refresh_token", pair.RefreshToken)).WithContext(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		send(t, r)
	}()
	for late := time.After(10 * time.Second); ; {
		_, again := crash(t, m, Options{}) // asks p for nothing, which would make it sync
		if got := again.State().RefreshTokens[0]; got.Presented == 1 && got.State == Spent {
			break
		}
		again.Close()
		select {
		case <-m.syncs:
		case <-late:
			t.Fatal("the token is not spent before the answer")
		}
	}
	cancel()
	<-ended
}

// A paused hook retries when it would have, and nothing is delivered twice that was answered.
func TestPausedHookSurvives(t *testing.T) {
	t.Parallel()
	rec := receive(t, func(n int, w http.ResponseWriter) {
		if n == 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	start := time.Now()
	clock := func() time.Time { return start }
	m := newMemory(nil)
	p := startOn(t, m, Options{Now: clock})
	token := p.Token(t, Joe, redirect).AccessToken
	addTrigger(t, p, token, newHook(t, p, token, rec.URL, "v3.0"), "RFIs", "update")
	for range 3 {
		emitUpdate(t, p, 1)
	}
	rec.next(t)
	failed := rec.next(t)
	paused := eventually(t, p, "the hook is paused", func(st State) bool { return st.Hooks[0].Paused }).Hooks[0]
	p.Close()
	_, again := crash(t, m, Options{Now: clock})
	if got := again.State().Hooks[0]; !got.NextAttempt.Equal(paused.NextAttempt) || got.Waiting != 2 || !got.Paused {
		t.Errorf("hook %+v after the restart, want %+v", got, paused)
	}
	again.Advance(time.Second)
	if retried := rec.next(t); retried.body != failed.body {
		t.Errorf("delivered %s, want the event that failed, %s", retried.body, failed.body)
	}
	rec.next(t)
	eventually(t, again, "the queue is empty", func(st State) bool { return st.Hooks[0].Waiting == 0 && !st.Hooks[0].Paused })
	if len(rec.got) > 0 {
		t.Error("an event was delivered again")
	}
}

// A delivery that was under way is made again.
func TestDeliveryUnderWaySurvives(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	rec := receive(t, nil)
	slow := receive(t, func(int, http.ResponseWriter) { <-hang })
	m := newMemory(nil)
	p := startOn(t, m, Options{})
	token := p.Token(t, Joe, redirect).AccessToken
	hook := newHook(t, p, token, slow.URL, "v3.0")
	addTrigger(t, p, token, hook, "RFIs", "update")
	emitUpdate(t, p, 1)
	p.Close()
	close(hang)
	next := newMemory(m.synced())
	for key, value := range next.content() { // the destination too is started again, elsewhere
		if strings.HasPrefix(key, "hook/") {
			next.Append(map[string][]byte{key: []byte(strings.ReplaceAll(string(value), slow.URL, rec.URL))})
		}
	}
	again := startOn(t, next, Options{})
	rec.next(t)
	eventually(t, again, "the delivery succeeds", func(st State) bool {
		return len(st.Deliveries) == 1 && st.Deliveries[0].Outcome == OutcomeOK && st.Deliveries[0].HookID == hook
	})
}
