package simulation

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/procore"
)

const table = "connections"

func explorationOf(all ...Scenario) *Exploration {
	return &Exploration{Scenarios: all, Tables: []*dynamodb.CreateTableInput{tables.Connections(table)}, Seeds: 200, MaxTime: time.Minute}
}

func keyOf(name string) Item {
	return Item{"company": dynamo.Text(name), "principal": dynamo.Text("p")}
}

// number reads an attribute n of an item of the world.
func (w *World) number(name string) (n int64) {
	_ = dynamo.Decode(w.Tables.Item(table, keyOf(name)), func(f *dynamo.Fields) { f.Number("n", &n) })
	return n
}

func stored(ctx context.Context, w *World, x types.TransactWriteItem) error {
	return dynamo.Write(ctx, w.Tables.Client(), x)
}

// found returns whether a seed among the first n leads to a problem, and the problem.
func found(t *testing.T, e *Exploration, s Scenario, n uint64) (string, bool) {
	t.Helper()
	on := quickClient()
	for seed := range n {
		if w := e.schedule(t, on, s, guess(seed), false); len(w.Problems()) > 0 {
			return strings.Join(w.Problems(), "\n"), true
		}
	}
	return "", false
}

// counting is a scenario in which two actors add one to a number. step does so once.
func counting(step func(ctx context.Context, w *World) error) Scenario {
	return Scenario{Name: "counting", Setup: func(w *World) {
		w.Orderly = true
		for range 2 {
			w.Actor(w.Process(0), Step{"adds", func(ctx context.Context, _ *Actor) {
				if err := step(ctx, w); err != nil {
					w.Problem("%v", err)
				}
			}})
		}
		w.Judge = func(context.Context) {
			if n := w.number("1"); n != 2 {
				w.Problem("%d instead of 2", n)
			}
		}
	}}
}

// A race is found where there is one, and only there.
func TestRace(t *testing.T) {
	t.Parallel()
	racy := counting(func(ctx context.Context, w *World) error {
		var n int64
		item, err := dynamo.Get(ctx, w.Tables.Client(), table, keyOf("1"))
		if err == nil {
			err = dynamo.Decode(item, func(f *dynamo.Fields) { f.Number("n", &n) })
		}
		if err != nil {
			return err
		}
		return stored(ctx, w, new(dynamo.Expression).Set(dynamo.Item{"n": dynamo.Number(n + 1)}).Update(table, keyOf("1")))
	})
	if got, ok := found(t, explorationOf(racy), racy, 200); !ok || got != "1 instead of 2" {
		t.Errorf("got %q, want a lost update", got)
	}
	safe := counting(func(ctx context.Context, w *World) error {
		return stored(ctx, w, new(dynamo.Expression).Increment("n").Update(table, keyOf("1")))
	})
	if got, ok := found(t, explorationOf(safe), safe, 200); ok {
		t.Errorf("got %q of a safe scenario", got)
	}
	explorationOf(safe).Run(t)
}

// A process crashes between any two writes.
func TestCrash(t *testing.T) {
	t.Parallel()
	s := Scenario{Name: "two writes", Setup: func(w *World) {
		p := w.Process(0)
		w.Actor(p, Step{"writes", func(ctx context.Context, _ *Actor) {
			for _, name := range []string{"1", "2"} {
				if stored(ctx, w, new(dynamo.Expression).Increment("n").Update(table, keyOf(name))) != nil {
					return
				}
			}
		}})
		w.Judge = func(context.Context) {
			if p.Dead() && w.number("1") == 1 && w.number("2") == 0 {
				w.Problem("half")
			}
		}
	}}
	if got, ok := found(t, explorationOf(s), s, 200); !ok || got != "half" {
		t.Errorf("got %q, want a crash between two writes", got)
	}
}

// everything uses each kind of operation, and what of it both kinds of tables have to do
// alike.
func everything(w *World) {
	do := func(ctx context.Context, a *Actor, writes ...types.TransactWriteItem) {
		err := dynamo.Transact(ctx, w.Tables.Client(), writes...)
		reasons, refused := dynamo.Refused(err)
		w.Note("  %s: %t %t", a.Name, err == nil, refused)
		for i := range reasons {
			w.Note("  %s %d", reasons.Code(i), len(reasons[i].Item))
		}
	}
	for _, name := range []string{"1", "2"} {
		w.Actor(w.Process(0), Step{"writes", func(ctx context.Context, a *Actor) {
			x := keyOf(name)
			x["state"], x["check_shard"], x["check_at"] = dynamo.Text("a"), dynamo.Text("s"), dynamo.Number(int64(len(name)))
			do(ctx, a, new(dynamo.Expression).Absent("company").Put(table, x))
			do(ctx, a, new(dynamo.Expression).Set(dynamo.Item{"state": dynamo.Text("b"), "old": nil}).Increment("n").AbsentOr("n", "<", dynamo.Number(2)).Update(table, keyOf("1")),
				new(dynamo.Expression).Compare("check_at", ">=", dynamo.Number(1)).Check(table, keyOf("2")))
			do(ctx, a, new(dynamo.Expression).SetAbsent(dynamo.Item{"state": dynamo.Text("c"), "other": dynamo.Text("d")}).Update(table, keyOf("2")))
			in := new(dynamo.Expression).Equal("check_shard", dynamo.Text("s")).Compare("check_at", "<", dynamo.Number(5)).Query(table, "checks")
			n := 0
			for range dynamo.Query(ctx, w.Tables.Client(), "all", in, func(*Item, dynamo.Item) error { return nil }) {
				n++
			}
			w.Note("  %s: %d items", a.Name, n)
			do(ctx, a, new(dynamo.Expression).Equal("state", dynamo.Text("b")).Delete(table, keyOf("1")))
			if err := stored(ctx, w, new(dynamo.Expression).Equal("n", dynamo.Number(1)).Delete(table, keyOf("2"))); err != nil {
				w.Note("  %s: %t", a.Name, dynamo.ConditionFailed(err))
			}
		}})
	}
	w.Judge = func(context.Context) { w.Note("%d items in the end", len(w.Tables.Items(table))) }
}

