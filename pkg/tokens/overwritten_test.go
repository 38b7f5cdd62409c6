package tokens

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// At the start of the month the monthly sandbox ends all grants: each is
// told apart, and the breaker stays closed, for nothing is wrong. Elsewhere, and
// in the rest of the month, the same refusals are what they always were.
func TestOverwritten(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, environment string
		now               time.Time
		want              bool
	}{
		{"monthly, at the start", "monthly", first, true},
		{"monthly, in the middle", "monthly", first.AddDate(0, 0, 14), false},
		{"production, at the start", "production", first, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.clock.Set(tt.now)
			w.oauth.Environment.Name = tt.environment
			var log bytes.Buffer
			s := w.store()
			s.Log = slog.New(slog.NewJSONHandler(&log, nil))
			all := w.many(5)
			for _, p := range all {
				w.revokedAtProcore(p)
			}
			w.clock.Advance(2 * time.Hour)
			for _, p := range all[:3] {
				_, err := s.Token(t.Context(), p)
				if !errors.Is(err, ErrReauthorize) || errors.Is(err, ErrOverwritten) != tt.want {
					t.Errorf("got %v, want ErrReauthorize, and ErrOverwritten: %t", err, tt.want)
				}
				if _, again := s.Token(t.Context(), p); errors.Is(again, ErrOverwritten) != tt.want {
					t.Errorf("the next time: got %v, want ErrOverwritten: %t", again, tt.want)
				}
			}
			if b, err := s.Upkeep().Breaker(t.Context()); err != nil || b.Open {
				t.Errorf("the breaker is open: %t, %v; want it closed", b.Open, err)
			}
			outcome := map[bool]string{true: `"level":"INFO","msg":"refresh failed"`, false: `"level":"WARN","msg":"refresh failed"`}[tt.want]
			if got := strings.Count(log.String(), outcome); got != 3 {
				t.Errorf("got %d lines with %s, want 3", got, outcome)
			}
			if got := strings.Count(log.String(), `"outcome":"overwritten"`) == 3; got != tt.want {
				t.Errorf("all three have the outcome overwritten: %t, want %t", got, tt.want)
			}
		})
	}
}

// Under suspicion such a refusal gives its trial back.
func TestOverwrittenUnderSuspicion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Set(time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC))
	w.oauth.Environment.Name = "monthly"
	s := w.store()
	all := w.many(4)
	s.report(t.Context(), unknown, "a test")
	for _, p := range all {
		w.revokedAtProcore(p)
	}
	w.clock.Advance(2 * time.Hour)
	for _, p := range all {
		if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrOverwritten) {
			t.Errorf("got %v, want ErrOverwritten", err)
		}
	}
}
