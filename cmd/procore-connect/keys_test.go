package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"procore-connect/internal/operator"
	"procore-connect/internal/operator/keyring"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// rotated returns a world with two companies, whose hooks are in order.
func rotated(t *testing.T) *world {
	t.Helper()
	w := hooked(t)
	w.passes = true
	for user, company := range map[int64]int64{procoretest.Joe: procoretest.MyConstruction, procoretest.Ann: procoretest.NorthernPlanner} {
		w.Authorize(user)
		w.connect(company, user, "Company", "User", connections.WebhooksPending)
	}
	for _, company := range []string{"5678", "9007199254740993"} { // one after the other, so that their hooks have the same ids each time
		if _, aside, code := w.run("webhooks", "sync", company, "--yes"); code != exitOK {
			t.Fatal(aside)
		}
	}
	return w
}

// A rotation of the webhook key, from the first question to the day on which the old one is gone.
func TestRotateWebhookKey(t *testing.T) {
	t.Parallel()
	w := rotated(t)
	type typed struct{ file, args string }
	type wait time.Duration
	for _, step := range []any{
		typed{"keys-fresh", "keys status"},
		typed{"keys-retire-current", "keys retire webhook k1 --yes"},
		typed{"keys-rotate-webhook", "keys rotate webhook --yes"},
		typed{"keys-webhook-old", "keys status"},
		typed{"keys-webhook-json", "keys status --json"},
		typed{"keys-retire-hooks", "keys retire webhook k1 --yes"},
		typed{"", "webhooks sync --all --yes"},
		typed{"keys-retire-repeats", "keys retire webhook k1 --yes"},
		wait(14 * time.Hour),
		typed{"keys-webhook-now", "keys status"},
		typed{"keys-retire-webhook", "keys retire webhook k1 --yes"},
		typed{"keys-retire-none", "keys retire webhook k1 --yes"},
		typed{"keys-raise-epoch", "keys raise-epoch 5678 --yes"},
	} {
		switch step := step.(type) {
		case wait:
			w.Clock.Advance(time.Duration(step))
		case typed:
			if args := strings.Fields(step.args); step.file != "" {
				wants(t, w, step.file, args...)
			} else if _, aside, code := w.run(args...); code != exitOK {
				t.Errorf("%s: exit code %d, %s", step.args, code, aside)
			}
		}
	}
	if got := w.ringFields(functiontest.WebhookSecret); !cmp.Equal(got, []string{"added", "current", "current_since", "k2", "minimum_epochs"}) {
		t.Errorf("the secret has %v", got)
	}
}

// ringFields returns the names of the fields of a secret.
func (w *world) ringFields(secret string) []string {
	w.t.Helper()
	value, _ := w.Secrets.Value(secret)
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(value), &fields); err != nil {
		w.t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(fields))
}

// The key that seals is needed by each pair that it sealed, in backups too, and by the ledger for 400 days.
func TestRotateSealKey(t *testing.T) {
	t.Parallel()
	w := rotated(t)
	refreshed := func() {
		w.Clock.Advance(2 * time.Hour)
		for _, user := range []int64{procoretest.Joe, procoretest.Ann} {
			if _, err := w.Tokens().Token(t.Context(), tokens.User(user)); err != nil {
				t.Fatal(err)
			}
		}
	}
	retires := func(key string) {
		t.Helper()
		if _, aside, code := w.run("keys", "retire", "seal", key, "--yes"); code != exitOK {
			t.Errorf("at %v: exit code %d, %s", w.Clock.Now(), code, aside)
		}
	}
	wants(t, w, "keys-rotate-seal", "keys", "rotate", "seal", "--yes")
	wants(t, w, "keys-seal-old", "keys", "status")
	refreshed()
	wants(t, w, "keys-retire-ledger", "keys", "retire", "seal", "k1", "--yes")
	wants(t, w, "keys-rotate-seal-again", "keys", "rotate", "seal", "--yes")
	refreshed()
	wants(t, w, "keys-retire-backups", "keys", "retire", "seal", "k2", "--yes") // k1 knows what the ledger has
	w.Clock.Advance(65 * 24 * time.Hour)
	retires("k2")
	w.Clock.Advance(tokens.LedgerLife)
	retires("k1")
}

