package secrets

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/kit/clocktest"
)

// world is a Secrets Manager that can fail, a clock, and one secret.
type world struct {
	*Secret[string]
	store  *awstest.Secrets
	broken atomic.Bool
	parsed atomic.Int64
	clock  *clocktest.Clock
}

// errParse is an error that does not hold the value.
var errParse = errors.New("not understood")

func newWorld(t *testing.T, value string) *world {
	t.Helper()
	w := &world{store: awstest.NewSecrets(nil), clock: clocktest.New()}
	if value != "" {
		w.store.Put("app", value)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.broken.Load() {
			panic(http.ErrAbortHandler)
		}
		(&awstest.Services{Secrets: w.store}).ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	client := secretsmanager.New(secretsmanager.Options{
		BaseEndpoint: &server.URL, Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
	w.Secret = &Secret[string]{Client: client, ID: "app", Clock: w.clock.Seam(), Parse: func(s string) (string, error) {
		w.parsed.Add(1)
		if strings.HasPrefix(s, "bad") {
			return "", errParse
		}
		return "parsed " + s, nil
	}}
	return w
}

// gives fails the test unless Get gives the value after so many reads in all.
func (w *world) gives(t *testing.T, when string, reread bool, want string, reads int) {
	t.Helper()
	get := w.Get
	if reread {
		get = w.Reread
	}
	got, err := get(t.Context())
	if err != nil || got != want {
		t.Errorf("%s: Get = %q, %v, want %q", when, got, err, want)
	}
	if got := w.store.Reads("app"); got != reads {
		t.Errorf("%s: read %d times, want %d", when, got, reads)
	}
}

func TestKeptForFiveMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "one")
	w.gives(t, "first", false, "parsed one", 1)
	w.store.Put("app", "two")
	w.clock.Advance(5*time.Minute - time.Nanosecond)
	w.gives(t, "almost after five minutes", false, "parsed one", 1)
	w.clock.Advance(time.Nanosecond)
	w.gives(t, "after five minutes", false, "parsed two", 2)
	w.gives(t, "again", false, "parsed two", 2)
}

// Somebody who doubts the value makes it be read, at most once a minute.
func TestReread(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "one")
	w.gives(t, "first", true, "parsed one", 1)
	w.store.Put("app", "two")
	w.gives(t, "at once", true, "parsed one", 1)
	w.clock.Advance(time.Minute - time.Nanosecond)
	w.gives(t, "almost after a minute", true, "parsed one", 1)
	w.clock.Advance(time.Nanosecond)
	w.gives(t, "nobody doubts", false, "parsed one", 1)
	w.gives(t, "after a minute", true, "parsed two", 2)
	w.store.Put("app", "three")
	w.clock.Advance(30 * time.Second)
	w.gives(t, "half a minute later", true, "parsed two", 2)
	w.clock.Advance(4 * time.Minute)
	w.gives(t, "the five minutes count from the last read", false, "parsed two", 2)
	w.clock.Advance(30 * time.Second)
	w.gives(t, "after five", false, "parsed three", 3)
}

// A clock that was set back does not keep a value for ever, nor read it all the time.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "one")
	w.gives(t, "first", false, "parsed one", 1)
	w.clock.Advance(-24 * time.Hour)
	w.store.Put("app", "two")
	w.gives(t, "set back", false, "parsed two", 2)
	w.gives(t, "again", true, "parsed two", 2)
}

// While a read fails, in whatever way, the known value serves on, and Secrets
// Manager is asked once a minute.
func TestFailureKeepsTheValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "one")
	w.gives(t, "first", false, "parsed one", 1)
	w.broken.Store(true)
	w.clock.Advance(time.Hour)
	w.gives(t, "broken", false, "parsed one", 1)
	w.broken.Store(false)
	w.store.Put("app", "bad")
	w.gives(t, "tried just now", true, "parsed one", 1)
	w.clock.Advance(time.Minute)
	w.gives(t, "a value that cannot be parsed", false, "parsed one", 2)
	w.store.Put("app", "two")
	w.clock.Advance(time.Minute)
	w.gives(t, "well again", false, "parsed two", 3)
}

// A caller that gives up does not spoil the minute for the others.
func TestCancelledRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "one")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Get(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v, want context.Canceled", err)
	}
	w.gives(t, "another caller", false, "parsed one", 1)
}

// Without a known value every Get tries, so that a filled-in secret works at once.
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
	w.gives(t, "filled in", false, "parsed one", 2)
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
		w.clock.Advance(keep)
	}
}
