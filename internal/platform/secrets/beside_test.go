package secrets

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/sdkhttp"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/kit/clocktest"
	"procore-connect/internal/testing/kit/memnet"
	"procore-connect/internal/testing/kit/secrettest"
)

// gate holds back one answer of Secrets Manager until it is opened.
type gate struct {
	asked, opened chan struct{}
	open          func()
}

// hold returns a gate for the next request.
func (w *world) hold(t *testing.T) *gate {
	t.Helper()
	g := &gate{asked: make(chan struct{}), opened: make(chan struct{})}
	g.open = sync.OnceFunc(func() { close(g.opened) })
	t.Cleanup(g.open)
	w.next.Store(g)
	return g
}

// newStale returns a world whose value may be served for an hour, and was read once.
func newStale(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "one")
	w.MaxStale = time.Hour
	w.wantGet(t, "first", false, "parsed one", 1)
	return w
}

// ended waits until the read beside has ended.
func (w *world) ended() {
	got := <-w.beside.result
	w.beside.result <- got
}

// wantAsked fails the test unless Secrets Manager had this many requests in all.
func (w *world) wantAsked(t *testing.T, when string, want int64) {
	t.Helper()
	if got := w.asked.Load(); got != want {
		t.Errorf("%s: %d requests, want %d", when, got, want)
	}
}

// wantWarnings fails the test unless these lines were logged since the last call.
func (w *world) wantWarnings(t *testing.T, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, w.warnings(t)); diff != "" {
		t.Errorf("%s: log (-want +got):\n%s", when, diff)
	}
}

// Callers have the old value at once while one read is under way, which goes on when
// they have left.
func TestOldValueIsServedWhileItIsRead(t *testing.T) {
	t.Parallel()
	w := newStale(t)
	w.store.Put("app", "two")
	w.clock.Advance(MaxAge)
	g := w.hold(t)
	request, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got, err := w.Get(request); err != nil || got != "parsed one" {
				t.Errorf("Get = %q, %v, want the old value", got, err)
			}
		})
	}
	all.Wait()
	leave()
	<-g.asked
	w.wantGet(t, "still under way", false, "parsed one", 1)
	w.wantAsked(t, "50 callers", 2)
	g.open()
	w.ended()
	secrettest.NotPrinted(t, w.Secret, "parsed two")
	w.wantGet(t, "read", false, "parsed two", 2)
	w.clock.Advance(MaxAge - time.Nanosecond)
	w.wantGet(t, "almost five minutes after it began", false, "parsed two", 2)
	w.wantAsked(t, "in the end", 2)
	w.wantWarnings(t, "in the end")
}

// A secret is not printed while it is read beside its callers. Printing takes longer than a read may.
func TestNotPrintedWhileItIsRead(t *testing.T) {
	t.Parallel()
	w := newStale(t)
	w.clock.Advance(MaxAge)
	g := w.hold(t)
	request, leave := context.WithCancel(t.Context())
	if _, err := w.Get(request); err != nil {
		t.Fatal(err)
	}
	leave()
	<-g.asked
	secrettest.NotPrinted(t, w.Secret, "parsed one")
	g.open()
	w.ended()
}

// Until its caller is done, a read beside asks nothing of Secrets Manager.
func TestReadBesideBeginsAfterItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const address = "127.0.0.1:8000"
		var network memnet.Network
		var asked atomic.Int64
		store := &awstest.Services{Secrets: awstest.NewSecrets(map[string]string{"app": "one"})}
		server := network.Serve(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			store.ServeHTTP(w, r)
		}))
		defer server.Close()
		clock := clocktest.New()
		s := &Secret[string]{
			Client: secretsmanager.New(secretsmanager.Options{
				BaseEndpoint: aws.String("http://" + address), Region: "us-east-1", HTTPClient: sdkhttp.New(network.Dial), Credentials: who,
			}),
			ID: "app", Parse: func(s string) (string, error) { return s, nil }, Clock: clock.Seam(), MaxStale: time.Hour,
		}
		for n := range int64(2) {
			request, done := context.WithCancel(t.Context())
			if _, err := s.Get(request); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := asked.Load(); got != 1 {
				t.Errorf("request %d: %d reads before it is done, want the first one", n, got)
			}
			done()
			clock.Advance(10 * time.Minute)
		}
		synctest.Wait()
		if got := asked.Load(); got != 2 {
			t.Errorf("%d reads, want one after the second request", got)
		}
	})
}

// From MaxStale on a caller waits, also while a read is under way, whose answer is not
// used any longer. The clock that was set back proves no age.
func TestTooOldToServe(t *testing.T) {
	t.Parallel()
	for name, age := range map[string]time.Duration{"an hour": time.Hour, "a day": 24 * time.Hour, "set back": -time.Minute} {
		w := newStale(t)
		w.clock.Advance(59 * time.Minute)
		g := w.hold(t)
		w.wantGet(t, name+": almost an hour", false, "parsed one", 1)
		<-g.asked
		beside := w.beside
		w.store.Put("app", "two")
		w.clock.Advance(age - 59*time.Minute)
		w.wantValue(t, name, false, "parsed two")
		g.open()
		if got := <-beside.result; got.err == nil {
			t.Errorf("%s: the read beside goes on", name)
		}
		w.wantValue(t, name+": again", false, "parsed two")
		w.wantAsked(t, name, 3)
		w.wantWarnings(t, name)
	}
}

