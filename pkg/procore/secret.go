package procore

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
)

// A Secret is a text that does not show where it is printed: a token, a
// password, a key. The zero Secret is empty. Secrets cannot be compared by ==;
// see [Secret.Equal].
type Secret struct {
	// reveal is a function because package fmt calls no methods on a value in an
	// unexported field: it prints what reflection finds there, and so do dumpers
	// that follow pointers. What a function captured is out of their reach.
	reveal func() string
}

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{func() string { return text }}
}

// Reveal returns the text, for the one place that needs it: a request, a seal, a
// hash.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the text is empty.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Equal reports whether both texts are equal, in a time that does not depend on
// where they differ.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String returns a placeholder.
func (s Secret) String() string {
	if s.IsZero() {
		return "[no secret]"
	}
	return "[secret]"
}

// Format writes the placeholder for every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue returns the placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON fails: a secret leaves a process encrypted or in a request, and
// what is written in its place would be taken for it.
func (s Secret) MarshalJSON() ([]byte, error) {
	return nil, errors.New("procore: a secret is not for JSON")
}
