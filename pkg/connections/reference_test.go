package connections

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/link"
	"procore-connect/pkg/tokens"
)

// What SetReference returns is what is stored, and it changes nothing else.
func TestSetReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := w.connect(joe, acme)[0]
	s, log := w.store(), new(bytes.Buffer)
	s.Log = slog.New(slog.NewTextHandler(log, nil))
	w.clock.Advance(time.Hour)
	for i, reference := range []string{"tenant-1", "tenant-1", "~tenant:2/!", strings.Repeat("x", 128)} {
		before := w.row(seen.Key)
		w.clock.Advance(time.Second)
		c, err := s.SetReference(t.Context(), seen, reference)
		if err != nil {
			t.Fatal(err)
		}
		want := before
		want.Reference, want.Rev, want.write = reference, int64(i+2), c.write
		if d := diff(c, want); d != "" || c.write == before.write {
			t.Errorf("returned (-got +want):\n%s", d)
		}
		if d := diff(w.row(c.Key), c); d != "" {
			t.Errorf("stored (-got +returned):\n%s", d)
		}
	}
	if n := strings.Count(log.String(), "reference changed"); n != 3 || !strings.Contains(log.String(), `company_id=501 principal=user#1234567 from=tenant-1 to=~tenant:2/!`) {
		t.Errorf("%d changes are logged, want 3:\n%s", n, log)
	}
	if err := w.call(s, seen.Key); err != nil {
		t.Error(err)
	}
}

func TestCheckReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := w.connect(joe, acme)[0]
	w.storage()
	for _, bad := range []string{"", strings.Repeat("x", 129), "tenant\n1", "tenant\x7f", "ténant", "tenant\xff", "tenant 1"} {
		_, err := w.store().SetReference(t.Context(), seen, bad)
		if err == nil || !strings.Contains(err.Error(), "1 to 128 characters") || strings.Contains(err.Error(), "nant") {
			t.Errorf("%q: got error %v, want one that states the rule, and not the reference", bad, err)
		}
	}
	w.wantStorage("bad references")
	if maxReference != link.MaxReference {
		t.Errorf("a link may have a reference of %d characters, a connection one of %d", link.MaxReference, maxReference)
	}
}

// A connection keeps its reference in each state and when it is made again, except after its end.
func TestReferenceIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(joe, acme)[0]
	if _, err := s.SetReference(t.Context(), c, "tenant-1"); err != nil {
		t.Fatal(err)
	}
	connect := func() error {
		w.connect(joe, acme)
		return nil
	}
	for _, step := range []struct {
		what string
		do   func() error
		want string
	}{
		{"connected again", connect, "tenant-1"},
		{"paused", func() error { return s.Pause(t.Context(), w.row(c.Key)) }, "tenant-1"},
		{"its webhook needs an admin", func() error {
			_, _, err := s.SetWebhooks(t.Context(), w.row(c.Key), WebhooksNeedsAdmin, time.Time{})
			return err
		}, "tenant-1"},
		{"disconnected", func() error { return s.Disconnect(t.Context(), w.row(c.Key)) }, "tenant-1"},
		{"connected again after that", connect, "tenant-1"},
		{"ended", func() error { return s.End(t.Context(), c.Key, "asked for") }, "tenant-1"}, // whose it was
		{"connected again after its end", connect, ""},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got := w.row(c.Key).Reference; got != step.want {
			t.Errorf("%s: the reference is %q, want %q", step.what, got, step.want)
		}
	}
}

// A reference is that of the connection that was seen, as long as it is connected, whenever that changes. What
// joins the transaction is not done otherwise.
func TestReferenceOfWhatWasSeen(t *testing.T) {
	t.Parallel()
	k := Key{acme, joe}
	again := func(w *world) {
		n := newOf(k)
		n.Origin = "two"
		w.again(n)
	}
	end := func(w *world) { _ = w.store().End(w.t.Context(), k, "asked for") }
	for name, tt := range map[string]struct {
		since func(*world)
		want  error
	}{
		"as it was seen":       {func(*world) {}, nil},
		"changed otherwise":    {func(w *world) { _ = w.store().Saw(w.t.Context(), k, w.clock.Now().Add(time.Hour)) }, nil},
		"paused":               {func(w *world) { _ = w.store().Pause(w.t.Context(), w.row(k)) }, nil},
		"disconnected":         {func(w *world) { _ = w.store().Disconnect(w.t.Context(), w.row(k)) }, ErrDisconnected},
		"ended":                {end, ErrEnded},
		"made again":           {again, ErrMadeAgain},
		"ended and made again": {func(w *world) { end(w); w.clock.Advance(underWay + time.Second); again(w) }, ErrMadeAgain},
		"erased": {func(w *world) {
			end(w)
			if n, err := w.store().Erase(w.t.Context(), acme); n != 1 || err != nil {
				w.t.Errorf("erased %d rows: %v", n, err)
			}
		}, ErrNotFound},
	} {
		for _, race := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " during the transaction"}[race], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				seen := w.connect(joe, acme)[0]
				if race {
					w.once(1, "TransactWriteItems", func() dynamotest.Fault {
						w.faults(nil)
						tt.since(w)
						return dynamotest.Fault{}
					})
				} else {
					tt.since(w)
				}
				c, err := w.store().SetReference(t.Context(), seen, "tenant-1", w.used())
				stored, unread := w.store().Connection(t.Context(), k)
				if errors.Is(unread, ErrNotFound) {
					unread = nil
				}
				used := len(w.scan(w.names.Sessions)) == 1
				if !errors.Is(err, tt.want) || unread != nil || (stored.Reference == "tenant-1") != (tt.want == nil) || used != (tt.want == nil) {
					t.Errorf("got error %v, want %v; stored is %q, %v, and the session is used: %t", err, tt.want, stored.Reference, unread, used)
				}
				if d := diff(c, stored); d != "" {
					t.Errorf("returned and stored (-got +want):\n%s", d)
				}
				if err != nil && !strings.Contains(err.Error(), "company 501") {
					t.Errorf("the error %v does not name the company", err)
				}
			})
		}
	}
}