// A value that did not work is read again, though a read began a moment ago. What that
// one returns later is older, and not used.
func TestRereadDoesNotTrustAReadUnderWay(t *testing.T) {
	t.Parallel()
	w := newStale(t)
	w.clock.Advance(10 * time.Minute)
	g := w.hold(t)
	w.wantValue(t, "old", false, "parsed one")
	<-g.asked
	w.store.Put("app", "two")
	w.clock.Advance(time.Second)
	w.wantValue(t, "reread", true, "parsed two")
	g.open()
	w.wantValue(t, "reread again", true, "parsed two")
	w.wantAsked(t, "in all", 3)
	// The same after one that has failed.
	w.clock.Advance(10 * time.Minute)
	w.store.Put("app", "bad")
	w.wantValue(t, "old again", false, "parsed two")
	w.ended()
	w.store.Put("app", "three")
	w.wantValue(t, "reread after a failure", true, "parsed three")
	w.wantAsked(t, "after a failure", 5)
	// One that has succeeded counts.
	w.clock.Advance(10 * time.Minute)
	w.wantValue(t, "old once more", false, "parsed three")
	w.ended()
	w.wantValue(t, "reread after a success", true, "parsed three")
	w.wantAsked(t, "after a success", 6)
}

// A read that fails is logged once, and repeated after a minute. The value remains.
func TestReadBesideFails(t *testing.T) {
	t.Parallel()
	w := newStale(t)
	w.clock.Advance(MaxAge)
	w.broken.Store(true)
	for minute := range 3 {
		w.wantGet(t, "broken", false, "parsed one", 1)
		w.ended()
		for range 3 {
			w.wantGet(t, "failed", false, "parsed one", 1)
		}
		w.wantAsked(t, "broken", int64(2+minute))
		w.wantWarnings(t, "broken", "WARN secret not read again: app, known for "+strconv.Itoa(300+60*minute)+" s, error: true")
		w.clock.Advance(time.Minute)
	}
	w.broken.Store(false)
	w.store.Put("app", "bad fake-secret-2")
	w.wantGet(t, "bad", false, "parsed one", 1)
	w.ended()
	w.wantGet(t, "bad", false, "parsed one", 2)
	w.wantWarnings(t, "bad", "WARN secret not read again: app, known for 480 s, error: true")
	w.clock.Advance(52 * time.Minute)
	w.wantGet(t, "after an hour", false, "parsed one", 3)
	w.wantWarnings(t, "waited for", "WARN secret not read again: app, known for 3600 s, error: true")
}

// A sandbox is frozen while its read is under way. When it runs again, minutes later, the
// read may return what it was sent, fail, or wait for what never arrives.
func TestFrozenRead(t *testing.T) {
	t.Parallel()
	frozen := func(t *testing.T) (*world, *gate) {
		t.Helper()
		w := newStale(t)
		w.clock.Advance(10 * time.Minute)
		g := w.hold(t)
		w.wantGet(t, "before", false, "parsed one", 1)
		<-g.asked
		w.clock.Advance(10 * time.Minute)
		return w, g
	}
	t.Run("returns", func(t *testing.T) {
		t.Parallel()
		w, g := frozen(t)
		w.store.Put("app", "two")
		w.wantGet(t, "after", false, "parsed one", 1)
		g.open()
		w.ended()
		w.store.Put("app", "three")
		w.wantGet(t, "the value may be ten minutes old", false, "parsed two", 2)
		w.ended()
		w.wantGet(t, "read again", false, "parsed three", 3)
		w.wantWarnings(t, "in the end")
	})
	t.Run("fails", func(t *testing.T) {
		t.Parallel()
		w, g := frozen(t)
		w.broken.Store(true)
		g.open()
		w.ended()
		w.broken.Store(false)
		w.store.Put("app", "two")
		w.wantGet(t, "after", false, "parsed one", 1)
		w.ended()
		w.wantGet(t, "read again", false, "parsed two", 2)
		w.wantWarnings(t, "in the end")
	})
	t.Run("hangs", func(t *testing.T) {
		t.Parallel()
		w, _ := frozen(t)
		old := w.beside
		w.wantGet(t, "after", false, "parsed one", 1)
		w.wantAsked(t, "the read has this request", 2)
		w.clock.Advance(10 * time.Minute)
		w.store.Put("app", "two")
		w.wantGet(t, "ten minutes later", false, "parsed one", 1)
		if w.beside == old {
			t.Fatal("the read still counts as under way")
		}
		if got := <-old.result; got.err == nil {
			t.Error("the first read goes on")
		}
		w.ended()
		w.wantValue(t, "read again", false, "parsed two")
		w.wantAsked(t, "in the end", 3)
		w.wantWarnings(t, "in the end")
	})
}

// A customer has a webhook every ten minutes, and each freezes its read. The value that a
// request has is read 30 minutes before at most, and no request waits.
func TestEachReadIsFrozen(t *testing.T) {
	t.Parallel()
	w := newStale(t)
	w.store.Put("app", "0")
	w.clock.Advance(time.Hour)
	w.wantGet(t, "begin", false, "parsed 0", 2)
	var g *gate
	for n := 1; n <= 100; n++ {
		w.store.Put("app", strconv.Itoa(n))
		w.clock.Advance(10 * time.Minute)
		if g == nil {
			g = w.hold(t)
		}
		request, done := context.WithCancel(t.Context())
		got, err := w.Get(request)
		done()
		if err != nil {
			t.Fatal(err)
		}
		if known, err := strconv.Atoi(got[len("parsed "):]); err != nil || known < n-3 {
			t.Errorf("request %d has the value %q", n, got)
		}
		if n%2 == 0 { // the answer was sent before the sandbox ran again
			g.open()
			w.ended()
			g = nil
		}
	}
	w.wantWarnings(t, "in the end")
}
