package rescue_test

import (
	"context"
	"testing"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/tokens"
)

// The end of the time is an error only of a run that stored nothing.
func TestDrainInTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		good   int // stored before the time is over
		failed bool
	}{{"after one", 1, false}, {"at the first", 0, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := functiontest.New(t).Rescue()
			for i := range 3 {
				if err := q.Send(t.Context(), tokens.Rescued{
					Environment: "sandbox", Principal: tokens.User(int64(i + 1)), Generation: 1, Attempt: "an-attempt", Sealed: []byte("sealed"),
				}); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			tried := 0
			stored, err := q.Drain(ctx, func(ctx context.Context, _ tokens.Rescued) error {
				if tried++; tried > tt.good {
					cancel()
				}
				return ctx.Err()
			})
			if stored != tt.good || (err != nil) != tt.failed {
				t.Errorf("%d stored, %v; want %d, an error: %v", stored, err, tt.good, tt.failed)
			}
		})
	}
}
