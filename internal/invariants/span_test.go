package invariants

import (
	"strings"
	"testing"
)

// Two reads with several writes between them are judged by whether the model leads from one to the other.
func TestCheckSpan(t *testing.T) {
	t.Parallel()
	stored := func(r *Row) {
		r.Generation++
		r.Sealed, r.LastAttempt, r.Attempt, r.ClaimUntil = []byte("new"), r.Attempt, "", 0
	}
	late := func(writes int64, change func(*Row)) func(*Row) {
		return func(r *Row) {
			r.Rev += writes - 1
			change(r)
		}
	}
	nothing := func(*Row) {}
	for _, tt := range []struct {
		name      string
		old, next Row
		want      string // part of the only problem; "": no problem
	}{
		{"nothing", active(), active(), ""},
		{"one write", active(), claimed(), ""},
		{"a refresh", active(), active().enter("active", late(2, stored)), ""},
		{"a claim released", active(), active().with(func(r *Row) { r.Rev += 2 }), ""},
		{"a doubt that became a death", active(), uncertain().enter("reauthorize", nothing), ""},
		{"a death between two reads, healed", uncertain(), uncertain().enter("reauthorize", nothing).enter("active", stored), ""},
		{"one write, judged in full", claimed(), claimed().enter("active", func(r *Row) { stored(r); r.LastAttempt = "mine" }), "did not hold the claim"},
		{"the past cut off", active(), active().with(func(r *Row) { r.Rev += 3; r.Transitions = r.Transitions[1:] }), "past was changed"},
		{"the past rewritten", active(), active().enter("active", func(r *Row) { r.Rev += 2; stored(r); r.Transitions[0].Reason = "x" }), "past was changed"},
		{"by hand", active(), active().with(func(r *Row) { r.Holders = []string{"1", "2"} }), "did not count rev"},
		{"a transition that the model lacks", active(), active().enter("revoked", func(r *Row) { r.Sealed, r.SealKey = nil, "" }), "revoked/free"},
		{"too few writes", active(), active().with(func(r *Row) { r.Rev += 2; r.Generation += 3; r.Sealed = []byte("x") }), "no path of the model"},
		{"another pair", active(), active().with(func(r *Row) { r.Rev += 2; r.Sealed = []byte("x") }), "another pair"},
		{"the same pair", active(), active().enter("active", func(r *Row) { r.Rev++; r.Generation++ }), "without a new pair"},
		{"revived", revoked(), revoked().enter("active", func(r *Row) { r.Rev += 4 }), "no path of the model"},
		{"restored", active(), active().with(func(r *Row) { r.Rev-- }), "rev went back"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := CheckSpan(Change{tt.old, tt.next}, Allowed())
			if tt.want == "" && got != nil || tt.want != "" && !strings.Contains(strings.Join(got, "\n"), tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
