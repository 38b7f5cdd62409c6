package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	redirect = "http://127.0.0.1:3000/oauth/callback"
	company  = procoretest.MyConstruction
)

func loopbackEnvironment() procore.Environment {
	env, err := procore.ParseEnvironment("custom", "http://127.0.0.1:1", "http://127.0.0.1:1")
	if err != nil {
		panic(err)
	}
	return env
}

// app is a process that uses the real client, on the pair that it has.
type app struct {
	world   *World
	fake    *FakeProcore
	process *Process
	pair    *Pair
	hook    procore.Hook
}

func newApp(w *World, fake *FakeProcore, p *Process) *app {
	return &app{world: w, fake: fake, process: p, pair: fake.Issue(procoretest.Joe, redirect)}
}

// client returns a client of the company. Each call has its own connection.
func (a *app) client() *procore.CompanyClient {
	hc := loopbackEnvironment().Bearer(procore.NewSecret(a.pair.Access), procore.Dial(a.world.DialTransport).Transport())
	return procore.NewCompanyClient(loopbackEnvironment(), hc, company, procore.WithClock(a.process.Clock()), procore.WithRandom(a.world.Random()))
}

func (a *app) note(what string, n int, err error) {
	a.world.Note("  p%d %s: %d, %v", a.process.ID(), what, n, err)
}

func (a *app) refresh(ctx context.Context, by *Actor) {
	oauth := procore.OAuth{Environment: loopbackEnvironment(), ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret"),
		Clock: by.Process.Clock(), Random: a.world.Random(), Dial: a.world.Dial}
	token, err := oauth.Refresh(ctx, procore.NewSecret(a.pair.Refresh), redirect, a.world.Now().Add(time.Hour))
	if err == nil {
		a.pair = a.fake.ByToken(token.AccessToken.Reveal())
	}
	a.note("refreshed", len(a.fake.Pairs), err)
}

func (a *app) asks(ctx context.Context, _ *Actor) {
	_, err := a.client().Me(ctx)
	a.note("me", 0, err)
}

func (a *app) reads(ctx context.Context, _ *Actor) {
	n := 0
	var last error
	for _, err := range a.client().Projects(ctx) {
		last = err
		n++
	}
	a.note("projects", n, last)
}

func (a *app) connects(ctx context.Context, _ *Actor) {
	c := a.client()
	hook, err := c.CreateHook(ctx, procore.HookSpec{Namespace: "our-app", PayloadVersion: "v4.0",
		DestinationURL: fmt.Sprintf("http://127.0.0.1:%d/hook", 3000+a.process.ID()), Headers: procore.Headers{"Authorization": procore.NewSecret("Bearer fake-of-our-own")}})
	a.note("hook", len(hook.ID), err)
	if err != nil {
		return
	}
	a.hook = hook
	made, err := c.CreateTriggers(ctx, hook.ID, []procore.Trigger{{Resource: "RFIs", EventType: "create"}, {Resource: "RFIs", EventType: "update"}})
	a.note("triggers", len(made), err)
}

// Steps of a call that the schedule may delay for longer than it may take.
func limited(do func(context.Context, *Actor)) func(context.Context, *Actor) {
	return func(ctx context.Context, a *Actor) {
		ctx, cancel := WithTimeout(ctx, time.Minute)
		defer cancel()
		do(ctx, a)
	}
}

// receiver answers deliveries, each after its own gate.
type receiver struct {
	world   *World
	arrived map[string]int // by the resource
}

func (r *receiver) receive(ctx context.Context, q *http.Request) *http.Response {
	if q.Method == http.MethodHead {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	}
	body, err := io.ReadAll(q.Body)
	e, err2 := procore.DecodeEvent(body)
	if err := errors.Join(err, err2); err != nil {
		r.world.Problem("%v", err)
	}
	if Gate(ctx, "stores an event", Refused) == Refused {
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody}
	}
	r.arrived[string(e.ResourceID)]++
	r.world.Note("  %s arrived", e.ResourceID)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader([]byte("OK")))}
}

// whole is the real client of two processes, people and a receiver.
func whole(crooked string) Scenario {
	return Scenario{Name: "whole " + crooked, Setup: func(w *World) {
		fake := NewFakeProcore(w, procoretest.Options{Shuffle: 2, Crooked: crooked})
		to := &receiver{w, map[string]int{}}
		fake.Receive = to.receive
		for range 2 {
			a := newApp(w, fake, w.Process(0))
			w.Actor(a.process, Step{"connects", limited(a.connects)}, Step{"refreshes", limited(a.refresh)})
			w.Actor(a.process, Step{"asks who the user is", limited(a.asks)}, Step{"reads", limited(a.reads)}, Step{"reads again", limited(a.reads)})
		}
		w.Actor(fake.process, Step{"changes", func(ctx context.Context, _ *Actor) {
			for i := range 3 {
				Gate(ctx, "changes something")
				emit(w, fake, int64(100+i))
			}
		}})
		w.Judge = func(context.Context) { judge(w, fake, to) }
	}}
}

