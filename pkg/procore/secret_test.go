package procore

import (
	"encoding/json"
	"fmt"
	"testing"

	"procore-connect/internal/testing/kit/secrettest"
)

func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	const text = "fake-access-of-a-secret"
	s := NewSecret(text)
	secrettest.NotPrinted(t, s, text)
	secrettest.NotPrinted(t, &s, text)
	secrettest.NotReachable(t, &s, text)
	secrettest.NotReachable(t, map[string][]struct{ s *Secret }{"a": {{&s}}}, text)
	for _, v := range []any{s, &s, struct{ S Secret }{s}, []Secret{{}}} {
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("%T went into JSON: %s", v, b)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	var zero Secret
	for name, tt := range map[string]struct {
		got, want any
	}{
		"its text":           {NewSecret("a").Reveal(), "a"},
		"printed":            {fmt.Sprintf("%v %q %d", NewSecret("a"), NewSecret("a"), zero), "[secret] [secret] [no secret]"},
		"no text":            {zero.Reveal(), ""},
		"zero":               {zero.IsZero(), true},
		"empty":              {NewSecret("").IsZero(), true},
		"not empty":          {NewSecret("a").IsZero(), false},
		"equal":              {NewSecret("ab").Equal(NewSecret("ab")), true},
		"another":            {NewSecret("ab").Equal(NewSecret("ac")), false},
		"longer":             {NewSecret("ab").Equal(NewSecret("abc")), false},
		"one is empty":       {NewSecret("ab").Equal(zero), false},
		"the other is empty": {zero.Equal(NewSecret("ab")), false},
		"both are empty":     {zero.Equal(NewSecret("")), true},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %v, want %v", name, tt.got, tt.want)
		}
	}
}
