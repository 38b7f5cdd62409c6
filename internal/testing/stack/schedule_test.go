package stack

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

type function func(context.Context, []byte) ([]byte, error)

func (f function) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return f(ctx, payload) }

func TestSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls, reports []string
		f := function(func(_ context.Context, payload []byte) ([]byte, error) {
			calls = append(calls, string(payload))
			if len(calls) < 3 {
				return nil, errors.New("down")
			}
			return []byte("null"), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		repeat(ctx, f, "refresh", 2*time.Second, func(s string) { reports = append(reports, s) })
		if want := slices.Repeat([]string{`{"task":"refresh"}`}, 5); !slices.Equal(calls, want) {
			t.Errorf("invocations %v, want %v", calls, want)
		}
		if want := []string{"refresh: down"}; !slices.Equal(reports, want) {
			t.Errorf("reports %v, want one of the failure that repeats itself", reports)
		}
	})
}