func emit(w *World, fake *FakeProcore, id int64) {
	e := procoretest.Event{CompanyID: company, ProjectID: 2001, ResourceName: "RFIs", ResourceID: procore.NewID(id), EventType: "create"}
	if _, err := fake.Emit(e); err != nil {
		w.Problem("%v", err)
	}
}

// judge checks what the adapter recorded against the fake itself.
func judge(w *World, fake *FakeProcore, to *receiver) {
	st := fake.State()
	for _, h := range st.Hooks {
		if h.Waiting > 0 {
			w.Problem("%d events wait for no courier", h.Waiting)
		}
	}
	for _, d := range st.Deliveries {
		w.Note("%s %d %s", d.Outcome, d.ResponseStatus, d.ResponseError)
		if e, err := procore.DecodeEvent(d.Event); d.Outcome == procoretest.OutcomeOK && (err != nil || to.arrived[string(e.ResourceID)] == 0) {
			w.Problem("event %s is delivered and has not arrived: %v", d.EventID, err)
		}
	}
	for i, t := range st.RefreshTokens {
		pair := fake.Pairs[i]
		if t.Fingerprint != procoretest.Fingerprint(pair.Refresh) && pair.Refresh != "" || pair.Spent != (t.State == procoretest.Spent) {
			w.Problem("pair %+v, and the fake has %+v", pair, t)
		}
	}
	for _, u := range fake.Uses {
		w.Note("%s sent a token: %s, %d, %t", u.By, u.Fault, u.Status, u.Next != nil)
		if u.Next != nil && (u.Pair.Next != u.Next || u.Next.Prev != u.Pair || u.Status != http.StatusOK || u.Before != procoretest.Live) {
			w.Problem("use %+v of pair %+v", u, u.Pair)
		}
	}
}

// quirky are quirks that the schedules of the tests have.
var quirky = []string{"", "seed:1", "seed:2", "gzip,long-tokens,probe-head", "disabled,one-event-id,link-host"}

// The same seed always leads to the same trace, byte for byte, and another seed to another.
func TestFakeProcoreRepeats(t *testing.T) {
	t.Parallel()
	e, before := explorationOf(), ""
	for n := range uint64(60) {
		s, seed, trace := whole(quirky[int(n)%len(quirky)]), n*0x9E3779B97F4A7C15, ""
		for range 3 {
			got := e.schedule(t, quickClient(), s, guess(seed), true)
			if trace != "" && got.Trace() != trace {
				t.Fatalf("%s, seed %d: the same seed led to another trace:\n%s", s.Name, seed, difference(trace, got.Trace()))
			}
			trace = got.Trace()
			for _, p := range got.Problems() {
				t.Errorf("%s, seed %d: %s", s.Name, seed, p)
			}
		}
		if trace == before {
			t.Errorf("seed %d has the trace of the one before", seed)
		}
		before = trace
	}
}

// Each fault happens where it can, and what the adapter records is what the fake has.
func TestFakeProcoreFaults(t *testing.T) {
	t.Parallel()
	e := explorationOf(whole(""))
	e.Seeds, e.events, e.seen = 1, map[string]int{}, map[uint64]struct{}{}
	if !e.systematic(t, quickClient(), 0) {
		return
	}
	for _, f := range []Fault{Vanish, Status503, Status429, Status401, InvalidClient, HTML502, HTML200, Cut, CutEarly, CutLate, NoRefresh,
		Partial, Moved, Twice, Late, Lost, Hang, Closes, Unreachable, Refused, Crash, CrashAfter} {
		if e.events["fault "+string(f)] == 0 {
			t.Errorf("no schedule has %s", f)
		}
	}
}

// delivery is one change of which a hook reports. result gets how often it arrived, and how
// its attempts ended.
func delivery(result *string) Scenario {
	return Scenario{Name: "delivery", Setup: func(w *World) {
		fake := NewFakeProcore(w, procoretest.Options{})
		to := &receiver{w, map[string]int{}}
		fake.Receive = to.receive
		newApp(w, fake, fake.process).connects(w.Context(), nil)
		w.Actor(fake.process, Step{"changes", func(context.Context, *Actor) { emit(w, fake, 7) }})
		w.Judge = func(context.Context) {
			judge(w, fake, to)
			all := []string{fmt.Sprint(to.arrived["7"])}
			for _, d := range fake.State().Deliveries {
				all = append(all, d.Outcome)
			}
			*result = strings.Join(all, " ")
		}
	}}
}

