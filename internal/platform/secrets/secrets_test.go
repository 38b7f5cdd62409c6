package secrets

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/kit/clocktest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
)

// world is a Secrets Manager that can fail, a clock, and one secret with its log.
type world struct {
	*Secret[string]
	log    bytes.Buffer
	store  *awstest.Secrets
	broken atomic.Bool
	next   atomic.Pointer[gate] // holds back the answer to the next request; nil: none
	asked  atomic.Int64         // requests
	parsed atomic.Int64
	clock  *clocktest.Clock
}

// errParse is an error that does not hold the value.
var errParse = errors.New("not understood")

// who signs the requests.
var who = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
})

func newWorld(t *testing.T, value string) *world {
	t.Helper()
	w := &world{store: awstest.NewSecrets(nil), clock: clocktest.New()}
	if value != "" {
		w.store.Put("app", value)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		if g := w.next.Swap(nil); g != nil {
			close(g.asked)
			<-g.opened
		}
		if w.broken.Load() {
			panic(http.ErrAbortHandler)
		}
		(&awstest.Services{Secrets: w.store}).ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	client := secretsmanager.New(secretsmanager.Options{
		BaseEndpoint: &server.URL, Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: who,
	})
	w.Secret = &Secret[string]{Client: client, ID: "app", Log: slog.New(slog.NewJSONHandler(&w.log, nil)), Clock: w.clock.Seam(), Parse: func(s string) (string, error) {
		w.parsed.Add(1)
		if strings.HasPrefix(s, "bad") {
			return "", errParse
		}
		return "parsed " + s, nil
	}}
	return w
}

// wantGet fails the test unless Get, or Reread, returns the value after this many
// reads in all.
func (w *world) wantGet(t *testing.T, when string, reread bool, want string, reads int) {
	t.Helper()
	w.wantValue(t, when, reread, want)
	if got := w.store.Reads("app"); got != reads {
		t.Errorf("%s: read %d times, want %d", when, got, reads)
	}
}

func (w *world) wantValue(t *testing.T, when string, reread bool, want string) {
	t.Helper()
	get := w.Get
	if reread {
		get = w.Reread
	}
	request, done := context.WithCancel(t.Context())
	defer done()
	if got, err := get(request); err != nil || got != want {
		t.Errorf("%s: Get = %q, %v, want %q", when, got, err, want)
	}
}

func TestKeptForFiveMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "one")
	w.wantGet(t, "first", false, "parsed one", 1)
	w.store.Put("app", "two")
	w.clock.Advance(5*time.Minute - time.Nanosecond)
	w.wantGet(t, "almost after five minutes", false, "parsed one", 1)
	w.clock.Advance(time.Nanosecond)
	w.wantGet(t, "after five minutes", false, "parsed two", 2)
	w.wantGet(t, "again", false, "parsed two", 2)
}

// Reread reads the value, at most once a minute.
func TestReread(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "one")
	w.wantGet(t, "first", true, "parsed one", 1)
	w.store.Put("app", "two")
	w.wantGet(t, "at once", true, "parsed one", 1)
	w.clock.Advance(time.Minute - time.Nanosecond)
	w.wantGet(t, "almost after a minute", true, "parsed one", 1)
	w.clock.Advance(time.Nanosecond)
	w.wantGet(t, "without a reread", false, "parsed one", 1)
	w.wantGet(t, "after a minute", true, "parsed two", 2)
	w.store.Put("app", "three")
	w.clock.Advance(30 * time.Second)
	w.wantGet(t, "half a minute later", true, "parsed two", 2)
	w.clock.Advance(4 * time.Minute)
	w.wantGet(t, "the five minutes count from the last read", false, "parsed two", 2)
	w.clock.Advance(30 * time.Second)
	w.wantGet(t, "after five", false, "parsed three", 3)
}

// After the clock was set back, a value is neither kept for ever nor read each time.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "one")
	w.wantGet(t, "first", false, "parsed one", 1)
	w.clock.Advance(-24 * time.Hour)
	w.store.Put("app", "two")
	w.wantGet(t, "set back", false, "parsed two", 2)
	w.wantGet(t, "again", true, "parsed two", 2)
}

// While reads fail, in whatever way, the known value remains in use, and Secrets
// Manager is called once a minute.
func TestFailureKeepsTheValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "one")
	w.wantGet(t, "first", false, "parsed one", 1)
	w.broken.Store(true)
	w.clock.Advance(time.Hour)
	w.wantGet(t, "broken", false, "parsed one", 1)
	w.broken.Store(false)
	w.store.Put("app", "bad")
	w.wantGet(t, "tried just now", true, "parsed one", 1)
	w.clock.Advance(time.Minute)
	w.wantGet(t, "a value that cannot be parsed", false, "parsed one", 2)
	w.store.Put("app", "two")
	w.clock.Advance(time.Minute)
	w.wantGet(t, "well again", false, "parsed two", 3)
}

