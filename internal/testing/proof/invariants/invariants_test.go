package invariants

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func active() Row {
	return Row{
		CompanyID: "1", Principal: "user#2", State: "active", Generation: 3, Rev: 7, LastAttempt: "before",
		SealKey: "k1", Sealed: []byte("sealed"), ExpiresAt: noon.Unix(), DueShard: "4",
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
		r.Reason, r.ReasonAt, r.DueShard = "", 0, "4"
		if state != "active" {
			r.Reason, r.ReasonAt = "because", noon.Unix()
		}
		if !r.Usable() {
			r.DueShard = ""
		}
		change(r)
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
		{"another state", active().with(func(r *Row) { r.State, r.DueShard, r.Transitions[1].State = "x", "", "x" }), `state "x"`},
		{"active with a reason", active().with(func(r *Row) { r.Reason = "x" }), "reason against it"},
		{"uncertain without reason", uncertain().with(func(r *Row) { r.Reason = "" }), "without a reason"},
		{"uncertain by no attempt", uncertain().with(func(r *Row) { r.StateAttempt = "" }), "by no attempt"},
		{"no pair", active().with(func(r *Row) { r.Sealed = nil }), "without a pair"},
		{"not in the index", active().with(func(r *Row) { r.DueShard = "" }), "index due"},
		{"claimed by no attempt", claimed().with(func(r *Row) { r.Attempt = "" }), "claimed by no attempt"},
		{"claimed for long", claimed().with(func(r *Row) { r.ClaimUntil += 60_000 }), "longer than a claim"},
		{"no transitions", active().with(func(r *Row) { r.Transitions = nil }), "0 transitions"},
		{"too many", active().with(func(r *Row) { r.Transitions = slices.Repeat(r.Transitions[1:], 21) }), "21 transitions"},
		{"another last state", active().with(func(r *Row) { r.Transitions[1].State = "revoked" }), "last transition is to"},
		{"generations go back", active().with(func(r *Row) { r.Transitions[0].Generation = 9 }), "older generation"},
		{"time goes back", active().with(func(r *Row) { r.Transitions[1].At -= 200 }), "earlier"},
		{"check without time", active().with(func(r *Row) { r.CheckShard = "4" }), "check_at"},
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
	disconnected := active().enter("disconnected", func(*Row) {})
	tests := []struct {
		name       string
		old, next  Row
		transition string
		want       string
	}{
		{"claim", active(), claimed(), "active/free -> active/claimed +0", ""},
		{"store", claimed(), claimed().enter("active", stored), "active/claimed -> active/free +1", ""},
		{"late store", reauthorize, reauthorize.enter("active", stored), "reauthorize/free -> active/free +1", ""},
		{"authorization", disconnected, disconnected.enter("active", authorized), "disconnected/free -> active/free +1", ""},
		{"lost write", active(), claimed().with(func(r *Row) { r.Rev++ }), "active/free -> active/claimed +0", "rev after 7"},
		{"claim of a dead one", disconnected, disconnected.with(func(r *Row) { r.Rev++; r.Attempt, r.ClaimUntil = "now", 1 }), "disconnected/free -> disconnected/claimed +0", "a claim on what was"},
		{"claim taken over", claimed(), claimed().with(func(r *Row) { r.Rev++; r.Attempt = "mine" }), "", "taken over"},
		{"store by another", claimed(), claimed().enter("active", func(r *Row) { stored(r); r.LastAttempt = "mine" }), "active/claimed -> active/free +1", "did not hold the claim"},
		{"pair changed", active(), active().with(func(r *Row) { r.Rev++; r.Sealed = []byte("x") }), "", "another pair"},
		{"revived", disconnected, disconnected.enter("active", func(*Row) {}), "disconnected/free -> active/free +0", "revived"},
		{"revived by another", reauthorize, reauthorize.enter("active", func(r *Row) { r.StateAttempt = "mine" }), "reauthorize/free -> active/free +0", "revived by another"},
		{"silent", active(), active().with(func(r *Row) { r.Rev++; r.State = "disconnected" }), "active/free -> disconnected/free +0", "without a transition"},
		{"past changed", active(), active().enter("disconnected", func(r *Row) { r.Transitions[0].Reason = "x" }), "active/free -> disconnected/free +0", "past was changed"},
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

func TestCheckPresented(t *testing.T) {
	t.Parallel()
	good := Presentation{Token: "t", Attempt: "a", Confirmed: true}
	tests := []struct {
		name string
		all  []Presentation
		want string
	}{
		{"once", []Presentation{good}, ""},
		{"twice", []Presentation{good, good}, "R1"},
		{"not in the ledger", []Presentation{{Token: "t", Confirmed: true}}, "ledger"},
		{"not confirmed", []Presentation{{Token: "t", Attempt: "a"}}, "not confirmed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantOne(t, CheckTrace(Trace{Presented: tt.all}), tt.want)
		})
	}
	wantOne(t, CheckCounts(map[string]int{"t": 2}), "R1")
	wantOne(t, CheckCounts(map[string]int{"t": 1}), "")
}

func TestCheckTables(t *testing.T) {
	t.Parallel()
	item := func(text string) Item {
		i, err := ParseItem([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	row := item(`{"company_id":{"S":"1"},"principal":{"S":"user#2"},"state":{"S":"uncertain"},"generation":{"N":"1"},"rev":{"N":"3"},
		"attempt":{"S":"a"},"state_attempt":{"S":"a"},"reason":{"S":"x"},"reason_at":{"N":"1"},"sealed":{"B":"YQ=="},"seal_key":{"S":"k1"},"due_shard":{"S":"1"},
		"transitions":{"L":[{"M":{"state":{"S":"uncertain"},"generation":{"N":"1"},"at":{"N":"1"}}}]}}`)
	entry := item(`{"fingerprint":{"S":"f"},"attempt":{"S":"a"},"spent_at":{"N":"1"},"ttl":{"N":"2"}}`)
	breaker := item(`{"company_id":{"S":"breaker"},"principal":{"S":"token endpoint"}}`)
	wantOne(t, CheckTables([]Item{row, breaker}, []Item{entry}, noon), "")
	wantOne(t, CheckTables([]Item{row}, nil, noon), "does not know attempt")
	wantOne(t, CheckTables([]Item{{"rev": row["state"]}}, nil, noon), "rev is not a whole number")
	wantOne(t, CheckTables(nil, []Item{item(`{"fingerprint":{"S":"f"},"ttl":{"N":"2"}}`)}, noon), "without token or attempt")
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	allowed, err := ParseTransitions("# the model's\n\nactive/free -> active/claimed +0\nactive/claimed -> active/free +1\n")
	if err != nil {
		t.Fatal(err)
	}
	forbidden, unseen := allowed.Compare(Transitions{"active/free -> active/claimed +0": true, "revoked/free -> active/free +0": true})
	if diff := cmp.Diff([]string{"revoked/free -> active/free +0"}, forbidden); diff != "" {
		t.Errorf("forbidden (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"active/claimed -> active/free +1"}, unseen); diff != "" {
		t.Errorf("unseen (-want +got):\n%s", diff)
	}
	if _, err := ParseTransitions("active"); err == nil {
		t.Error("no error for a line that is not a transition")
	}
}
