package tokens

import (
	"strconv"
	"time"

	"procore-connect/internal/testing/proof/simulation"
)

// The user of most scenarios, with three companies as holders.
const only = 1

var onlyUser = User(only)

// scenarios, by name. "anything" is made up at random.
func scenarios(seen *transitions) []simulation.Scenario {
	var all []simulation.Scenario
	add := func(name string, setup func(x *run)) {
		all = append(all, simulation.Scenario{Name: name, Setup: func(w *simulation.World) { setup(newRun(w, seen)) }})
	}
	// each adds a scenario in which each step is that of an actor in its own process,
	// after the user authorized and time passed.
	each := func(name string, after time.Duration, prepare func(x *run), steps ...func(x *run) simulation.Step) {
		add(name, func(x *run) {
			prepare(x)
			x.connect(only)
			x.Advance(after)
			for _, s := range steps {
				x.Actor(x.process(0), s(x))
			}
		})
	}
	const soon, due, expired = 81 * time.Minute, 89 * time.Minute, 2 * time.Hour
	nothing := func(*run) {}
	each("one", expired, nothing, token)
	each("two", expired, nothing, token, token)
	each("three", expired, nothing, token, refreshing, token)
	each("living", due, nothing, token, token)
	each("background", due, nothing, background, refreshing, token)
	add("one process", func(x *run) {
		x.connect(only)
		x.Advance(expired)
		p := x.process(0)
		x.Actor(p, token(x))
		x.Actor(p, shortly(x))
		x.Actor(x.process(0), token(x))
	})
	each("short of time", expired, func(x *run) {
		x.Slow = true
		x.Happened("slow") // a release may come too late
	}, shortly, shortly)

	each("authorizes again", due, (*run).modes, token, authorizing)
	each("authorizes again late", expired, (*run).modes, token, authorizing, token)
	each("two browsers", due, (*run).modes, refreshing, authorizing, authorizing)
	each("two browsers and no pair", expired, (*run).modes, token, authorizing, authorizing)
	each("a slow browser", due, (*run).modes, slowly, waking(2*time.Second, authorizing))
	each("housekeeping moves", due, (*run).modes, authorizing, housekeeping, token)
	add("first authorization", func(x *run) {
		x.modes()
		for range 2 {
			x.Actor(x.process(0), authorizing(x), holding("1")(x), token(x))
		}
		x.Actor(x.process(0), housekeeping(x))
	})

	each("holds and releases", due, nothing, refreshing, releasing("1"), holding("4"))
	each("the last one leaves", due, (*run).onlyOne, refreshing, leaving("1"), holding("2"))
	each("leaves and authorizes", due, func(x *run) { x.modes(); x.onlyOne() }, leaving("1"), authorizing, token)
	each("revoke", due, (*run).unheld, refreshing, revoking)
	each("revoke late", expired, (*run).unheld, token, revoking)
	each("revoke and authorize", due, func(x *run) { x.modes(); x.unheld() }, revoking, choosing("1"), refreshing)
	each("two revoke", expired, (*run).unheld, revoking, revoking, holding("1"))

	each("rescue", expired, (*run).outages, token, restoring(3))
	each("rescue and authorization", due, func(x *run) { x.modes(); x.outages() }, token, restoring(3), authorizing)
	each("rescue and revoke", due, func(x *run) { x.outages(); x.unheld() }, refreshing, restoring(2), revoking)
	each("late rescue", expired, (*run).failing, token, restoring(3), waking(time.Minute, token))
	each("later rescue", expired, (*run).failing, token, waking(40*time.Minute, token), waking(time.Hour, restoring(1)))
	each("later rescue and authorization", due, func(x *run) { x.modes(); x.failing() }, refreshing, authorizing, waking(time.Minute, restoring(2)))
	each("later rescue and revoke", soon, func(x *run) { x.failing(); x.unheld() },
		refreshing, waking(time.Minute, revoking), waking(time.Minute, restoring(2)))
	each("later rescue, revoke and authorization", soon, func(x *run) { x.modes(); x.failing(); x.unheld() },
		refreshing, waking(time.Minute, revoking), waking(time.Minute, restoring(2)), waking(time.Minute, choosing("1")))
	each("short tokens", 95*time.Second, func(x *run) { x.procore.Lifetime = 100 * time.Second },
		token, waking(time.Minute, token), waking(99*time.Second, refreshing))
	add("clocks", func(x *run) {
		x.Slow = true
		x.connect(only)
		x.Advance(expired)
		x.Actor(x.process(-exploreSkew), token(x))
		x.Actor(x.process(exploreSkew), token(x), sleeping(10*time.Second)(x), token(x))
	})
	each("backup", expired, func(x *run) { x.backups(onlyUser) }, token, token)
	each("backup and authorization", due, func(x *run) { x.modes(); x.backups(onlyUser) }, token, authorizing)
	each("rotation", expired, (*run).rotation, token, token)
	each("frozen", expired, (*run).freezes, refreshing, token, token, token)
	each("401", due, nothing, invalidating, token, calling)
	each("calls", due, nothing, calling, calling)
	add("a backup of a doubt", func(x *run) {
		x.connect(only)
		x.Advance(expired)
		x.Actor(x.process(0), refreshing(x), backing(x), sleeping(31*time.Minute)(x), refreshing(x), restoringBackup(x), refreshing(x))
	})
	add("service account", func(x *run) {
		x.Actor(x.process(0), appToken(x))
		x.Actor(x.process(0), appToken(x), sleeping(expired)(x), appToken(x))
	})
	add("anything", anything)
	all[0].Depth = 2
	if racing {
		all[0].Depth = 1
	}
	all[len(all)-1].Weight = len(all)
	return all
}