// warnings returns the log's new lines in short, and fails the test if one has a value.
func (w *world) warnings(t *testing.T) (all []string) {
	t.Helper()
	if text := w.log.String(); strings.Contains(text, "fake-secret") {
		t.Errorf("the log has the value: %s", text)
	}
	for line := range strings.Lines(w.log.String()) {
		var l struct {
			Level, Msg, Secret, Error string
			Known                     int `json:"known_for_s"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s: %s, known for %d s, error: %t", l.Level, l.Msg, l.Secret, l.Known, l.Error != ""))
	}
	w.log.Reset()
	return all
}

// A value that cannot be read again is used with one warning for each read, which does not have it.
func TestWarning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "fake-secret-1")
	wants := func(when string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, w.warnings(t)); diff != "" {
			t.Errorf("%s: log (-want +got):\n%s", when, diff)
		}
	}
	w.wantGet(t, "first", false, "parsed fake-secret-1", 1)
	wants("a good read")
	w.broken.Store(true)
	w.clock.Advance(5 * time.Minute)
	for range 3 {
		w.wantGet(t, "broken", false, "parsed fake-secret-1", 1)
	}
	wants("no answer", "WARN secret not read again: app, known for 300 s, error: true")
	w.broken.Store(false)
	w.store.Put("app", "bad fake-secret-2")
	w.clock.Advance(time.Minute)
	for range 3 {
		w.wantGet(t, "bad", true, "parsed fake-secret-1", 2)
	}
	wants("a value that cannot be parsed", "WARN secret not read again: app, known for 360 s, error: true")
	w.store.Put("app", "fake-secret-3")
	w.clock.Advance(time.Minute)
	w.wantGet(t, "well again", false, "parsed fake-secret-3", 3)
	wants("a good read again")
}

// Without a known value the caller has the error, and no line is logged.
func TestNoWarning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "bad fake-secret-1")
	if _, err := w.Get(t.Context()); !errors.Is(err, errParse) {
		t.Errorf("Get = %v, want the parser's error", err)
	}
	if got := w.warnings(t); got != nil {
		t.Errorf("log %v, want none", got)
	}
}

// A caller that leaves does not use up the minute of other callers.
func TestCancelledRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "one")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Get(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v, want context.Canceled", err)
	}
	w.wantGet(t, "another caller", false, "parsed one", 1)
}

// Without a known value every Get reads, so that a secret works as soon as it is filled in.
func TestFirstReadFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	_, err := w.Get(t.Context())
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok || !strings.Contains(err.Error(), "secret app") {
		t.Errorf("absent: %v, want ResourceNotFoundException and the secret's name", err)
	}
	w.store.Put("app", "bad fake-client-secret")
	_, err = w.Get(t.Context())
	if !errors.Is(err, errParse) || !strings.Contains(err.Error(), "secret app") || strings.Contains(err.Error(), "fake-client-secret") {
		t.Errorf("not parsed: %v, want the parser's error and the secret's name alone", err)
	}
	w.store.Put("app", "one")
	w.wantGet(t, "filled in", false, "parsed one", 2)
}

func TestConcurrentGetsReadOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "one")
	for round := 1; round <= 2; round++ {
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				get := []func(context.Context) (string, error){w.Get, w.Reread}[i%2]
				if got, err := get(t.Context()); err != nil || got != "parsed one" {
					t.Errorf("Get = %q, %v", got, err)
				}
			})
		}
		all.Wait()
		if got := w.store.Reads("app"); got != round {
			t.Errorf("read %d times, want %d", got, round)
		}
		if got := w.parsed.Load(); got != int64(round) {
			t.Errorf("parsed %d times, want %d", got, round)
		}
		w.clock.Advance(MaxAge)
	}
}

// R5: a secret that was read does not print its value.
func TestValueIsNotPrinted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "fake-secret-1")
	w.wantGet(t, "first", false, "parsed fake-secret-1", 1)
	secrettest.NotPrinted(t, w.Secret, "fake-secret-1")
}

// A caller that waited for another one yields before it goes on, and only that one does.
func TestWaiterYields(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var yields atomic.Int64
		s := &Secret[string]{Clock: procore.Clock{Yield: func(context.Context) { yields.Add(1) }}}
		caller := func() {
			if err := s.lock(t.Context()); err != nil {
				t.Error(err)
			}
		}
		caller()
		go caller()
		synctest.Wait()
		if n := yields.Load(); n != 0 {
			t.Errorf("%d callers yield before any has waited", n)
		}
		s.unlock()
		synctest.Wait()
		if n := yields.Load(); n != 1 {
			t.Errorf("%d callers yield, want the one that waited", n)
		}
	})
}
