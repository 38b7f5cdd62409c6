package secrettest

import (
	"fmt"
	"testing"
)

// failures counts what a check reports.
type failures struct {
	testing.TB
	n int
}

func (f *failures) Helper()               {}
func (f *failures) Errorf(string, ...any) { f.n++ }

// hidden prints nothing where fmt calls its method.
type hidden struct{ text string }

func (hidden) Format(f fmt.State, _ rune) { fmt.Fprint(f, "hidden") }

// bytes holds a secret that prints as numbers.
type bytes struct{ material map[string][]byte }

// A secret is found in whatever form a value prints it.
func TestNotPrinted(t *testing.T) {
	t.Parallel()
	const secret = "fake-secret-1"
	check := func(name string, n, want int) {
		if (n > 0) != (want > 0) {
			t.Errorf("%s: %d findings, want %d", name, n, want)
		}
	}
	for name, tt := range map[string]struct {
		value any
		want  int
	}{
		"a text":                   {secret, 1},
		"text in a field":          {struct{ text string }{secret}, 1},
		"bytes":                    {&bytes{map[string][]byte{"k1": []byte(secret)}}, 1},
		"a method hides it":        {hidden{secret}, 1}, // in another struct's field it does not
		"a pointer in a field":     {struct{ text *string }{new(secret)}, 0},
		"a function":               {struct{ text func() string }{func() string { return secret }}, 0},
		"other text":               {"fake-other-1", 0},
		"nothing":                  {nil, 0},
		"a typed nil in interface": {(*bytes)(nil), 0},
	} {
		f := &failures{TB: t}
		NotPrinted(f, tt.value, secret)
		check(name, f.n, tt.want)
	}
	f := &failures{TB: t}
	NotPrinted(f, hidden{secret}, secret)
	check("a method hides it, typed", f.n, 1)
}

// What fmt does not follow, reflection does.
func TestNotReachable(t *testing.T) {
	t.Parallel()
	const secret = "fake-secret-1"
	type node struct {
		next  *node
		value any
	}
	ring := &node{value: secret}
	ring.next = ring
	for name, tt := range map[string]struct {
		value any
		want  int
	}{
		"a pointer":   {struct{ text *string }{new(secret)}, 1},
		"a cycle":     {ring, 1},
		"bytes":       {bytes{map[string][]byte{"k1": []byte(secret)}}, 1},
		"a map's key": {map[string]int{secret: 1}, 1},
		"a function":  {func() string { return secret }, 0},
	} {
		f := &failures{TB: t}
		NotReachable(f, tt.value, secret)
		if f.n != tt.want {
			t.Errorf("%s: %d findings, want %d", name, f.n, tt.want)
		}
	}
}