// A delivery that is lost is repeated, and one that is lost on the way back, late or
// duplicated arrives twice.
func TestFakeDelivery(t *testing.T) {
	t.Parallel()
	var got string
	s := delivery(&got)
	e := explorationOf(s)
	e.Seeds, e.events, e.seen = 1, map[string]int{}, map[uint64]struct{}{}
	want := map[Fault]string{Vanish: "1 retried ok", Twice: "2 ok", Late: "2 retried ok", Lost: "2 retried ok", Hang: "2 retried ok", Cut: "2 retried ok", Refused: "1 retried ok"}
	met := map[Fault]bool{}
	e.Done = func(_ Scenario, w *World) {
		for f, wanted := range want {
			if w.Events()["fault "+string(f)] == 0 {
				continue
			}
			if met[f] = true; got != wanted {
				t.Errorf("%s: %s, want %s", f, got, wanted)
			}
		}
		if len(w.Events()) == 0 && got != "1 ok" {
			t.Errorf("%s without a fault", got)
		}
	}
	if e.systematic(t, quickClient(), 0); len(met) != len(want) {
		t.Errorf("faults %v, want %d", met, len(want))
	}
}

// People and administrators change what the app may do.
func TestFakePeople(t *testing.T) {
	t.Parallel()
	s := Scenario{Name: "people", Setup: func(w *World) {
		fake := NewFakeProcore(w, procoretest.Options{SecondAuthorization: procoretest.Kill})
		fake.Receive = (&receiver{w, map[string]int{}}).receive
		a := newApp(w, fake, fake.process)
		first := a.pair
		a.connects(w.Context(), nil)
		hook, _ := a.hook.ID.Int64()
		status := func(want int) {
			err := a.client().Enter(w.Context())
			if e, ok := errors.AsType[*procore.Error](err); want == 0 && err != nil || want != 0 && (!ok || e.Status != want) {
				w.Problem("got %v, want status %d", err, want)
			}
		}
		wants := func(what string, ok bool) {
			if !ok {
				w.Problem("%s", what)
			}
		}
		status(0)
		fake.Member(company, procoretest.Joe, false)
		status(http.StatusNotFound)
		fake.Member(company, procoretest.Joe, true)
		status(0)
		fake.Install(company, false)
		status(http.StatusForbidden)
		fake.Install(company, true)
		status(0)
		fake.UserInstalls(company, false)
		wants("user installs", !fake.Company(company).UserInstalls)
		fake.EnableHook(hook, false)
		emit(w, fake, 1)
		wants("a disabled hook", fake.State().Hooks[0].Disabled && fake.State().Hooks[0].Waiting == 0)
		fake.EnableHook(hook, true)
		emit(w, fake, 2)
		wants("an enabled hook", fake.State().Hooks[0].Waiting == 1)

		oauth := procore.OAuth{Environment: loopbackEnvironment(), ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret"), Dial: w.Dial}
		verifier := procore.NewSecret(strings.Repeat("v", 43))
		callback, err := url.Parse(fake.Authorize(procoretest.Joe, oauth.AuthCodeURL(procore.NewSecret("state"), verifier, redirect)))
		if err != nil {
			w.Problem("%v", err)
			return
		}
		token, err := oauth.Exchange(w.Context(), procore.NewSecret(callback.Query().Get("code")), verifier, redirect)
		pair := fake.LastGood(procoretest.Joe)
		wants("the pair of the second authorization", err == nil && pair != nil && pair.Access == token.AccessToken.Reveal() && pair.Authorizations == 1)
		wants("the first pair ends", first.Ended == procoretest.ByAuthorization && !fake.Good(first) && fake.Good(pair))
		wants("a refusal", strings.Contains(fake.Deny(procoretest.Joe, oauth.AuthCodeURL(procore.NewSecret("state"), verifier, redirect)), "access_denied"))
		strict{}.must(fake.Overwrite())
		wants("nothing is left", fake.LastGood(procoretest.Joe) == nil && pair.Ended == procoretest.ByOverwrite && len(fake.State().Hooks) == 0)
	}}
	if got, ok := found(t, explorationOf(s), s, 1); ok {
		t.Error(got)
	}
}