// A function that read the ring before a rotation seals with the old key afterwards: that pair opens, and its key remains.
func TestSealedBeside(t *testing.T) {
	t.Parallel()
	w := rotated(t)
	function := w.Tokens()
	o := w.open(t, w.Clock.Seam())
	r, err := o.NextRotation(t.Context(), operator.SealRing)
	if err != nil {
		t.Fatal(err)
	}
	ended := w.waits()
	ended.Wait = func(_ context.Context, d time.Duration) error {
		w.Clock.Advance(d)
		if _, err := function.Keys.Get(t.Context()); err != nil { // the last moment before the key is current
			t.Error(err)
		}
		return nil
	}
	if err := w.open(t, ended).Rotate(t.Context(), r, func(string) {}); err != nil {
		t.Fatal(err)
	}
	pair := w.Pair(procoretest.Max, functiontest.RedirectURI)
	g, err := function.Authorize(t.Context(), tokens.Authorization{Principal: tokens.User(procoretest.Max), Pair: pair, RedirectURI: functiontest.RedirectURI})
	if err != nil || g.SealKey() != "k1" {
		t.Fatalf("the function sealed with %s, %v, want k1", g.SealKey(), err)
	}
	if _, err := w.Tokens().Token(t.Context(), g.Principal); err != nil {
		t.Errorf("another function cannot open it: %v", err)
	}
	w.Clock.Advance(tokens.LedgerLife + keyring.Settled)
	if err := o.Retire(t.Context(), operator.SealRing, "k1"); err == nil || !strings.Contains(err.Error(), "grants") {
		t.Errorf("got error %v, want one that names the grants", err)
	}
}

// open opens the stack with a clock.
func (w *world) open(t *testing.T, clock procore.Clock) *operator.Operator {
	t.Helper()
	o, err := operator.Open(t.Context(), operator.Target{Local: w.addr, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Two operators who rotate at once end with one new key, which both think is theirs.
func TestTwoRotate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var both errgroup.Group
	start := make(chan struct{})
	for range 4 {
		o := w.open(t, w.waits())
		r, err := o.NextRotation(t.Context(), operator.SealRing)
		if err != nil || r.To != "k2" {
			t.Fatalf("%+v, %v, want a rotation to k2", r, err)
		}
		both.Go(func() error {
			<-start
			return o.Rotate(t.Context(), r, func(string) {})
		})
	}
	close(start)
	if err := both.Wait(); err != nil {
		t.Error(err)
	}
	if got := w.ringFields(functiontest.KeysSecret); !cmp.Equal(got, []string{"added", "current", "current_since", "k1", "k2"}) {
		t.Errorf("the secret has %v", got)
	}
	r, err := w.open(t, w.waits()).NextRotation(t.Context(), operator.SealRing)
	if err != nil || r.From != "k2" {
		t.Errorf("%+v, %v, want k2 as the current key", r, err)
	}
}

// A rotation that is interrupted while it waits goes on with the same key, and makes it current no sooner.
func TestInterruptedRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.passes = true
	ctx, cancel := context.WithCancel(t.Context())
	stops := procore.Clock{Time: w.Clock.Now, Wait: func(ctx context.Context, _ time.Duration) error {
		cancel()
		return context.Cause(ctx)
	}}
	env := func(name string) string { return w.addr }
	var out, aside strings.Builder
	code := run(ctx, []string{"--local", "keys", "rotate", "webhook", "--yes"}, env, streams{in: strings.NewReader(""), out: &out, err: &aside}, stops)
	if code != exitFailed || !strings.Contains(aside.String(), "procore-connect keys rotate webhook goes on") {
		t.Errorf("got exit code %d, %s, want %d and the command that goes on", code, aside.String(), exitFailed)
	}
	wants(t, w, "keys-rotate-added", "keys", "status")
	w.Clock.Advance(2 * time.Minute)
	wants(t, w, "keys-rotate-on", "keys", "rotate", "webhook", "--yes")
}
