package keys

import (
	"fmt"
	"strings"
	"testing"

	"procore-connect/internal/testing/kit/secrettest"
)

func TestParse(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 5)
	tests := []struct {
		name, secret string
		want         string // part of the error; "" for none
	}{
		{"one key", `{"current":"k1","k1":"` + long + `"}`, ""},
		{"two keys and more", `{"current":"k2","k1":"` + long + `","k2":"` + long + `x","minimum_epochs":{"5":2}}`, ""},
		{"not JSON", long, "not a JSON object"},
		{"no current", `{"k1":"` + long + `"}`, "current"},
		{"current names nothing", `{"current":"k2","k1":"` + long + `"}`, "current"},
		{"short", `{"current":"k1","k1":"0123456789abcdef"}`, "k1 is shorter"},
		{"not a string", `{"current":"k1","k1":5}`, "k1"},
		{"largest id", `{"current":"k999999","k999999":"` + long + `"}`, ""},
		{"id too long", `{"current":"k1000000","k1000000":"` + long + `"}`, "current"},
		{"id without a number", `{"current":"k","k":"` + long + `"}`, "current"},
		{"id of other characters", `{"current":"k1a","k1a":"` + long + `"}`, "current"},
		{"empty", ``, "not a JSON object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(test.secret)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got error %v, want none", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got error %v, want one with %q", err, test.want)
			case err != nil && strings.Contains(err.Error(), "0123456789"):
				t.Errorf("the error holds a key: %v", err)
			}
		})
	}
}

// Keys of different purposes have nothing in common: one key does not reveal another.
func TestKeysByPurpose(t *testing.T) {
	t.Parallel()
	r := newRing(t, "k1", "k1", "k2")
	seen := map[string]bool{}
	for _, id := range r.IDs() {
		for _, purpose := range []string{"seal", "ledger", "session form", "webhook", ""} {
			key, err := r.Derive(id, purpose)
			if err != nil || len(key) != 32 || seen[string(key)] {
				t.Errorf("%s for %q: %d bytes, seen before: %v, error %v", id, purpose, len(key), seen[string(key)], err)
			}
			seen[string(key)] = true
		}
	}
}

// R5: a ring prints no key, nor one that has a wrong name.
func TestRingPrintsNothing(t *testing.T) {
	t.Parallel()
	first, second, misnamed := strings.Repeat("first", 8), strings.Repeat("second", 8), strings.Repeat("third", 8)
	r, err := Parse(fmt.Sprintf(`{"current":"k2","k1":%q,"k2":%q,"k-3":%q}`, first, second, misnamed))
	if err != nil {
		t.Fatal(err)
	}
	secrettest.NotPrinted(t, r, first, second, misnamed)
	secrettest.NotPrinted(t, *r, first, second, misnamed)
	secrettest.NotReachable(t, r, first, second, misnamed)
}
