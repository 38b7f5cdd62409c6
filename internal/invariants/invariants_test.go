package invariants

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func active() Row {
	return Row{
		Grant: "custom#user#2", State: "active", Generation: 3, Rev: 7, LastAttempt: "before",
		SealKey: "k1", Sealed: []byte("sealed"), ExpiresAt: noon.Unix(), Holders: []string{"1"}, DueShard: "4", DueAt: 1,
		Transitions: []Past{{"active", 2, "", noon.Unix() - 90, "authorized"}, {"active", 3, "before", noon.Unix(), "refreshed"}},
	}
}

func (r Row) with(change func(*Row)) Row {
	r.Transitions = slices.Clone(r.Transitions)
	change(&r)
	return r
}

// enter returns r after a write that changes its state.
func (r Row) enter(state string, change func(*Row)) Row {
	return r.with(func(r *Row) {
		r.State, r.Rev = state, r.Rev+1
		r.Reason, r.ReasonAt, r.DueShard, r.DueAt = "", 0, "4", 1
		if state != "active" {
			r.Reason, r.ReasonAt = "because", noon.Unix()
		}
		change(r)
		if !r.due() {
			r.DueShard, r.DueAt = "", 0
		}
		r.Transitions = append(r.Transitions, Past{state, r.Generation, r.StateAttempt, noon.Unix(), "because"})
	})
}

func claimed() Row {
	return active().with(func(r *Row) {
		r.Rev++
		r.Attempt, r.ClaimUntil = "now", noon.Add(20*time.Second).UnixMilli()
	})
}

func uncertain() Row {
	return claimed().enter("uncertain", func(r *Row) { r.ClaimUntil, r.StateAttempt = 0, "now" })
}

func unheld() Row {
	return active().with(func(r *Row) { r.Rev, r.Holders, r.UnheldAt = r.Rev+1, nil, noon.Unix() })
}

func revoking() Row {
	return unheld().with(func(r *Row) {
		r.Rev++
		r.Attempt, r.ClaimUntil = "revoke-now", noon.Add(20*time.Second).UnixMilli()
	})
}

func revoked() Row {
	return revoking().enter("revoked", func(r *Row) { r.Sealed, r.SealKey, r.Attempt, r.ClaimUntil = nil, "", "", 0 })
}

func TestCheckRow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		row  Row
		want string // part of the only problem; "": no problem
	}{
		{"active", active(), ""},
		{"claimed", claimed(), ""},
		{"uncertain", uncertain(), ""},
		{"unheld", unheld(), ""},
		{"revoking", revoking(), ""},
		{"revoked", revoked(), ""},
		{"another state", active().with(func(r *Row) { r.State, r.DueShard, r.DueAt, r.Transitions[1].State = "x", "", 0, "x" }), `state "x"`},
		{"held and unheld", active().with(func(r *Row) { r.UnheldAt = 1 }), "without one since"},
		{"revoking with a holder", revoking().with(func(r *Row) { r.Holders, r.UnheldAt = []string{"1"}, 0 }), "with a holder"},
		{"revoked with a pair", revoked().with(func(r *Row) { r.Sealed = []byte("x") }), "still holds a pair"},
		{"active with a reason", active().with(func(r *Row) { r.Reason = "x" }), "reason against it"},
		{"uncertain without reason", uncertain().with(func(r *Row) { r.Reason = "" }), "without a reason"},
		{"uncertain by no attempt", uncertain().with(func(r *Row) { r.StateAttempt = "" }), "by no attempt"},
		{"no pair", active().with(func(r *Row) { r.Sealed = nil }), "without a pair"},
		{"not in the index", active().with(func(r *Row) { r.DueShard, r.DueAt = "", 0 }), "index due"},
		{"claimed by no attempt", claimed().with(func(r *Row) { r.Attempt = "" }), "claimed by no attempt"},
		{"claimed for long", claimed().with(func(r *Row) { r.ClaimUntil += 60_000 }), "longer than a claim"},
		{"no transitions", active().with(func(r *Row) { r.Transitions = nil }), "0 transitions"},
		{"too many", active().with(func(r *Row) { r.Transitions = slices.Repeat(r.Transitions[1:], 21) }), "21 transitions"},
		{"another last state", active().with(func(r *Row) { r.Transitions[1].State = "revoked" }), "last transition is to"},
		{"generations go back", active().with(func(r *Row) { r.Transitions[0].Generation = 9 }), "older generation"},
		{"time goes back", active().with(func(r *Row) { r.Transitions[1].At -= 200 }), "earlier"},
		{"due without time", active().with(func(r *Row) { r.DueAt = 0 }), "due_at"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantOne(t, CheckRow(tt.row, noon), tt.want)
		})
	}
}

func wantOne(t *testing.T, got []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("got %q, want none", got)
	case want != "" && (len(got) != 1 || !strings.Contains(got[0], want)):
		t.Errorf("got %q, want one with %q", got, want)
	}
}

