package invarianttest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/invariants"
)

// The companies of a grant are those that its principal has connected.
func TestCheckHolders(t *testing.T) {
	t.Parallel()
	text := func(s string) invariants.Attribute { return invariants.Attribute{S: &s} }
	grant := invariants.Item{"grant": text("custom#user#2"), "holders": invariants.Attribute{SS: []string{"1", "3"}}}
	connection := func(company, state string) invariants.Item {
		return invariants.Item{"company": text("custom#" + company), "principal": text("user#2"), "state": text(state)}
	}
	one, three := connection("1", "connected"), connection("3", "disconnected")
	for name, tt := range map[string]struct {
		connections, grants []invariants.Item
		want                string
	}{
		"the same":     {[]invariants.Item{three, one, connection("4", "ended")}, []invariants.Item{grant}, ""},
		"one too few":  {[]invariants.Item{one}, []invariants.Item{grant}, "held by [1 3], and connected to [1]"},
		"one too many": {[]invariants.Item{one, three, connection("4", "connected")}, []invariants.Item{grant}, "connected to [1 3 4]"},
		"no grant":     {[]invariants.Item{one}, nil, "there is no grant"},
	} {
		got := CheckHolders(tt.connections, tt.grants)
		if len(got) != min(1, len(tt.want)) || !strings.Contains(strings.Join(got, ""), tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// What was seen is compared with what is allowed.
func TestCompare(t *testing.T) {
	t.Parallel()
	seen := invariants.Allowed()
	const missing, forbidden = "active/claimed -> active/free +1", "revoked/free -> active/free +0"
	if !seen[missing] {
		t.Fatalf("the model does not know %s", missing)
	}
	delete(seen, missing)
	seen[forbidden] = true
	gotForbidden, gotUnseen := Compare(seen)
	if d := cmp.Diff([][]string{gotForbidden, gotUnseen}, [][]string{{forbidden}, {missing}}); d != "" {
		t.Errorf("forbidden and unseen (-got +want):\n%s", d)
	}
}