// onlyOne lets the grant have one holder, and unheld none.
func (x *run) onlyOne() { x.holders = []string{"1"} }
func (x *run) unheld()  { x.holders = nil }

// freezes lets all processes be frozen for so long that a claim expires, and then a doubt.
func (x *run) freezes() {
	for _, d := range []time.Duration{time.Minute, 20 * time.Minute} {
		x.Action("frozen "+d.String(), func() { x.Happened("long"); x.Freeze(d) })
	}
}

// anything draws processes, actors and what they do.
func anything(x *run) {
	x.modes()
	x.procore.Replays = x.Pick("replay ends the successor", "no", "yes") == 1
	x.procore.OldDies = x.Pick("a refresh ends the old access token", "no", "yes") == 1
	x.procore.NoCreatedAt = x.Pick("answers have created_at", "yes", "yes", "no") == 2
	x.procore.Refusal = []int{400, 401}[x.Pick("a refusal has status", "400", "401")]
	x.holders = x.holders[:[]int{3, 1, 0}[x.Pick("holders", "3", "1", "0")]]
	x.procore.Lifetime = []time.Duration{90 * time.Minute, 100 * time.Second}[x.Pick("a token is valid for", "90 min", "90 min", "100 s")/2]
	x.failsAfterSending = x.Pick("storage", "works", "works", "fails after a token was sent") == 2
	x.connect(only)
	x.outages()
	x.backups(onlyUser)
	x.rotation()
	x.Advance([]time.Duration{2 * time.Hour, 89 * time.Minute}[x.Pick("the access token", "has expired", "is valid")])
	var procs []*simulation.Process
	for range 2 + x.Pick("processes", "2", "3") {
		skew := x.Pick("skew", "0", "2s", "-2s")
		procs = append(procs, x.process([]time.Duration{0, exploreSkew, -exploreSkew}[skew]))
	}
	for i := range 2 + x.Pick("actors", "2", "3", "4") {
		var script []simulation.Step
		for range 1 + x.Pick("steps", "1", "2", "3") {
			script = append(script, x.draw())
		}
		x.Actor(procs[i%len(procs)], script...)
	}
}

// draw decides on a step. The usual ones are more frequent.
func (x *run) draw() simulation.Step {
	all := []simulation.Step{token(x), token(x), token(x), refreshing(x), refreshing(x), background(x), shortly(x), calling(x), invalidating(x),
		authorizing(x), choosing("1")(x), housekeeping(x), holding("2")(x), releasing("1")(x), leaving("1")(x), leaving("2")(x), revoking(x),
		restoring(2)(x), sleeping(10 * time.Minute)(x), sleeping(2 * time.Hour)(x), probing(x)}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name + " " + strconv.Itoa(i)
	}
	return all[x.Pick("does", names...)]
}
