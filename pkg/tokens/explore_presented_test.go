package tokens

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// presentation is one refresh request.
type presentation struct {
	token     string // a name for the refresh token, not its value
	attempt   string // the token's attempt in the ledger, "" if the ledger lacks the token
	confirmed bool   // storage had confirmed that the sender holds the claim
}

// checkPresented checks R1, and that no token is spent on an unconfirmed claim.
func checkPresented(all []presentation) (problems []string) {
	times := map[string]int{}
	for _, one := range all {
		if one.attempt == "" {
			problems = append(problems, fmt.Sprintf("token %s was sent and the ledger does not know it", one.token))
		}
		if !one.confirmed {
			problems = append(problems, fmt.Sprintf("token %s was sent on a claim that was not confirmed", one.token))
		}
		times[one.token]++
	}
	for _, token := range slices.Sorted(maps.Keys(times)) {
		if times[token] != 1 {
			problems = append(problems, fmt.Sprintf("R1: token %s was sent %d times", token, times[token]))
		}
	}
	return problems
}

func TestCheckPresented(t *testing.T) {
	t.Parallel()
	good := presentation{token: "t", attempt: "a", confirmed: true}
	for name, tt := range map[string]struct {
		all  []presentation
		want string
	}{
		"once":              {[]presentation{good}, ""},
		"twice":             {[]presentation{good, good}, "R1"},
		"not in the ledger": {[]presentation{{token: "t", confirmed: true}}, "ledger"},
		"not confirmed":     {[]presentation{{token: "t", attempt: "a"}}, "not confirmed"},
	} {
		got := checkPresented(tt.all)
		if tt.want == "" && got != nil || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
			t.Errorf("%s: %q, want one with %q", name, got, tt.want)
		}
	}
}