// What joins is done once: a second transaction with it changes nothing.
func TestReferenceInATransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe, acme)[0]
	if _, err := w.store().SetReference(t.Context(), c, "tenant-1", w.used()); err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{"tenant-1", "tenant-2"} {
		if _, err := w.store().SetReference(t.Context(), c, reference, w.used()); !errors.Is(err, tokens.ErrUsed) || !strings.Contains(err.Error(), "company 501") {
			t.Errorf("once more: got error %v, want ErrUsed", err)
		}
	}
	if got := w.row(c.Key); got.Reference != "tenant-1" || got.Rev != 2 {
		t.Errorf("the reference is %q after %d writes", got.Reference, got.Rev)
	}
}

// The answer to the transaction is lost. It was made, so it is a success, whatever the session looks like by now; or it
// was not, and may be repeated.
func TestReferenceAnswerIsLost(t *testing.T) {
	t.Parallel()
	refuses := func(string, string) dynamotest.Fault { return dynamotest.Fault{Code: "InternalServerError"} }
	for name, tt := range map[string]struct {
		fault  dynamotest.Fault
		down   string // the operation that storage refuses from then on
		want   error
		stored string
	}{
		"made":                                {dynamotest.Fault{Drop: true, Applied: true}, "", nil, "tenant-1"},
		"made, and refused from then on":      {dynamotest.Fault{Code: "InternalServerError", Applied: true}, "TransactWriteItems", nil, "tenant-1"},
		"made, and storage is down":           {dynamotest.Fault{Code: "InternalServerError", Applied: true}, "", tokens.ErrTryAgain, "tenant-1"},
		"not made":                            {dynamotest.Fault{Code: "InternalServerError"}, "TransactWriteItems", tokens.ErrTryAgain, ""},
		"a conflict with another transaction": {dynamotest.Fault{Reasons: []string{"TransactionConflict", "None"}}, "", nil, "tenant-1"},
		"a conflict of the session":           {dynamotest.Fault{Reasons: []string{"None", "TransactionConflict"}}, "", nil, "tenant-1"},
		"throttled":                           {dynamotest.Fault{Reasons: []string{"ThrottlingError", "None"}}, "", tokens.ErrTryAgain, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.connect(joe, acme)[0]
			w.once(1, "TransactWriteItems", func() dynamotest.Fault {
				w.faults(nil)
				switch {
				case tt.down != "":
					w.faults(func(operation, body string) dynamotest.Fault {
						if operation == tt.down {
							return refuses(operation, body)
						}
						return dynamotest.Fault{}
					})
				case errors.Is(tt.want, tokens.ErrTryAgain) && tt.fault.Code != "":
					w.faults(refuses)
				}
				return tt.fault
			})
			got, err := w.store().SetReference(t.Context(), c, "tenant-1", w.used())
			w.faults(nil)
			stored := w.row(c.Key)
			if !errors.Is(err, tt.want) || stored.Reference != tt.stored || stored.Rev > 2 {
				t.Errorf("got error %v, want %v; stored is %q after %d writes, want %q", err, tt.want, stored.Reference, stored.Rev, tt.stored)
			}
			if d := diff(got, stored); err == nil && d != "" {
				t.Errorf("returned and stored (-got +want):\n%s", d)
			}
		})
	}
}

// Others change the connection again and again.
func TestReferenceOfAConnectionThatKeepsChanging(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe, acme)[0]
	w.faults(func(operation, _ string) dynamotest.Fault {
		if operation == "TransactWriteItems" {
			if err := w.store().Saw(context.Background(), c.Key, w.row(c.Key).SeenAt.Add(time.Second)); err != nil {
				t.Error(err)
			}
		}
		return dynamotest.Fault{}
	})
	if _, err := w.store().SetReference(t.Context(), c, "tenant-1"); !errors.Is(err, tokens.ErrTryAgain) || !strings.Contains(err.Error(), "keeps changing") {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
}
