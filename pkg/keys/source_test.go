package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
)

// The secret is read again, once, when the error means that it may have changed.
func TestUse(t *testing.T) {
	t.Parallel()
	var (
		invalid = &procore.TokenError{Code: "invalid_client"}
		refused = &procore.TokenError{Outcome: procore.Refused, Code: "invalid_grant"}
		broken  = errors.New("the secret cannot be read")
	)
	for name, tt := range map[string]struct {
		read [2]error // of Get and Reread
		used [2]error // of the first and the second use
		want error
		uses []string
	}{
		"works":              {uses: []string{"old"}},
		"unknown key":        {used: [2]error{fmt.Errorf("row: %w", ErrUnknown)}, uses: []string{"old", "new"}},
		"invalid client":     {used: [2]error{invalid}, uses: []string{"old", "new"}},
		"unknown twice":      {used: [2]error{ErrUnknown, ErrUnknown}, want: ErrUnknown, uses: []string{"old", "new"}},
		"another error":      {used: [2]error{refused}, want: refused, uses: []string{"old"}},
		"not read":           {read: [2]error{broken}, want: broken},
		"not read once more": {read: [2]error{nil, broken}, used: [2]error{invalid}, want: broken, uses: []string{"old"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := secrettest.Func[string](func(_ context.Context, reread bool) (string, error) {
				if reread {
					return "new", tt.read[1]
				}
				return "old", tt.read[0]
			})
			var uses []string
			got, err := Use(t.Context(), source, func(secret string) (int, error) {
				uses = append(uses, secret)
				return len(uses), tt.used[len(uses)-1]
			})
			if !errors.Is(err, tt.want) || !slices.Equal(uses, tt.uses) || err == nil && got != len(uses) {
				t.Errorf("got %d, error %v after uses of %q; want error %v after %q", got, err, uses, tt.want, tt.uses)
			}
		})
	}
}
