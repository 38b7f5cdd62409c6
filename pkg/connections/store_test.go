package connections

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/tokens"
)

// An attribute of another type is an error that names the row and it, and not its value.
// Trying again would not help.
func TestWrongType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(joe, acme)[0]
	const secret = "90210"
	text, number := dynamo.Text(secret), &types.AttributeValueMemberN{Value: secret}
	for attribute, value := range map[string]types.AttributeValue{
		"state": number, "rev": text, "write": number, "company_name": number, "connected_at_ms": text, "paused_until": text,
		"pause_s": text, "webhooks": number, "transitions": text, "reference": number,
	} {
		item := w.item(c)
		item[attribute] = value
		w.put(w.names.Connections, item)
		_, unread := s.Connection(t.Context(), c.Key)
		_, unused := s.Connect(t.Context(), newOf(c.Key))
		for name, err := range map[string]error{
			"Connection": unread, "a call": w.call(s, c.Key), "Connect": unused, "End": s.End(t.Context(), c.Key, "asked for"), "Pause": s.Pause(t.Context(), c),
		} {
			if err == nil || !strings.Contains(err.Error(), `attribute "`+attribute+`"`) || !strings.Contains(err.Error(), c.Key.String()) ||
				strings.Contains(err.Error(), secret) || errors.Is(err, tokens.ErrTryAgain) {
				t.Errorf("%s with an odd %s: got error %v, want one that names row and attribute", name, attribute, err)
			}
		}
	}
}

// Rows of another environment are invisible.
func TestOtherEnvironments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect(joe, acme)[0]
	other := w.store()
	other.Tokens.Environment.Name = "other"
	if _, err := other.Connection(t.Context(), c.Key); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
	if _, err := other.ForCompany(t.Context(), acme); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
	if err := other.End(t.Context(), c.Key, "asked for"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
	if err := w.call(other, c.Key); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
	if _, _, err := w.store().SetWebhooks(t.Context(), c, WebhooksPending, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if got := w.checks(w.store()); len(got) != 1 {
		t.Errorf("housekeeping finds %v, want one", got)
	}
	if got := w.checks(other); len(got) != 0 {
		t.Errorf("that of another environment finds %v", got)
	}
	if d := diff(w.row(c.Key), w.row(c.Key)); d != "" || w.row(c.Key).State != Connected {
		t.Error("the row was changed")
	}
}

// Each shard has connections, and all of them together have each once.
func TestChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	shards := map[int]int{}
	for id := range int64(200) {
		if err := s.AddServiceAccount(t.Context(), id+1, "A Company", WebhooksPending); err != nil {
			t.Fatal(err)
		}
		shards[shard(id+1)]++
	}
	if len(shards) != Shards {
		t.Errorf("%d shards have connections, want %d", len(shards), Shards)
	}
	seen := map[Key]bool{}
	for _, k := range w.checks(s) {
		seen[k] = true
	}
	if len(seen) != 200 || len(w.checks(s)) != 200 {
		t.Errorf("housekeeping finds %d connections, want 200", len(seen))
	}
	w.clock.Advance(-time.Hour)
	if got := w.checks(s); len(got) != 0 {
		t.Errorf("an hour before it finds %v", got)
	}
}

// One of the two tables is restored from a backup. A connection that has ended is not
// revived, and one that was made since needs its user.
func TestRestoredGrants(t *testing.T) {
	t.Parallel()
	modes(t, func(w *world) {
		t, s := w.t, w.store()
		old := w.connect(joe, acme, brick)
		restore := w.backup(w.names.Grants)
		since := w.connect(joe, crane)[0]
		if err := s.End(t.Context(), old[0].Key, "asked for"); err != nil {
			t.Fatal(err)
		}
		restore()
		if err := w.call(w.store(), old[0].Key); !errors.Is(err, ErrEnded) {
			t.Errorf("an ended connection: got error %v, want ErrEnded", err)
		}
		if err := w.call(w.store(), since.Key); !errors.Is(err, tokens.ErrReauthorize) || !strings.Contains(err.Error(), notHeld) {
			t.Errorf("one that was made since: got error %v, want ErrReauthorize", err)
		}
		if err := w.store().Works(t.Context(), since); !errors.Is(err, tokens.ErrReauthorize) {
			t.Errorf("one that was made since: got error %v, want ErrReauthorize", err)
		}
		if n := w.calls("/"); n != 0 {
			t.Errorf("Procore got %d calls, want none", n)
		}
		if err := w.call(w.store(), w.connect(joe, crane)[0].Key); err != nil {
			t.Errorf("connected again: %v", err)
		}
	})
}

func TestRestoredConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	k := w.connect(joe, acme, brick)[0].Key
	restore := w.backup(w.names.Connections)
	if err := s.End(t.Context(), k, "asked for"); err != nil {
		t.Fatal(err)
	}
	restore()
	if got := w.row(k).State; got != Connected {
		t.Fatalf("the restored connection is %s", got)
	}
	if err := w.call(w.store(), k); !errors.Is(err, tokens.ErrReauthorize) || !strings.Contains(err.Error(), notHeld) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if _, err := w.store().ForCompany(t.Context(), acme); !errors.Is(err, tokens.ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if n := w.calls("/"); n != 0 {
		t.Errorf("Procore got %d calls, want none", n)
	}
	if err := w.call(w.store(), Key{brick, joe}); err != nil {
		t.Errorf("the other company: %v", err)
	}
	if err := s.End(t.Context(), k, "asked again"); err != nil || w.row(k).State != Ended {
		t.Errorf("ended again: %v, %s", err, w.row(k).State)
	}
	w.wantConsistent()
}

// A connection whose grant is gone ends, unless the user authorizes in that moment.
func TestEndWithoutAGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	all := w.connect(joe, acme, brick)
	for _, item := range w.scan(w.names.Grants) {
		w.delete(w.names.Grants, item)
	}
	if err := s.End(t.Context(), all[0].Key, "asked for"); err != nil || w.row(all[0].Key).State != Ended {
		t.Errorf("got error %v, %s; want ended", err, w.row(all[0].Key).State)
	}
	if got := w.scan(w.names.Grants); len(got) != 0 {
		t.Errorf("it made a grant: %v", got)
	}
	w.once(1, "TransactWriteItems", func() dynamotest.Fault {
		w.faults(nil)
		w.authorize(joe)
		return dynamotest.Fault{}
	})
	w.storage()
	if err := s.End(t.Context(), all[1].Key, "asked for"); err != nil {
		t.Fatal(err)
	}
	if got := w.storage(); count(got, "TransactWriteItems") < 4 { // refused, Joe's, repeated with his grant, and its revocation
		t.Errorf("storage got %q, want a transaction that is refused and repeated", got)
	}
	w.wantConsistent()
}

// A key without a name is two attributes of the line, as log queries want them. So
// is a connection, which has more to hide.
func TestLoggedKey(t *testing.T) {
	t.Parallel()
	key := Key{CompanyID: 5678, Principal: tokens.User(7)}
	want := map[string]any{"msg": "a line", "company_id": 5678.0, "principal": "user#7"}
	for name, logged := range map[string]any{"key": key, "connection": Connection{Key: key, UserName: "A User"}} {
		var log bytes.Buffer
		withoutTime := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
				return slog.Attr{}
			}
			return a
		}
		slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{ReplaceAttr: withoutTime})).Info("a line", slog.Any("", logged))
		var got map[string]any
		if err := json.Unmarshal(log.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", name, diff)
		}
	}
	if got := (Key{CompanyID: 5678}).String(); got != "company 5678" {
		t.Errorf("a company is %q", got)
	}
}

func count(all []string, what string) int {
	n := 0
	for _, one := range all {
		if one == what {
			n++
		}
	}
	return n
}

// Rows that other packages keep for the environment are no connections, although a user may be in their key.
func TestRowsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, s := w.connect(joe, acme)[0], w.store()
	for _, owner := range []string{"app", string(joe)} {
		row := s.Row("budget", owner)
		row["used"] = dynamo.Number(20)
		w.put(w.names.Connections, row)
	}
	var got []Key
	for one, err := range s.All(t.Context()) {
		if err != nil {
			t.Errorf("All: %v", err)
			continue
		}
		got = append(got, one.Key)
	}
	if d := cmp.Diff(got, []Key{c.Key}); d != "" {
		t.Errorf("all connections, got - want +:\n%s", d)
	}
}
