package system

import (
	"slices"
	"testing"
	"time"
)

// A run is made smaller until only what causes its problem is left.
func TestMinimise(t *testing.T) {
	t.Parallel()
	features := []string{"fault crash", "fault lost", "leaves", "skew", "shuffle"}
	faults := []string{"a/1", "a/2", "b/1", "b/7", "c/3"}
	run := func(c Config) *Result {
		r := &Result{Config: c}
		for _, f := range features {
			if !slices.Contains(c.Without, f) {
				r.Features = append(r.Features, f)
			}
		}
		for _, f := range faults {
			if c.Faults == nil || slices.Contains(c.Faults, f) {
				r.Happened = append(r.Happened, f)
			}
		}
		r.Faults = len(r.Happened)
		if c.Companies >= 3 && c.Time >= 5*time.Hour && slices.Contains(r.Features, "leaves") && slices.Contains(r.Features, "fault lost") && slices.Contains(r.Happened, "b/7") {
			r.Problems, r.Found = append(r.Problems, "R1: refresher#7 sends a token"), 5*time.Hour-time.Second
		}
		return r
	}
	got := minimise(run(Config{Companies: 40, Time: 48 * time.Hour}), time.Hour, run, t.Logf).Config
	slices.Sort(got.Without)
	want := Config{Companies: 3, Time: 5 * time.Hour, Without: []string{"fault crash", "shuffle", "skew"}, Faults: []string{"b/7"}}
	if got.Companies != want.Companies || got.Time != want.Time || !slices.Equal(got.Without, want.Without) || !slices.Equal(got.Faults, want.Faults) {
		t.Errorf("%+v, not %+v", got, want)
	}
}

// The command of a run repeats it.
func TestReplay(t *testing.T) {
	t.Parallel()
	want := Config{Seed: 7, Companies: 3, Time: 90 * time.Minute, Events: 3, Storms: true, Without: []string{"skew", "fault lost"}, Faults: []string{"delivery 1 of hook 2, again,/1"}}
	got, err := parse(fields((&Result{Config: want}).Replay() + "  # R1: SEED=9"))
	if err != nil || got.Seed != want.Seed || got.Companies != want.Companies || got.Time != want.Time ||
		got.Events != want.Events || got.Storms != want.Storms || !slices.Equal(got.Without, want.Without) || !slices.Equal(got.Faults, want.Faults) {
		t.Errorf("%+v, not %+v: %v", got, want, err)
	}
	for _, wrong := range []string{"SEED=x", "COMPANIES=0", "DAYS=-1", "COMPANIES=many", "EVENTS=0"} {
		if _, err := parse(fields(wrong)); err == nil {
			t.Errorf("%s is accepted", wrong)
		}
	}
}

// A trace is shortened to what concerns its problems.
func TestShortened(t *testing.T) {
	t.Parallel()
	trace := []string{"1 refresher#7 reads", "2 other#1 reads", "3 other#2 writes lost (fault 1)", "4 user of 10000001 clicks", "PROBLEM R1: refresher#7 of company 10000001", "6 refresher#7 reads"}
	got := shortened(trace, "R1: refresher#7 of company 10000001")
	if want := slices.Concat(trace[:1], trace[2:5]); !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}