func TestCheckChange(t *testing.T) {
	t.Parallel()
	stored := func(r *Row) {
		r.Generation++
		r.Sealed, r.LastAttempt, r.Attempt, r.ClaimUntil = []byte("new"), r.Attempt, "", 0
	}
	authorized := func(r *Row) {
		stored(r)
		r.LastAttempt = ""
	}
	reauthorize := uncertain().enter("reauthorize", func(*Row) {})
	tests := []struct {
		name       string
		old, next  Row
		transition string
		want       string
	}{
		{"claim", active(), claimed(), "active/free -> active/claimed +0", ""},
		{"store", claimed(), claimed().enter("active", stored), "active/claimed -> active/free +1", ""},
		{"late store", reauthorize, reauthorize.enter("active", stored), "reauthorize/free -> active/free +1", ""},
		{"authorization", revoked(), revoked().enter("active", authorized), "revoked/free -> active/free +1", ""},
		{"revocation", unheld(), revoking(), "active/free -> active/revoking +0", ""},
		{"its end", revoking(), revoked(), "active/revoking -> revoked/free +0", ""},
		{"revoked at once", unheld(), unheld().enter("revoked", func(r *Row) { r.Sealed, r.SealKey = nil, "" }), "active/free -> revoked/free +0", "without a claim"},
		{"lost write", active(), claimed().with(func(r *Row) { r.Rev++ }), "active/free -> active/claimed +0", "rev after 7"},
		{"claim of a dead one", revoked(), revoked().with(func(r *Row) { r.Rev++; r.Attempt, r.ClaimUntil = "now", 1 }), "revoked/free -> revoked/claimed +0", "a claim on what was"},
		{"claim taken over", claimed(), claimed().with(func(r *Row) { r.Rev++; r.Attempt = "mine" }), "", "taken over"},
		{"store by another", claimed(), claimed().enter("active", func(r *Row) { stored(r); r.LastAttempt = "mine" }), "active/claimed -> active/free +1", "did not hold the claim"},
		{"pair changed", active(), active().with(func(r *Row) { r.Rev++; r.Sealed = []byte("x") }), "", "another pair"},
		{"revived", revoked(), revoked().enter("active", func(*Row) {}), "revoked/free -> active/free +0", "revived"},
		{"revived by another", reauthorize, reauthorize.enter("active", func(r *Row) { r.StateAttempt = "mine" }), "reauthorize/free -> active/free +0", "revived by another"},
		{"silent", active(), active().with(func(r *Row) { r.Rev++; r.State = "reauthorize" }), "active/free -> reauthorize/free +0", "without a transition"},
		{"past changed", active(), active().enter("reauthorize", func(r *Row) { r.Transitions[0].Reason = "x" }), "active/free -> reauthorize/free +0", "past was changed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Change{tt.old, tt.next}
			if got := c.Transition(); got != tt.transition {
				t.Errorf("got %q, want %q", got, tt.transition)
			}
			wantOne(t, CheckChange(c), tt.want)
		})
	}
}

func TestCheckTables(t *testing.T) {
	t.Parallel()
	item := func(text string) Item {
		var i Item
		if err := json.Unmarshal([]byte(text), &i); err != nil {
			t.Fatal(err)
		}
		return i
	}
	row := item(`{"grant":{"S":"custom#user#2"},"holders":{"SS":["1"]},"due_at":{"N":"1"},"state":{"S":"uncertain"},"generation":{"N":"1"},"rev":{"N":"3"},
		"attempt":{"S":"a"},"state_attempt":{"S":"a"},"reason":{"S":"x"},"reason_at":{"N":"1"},"sealed":{"B":"YQ=="},"seal_key":{"S":"k1"},"due_shard":{"S":"1"},
		"transitions":{"L":[{"M":{"state":{"S":"uncertain"},"generation":{"N":"1"},"at":{"N":"1"}}}]}}`)
	entry := item(`{"fingerprint":{"S":"f"},"attempt":{"S":"a"},"spent_at":{"N":"1"},"ttl":{"N":"2"}}`)
	breaker := item(`{"grant":{"S":"custom#breaker"}}`)
	wantOne(t, CheckTables([]Item{row, breaker}, []Item{entry}, noon), "")
	wantOne(t, CheckTables([]Item{row}, nil, noon), "does not know attempt")
	over := item(`{"grant":{"S":"custom#user#2"},"fingerprint":{"S":"f"},"attempt":{"S":"discard-b"},"spent_at":{"N":"1"},"ttl":{"N":"2"}}`)
	wantOne(t, CheckTables([]Item{row}, []Item{over}, noon), "")
	over["grant"] = breaker["grant"]
	wantOne(t, CheckTables([]Item{row}, []Item{over}, noon), "does not know attempt")
	wantOne(t, CheckTables([]Item{{"rev": row["state"]}}, nil, noon), "rev is not a whole number")
	wantOne(t, CheckTables(nil, []Item{item(`{"fingerprint":{"S":"f"},"ttl":{"N":"2"}}`)}, noon), "without token or attempt")
}

// What is allowed are the lines of the model.
func TestTransitions(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z]+/(free|claimed|revoking) -> [a-z]+/(free|claimed|revoking) \+[01]$`)
	for line := range Allowed() {
		if !form.MatchString(line) {
			t.Errorf("spec/transitions.txt has the line %q, which is not a transition", line)
		}
	}
	if n := len(Allowed()); n < 20 {
		t.Errorf("the model allows only %d transitions", n)
	}
}