// The quick tables do what dynamotest does, and a schedule repeats.
func TestRepeats(t *testing.T) {
	t.Parallel()
	explorationOf(Scenario{Name: "everything", Setup: everything}).Repeats(t)
}

// Requests reach the server through net/http and by hand, and fail in every way.
func TestNetwork(t *testing.T) {
	t.Parallel()
	statuses := map[string]bool{}
	s := Scenario{Name: "calls", Setup: func(w *World) {
		server := NewProcore(w)
		pair := server.Authorize(1)
		transport := procore.Dial(w.DialTransport).Transport()
		env, err := procore.ParseEnvironment("custom", "http://127.0.0.1:1", "http://127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		w.Actor(w.Process(0), Step{"calls", func(ctx context.Context, _ *Actor) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, env.APIURL+"/rest/v1.0/projects", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := env.Bearer(procore.NewSecret(pair.Access), transport).Do(req)
			if err != nil {
				statuses["none"] = true
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			statuses[resp.Status[:3]] = true
		}}, Step{"refreshes", func(ctx context.Context, a *Actor) {
			oauth := procore.OAuth{Environment: env, Clock: a.Process.Clock(), Random: w.Random(), Dial: w.Dial}
			token, err := oauth.Refresh(ctx, procore.NewSecret(pair.Refresh), "", w.Now().Add(time.Hour))
			switch {
			case err != nil:
				statuses["no pair"] = true
			case server.ByToken(token.AccessToken.Reveal()) == pair.Next:
				statuses["pair"] = true
			}
		}})
		w.Judge = func(context.Context) {
			if pair.Presented > 1 || pair.Spent && pair.Presented != 1 {
				w.Problem("presented %d times", pair.Presented)
			}
		}
	}}
	if got, ok := found(t, explorationOf(s), s, 300); ok {
		t.Errorf("got %s", got)
	}
	for _, want := range []string{"200", "401", "503", "none", "no pair", "pair"} {
		if !statuses[want] {
			t.Errorf("no schedule with %s", want)
		}
	}
}

// Two hours of waiting take no time, and no two actors wake at the same time.
func TestTime(t *testing.T) {
	t.Parallel()
	s := Scenario{Name: "waits", Setup: func(w *World) {
		w.Orderly = true
		var mu sync.Mutex
		begin, woke := w.Now(), map[time.Time]bool{}
		for range 3 {
			w.Actor(w.Process(time.Second), Step{"waits", func(ctx context.Context, a *Actor) {
				a.Sleep(2 * time.Hour)
				if err := a.Process.Clock().Sleep(ctx, 10*time.Second); err != nil {
					w.Problem("%v", err)
				}
				mu.Lock()
				woke[time.Now()] = true
				mu.Unlock()
			}})
		}
		w.Judge = func(context.Context) {
			if now := w.Now(); now.Sub(begin) < 2*time.Hour || len(woke) != 3 {
				w.Problem("%v passed, woken at %d times", now.Sub(begin), len(woke))
			}
		}
	}}
	if got, ok := found(t, explorationOf(s), s, 20); ok {
		t.Errorf("got %s", got)
	}
}

// Two waits of the same length that begin at different steps of one moment end at different
// times: who ran first would be no decision of the schedule.
func TestSteps(t *testing.T) {
	t.Parallel()
	s := Scenario{Name: "steps", Setup: func(w *World) {
		w.Orderly = true
		var mu sync.Mutex
		ended := map[time.Time]bool{}
		for range 3 {
			w.Actor(w.Process(0), Step{"waits", func(ctx context.Context, _ *Actor) {
				ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
				defer cancel()
				<-ctx.Done()
				mu.Lock()
				ended[time.Now()] = true
				mu.Unlock()
			}})
		}
		w.Judge = func(context.Context) {
			if len(ended) != 3 {
				w.Problem("three waits ended at %d times", len(ended))
			}
		}
	}}
	if got, ok := found(t, explorationOf(s), s, 20); ok {
		t.Errorf("got %s", got)
	}
}

// A failing schedule is made as short as it can be, and its text repeats it.
func TestDecisions(t *testing.T) {
	t.Parallel()
	d, err := parseDeviations("3=1,17=4")
	if err != nil || d[3] != 1 || d[17] != 4 || len(d) != 2 || len(d.without(3)) != 1 {
		t.Errorf("got %v, %v", d, err)
	}
	if _, err := parseDeviations("3"); err == nil {
		t.Error("no error for a place without a choice")
	}
	c := &deviating{from: d}
	for range 20 {
		c.choose(make([]option, 5))
	}
	if got := c.made.String(); got != "3=1,17=4" {
		t.Errorf("got %q", got)
	}
}
