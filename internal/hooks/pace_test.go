package hooks

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// wire answers every request with these rate-limit headers.
type wire struct {
	remaining string
	reset     time.Duration
	calls     []time.Time
}

func (w *wire) RoundTrip(*http.Request) (*http.Response, error) {
	w.calls = append(w.calls, time.Now())
	h := http.Header{}
	if w.remaining != "" {
		h.Set("X-Rate-Limit-Remaining", w.remaining)
		h.Set("X-Rate-Limit-Reset", strconv.FormatInt(time.Now().Add(w.reset).Unix(), 10))
	}
	return &http.Response{StatusCode: http.StatusOK, Header: h, Body: http.NoBody}, nil
}

// The call after the last one that is allowed waits for the next window, if that
// is near; else it is not made, and fails as a refused one does.
func TestPace(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		remaining string
		reset     time.Duration
		wait      time.Duration
		refused   bool
	}{
		"some are left":      {remaining: "1", reset: time.Hour},
		"nothing said":       {},
		"the spike's window": {remaining: "0", reset: 10 * time.Second, wait: 10 * time.Second},
		"the hour's":         {remaining: "0", reset: 40 * time.Minute, refused: true},
		"long ago":           {remaining: "0", reset: -time.Hour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k, w := &Keeper{Patience: 12 * time.Second}, &wire{remaining: tt.remaining, reset: tt.reset}
				call := func(who tokens.Principal) error {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.procore.com/rest/v1.0/me", nil)
					if err != nil {
						t.Fatal(err)
					}
					_, err = transport{k, who, w}.RoundTrip(r)
					return err
				}
				begin := time.Now()
				if err := call("app"); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					w.remaining = "" // whoever waited is free
					err := call("app")
					if errors.Is(err, procore.ErrRateLimited) != tt.refused || time.Since(begin) != tt.wait {
						t.Errorf("got %v after %v, want refused %t, after %v", err, time.Since(begin), tt.refused, tt.wait)
					}
				}
				if err := call("user#1"); err != nil || time.Since(begin) != tt.wait {
					t.Errorf("another user's call: %v after %v", err, time.Since(begin))
				}
			})
		})
	}
}

// A wait ends with its caller.
func TestPaceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, w := &Keeper{Patience: 12 * time.Second}, &wire{}
		k.pace.hold("app", time.Now().Add(10*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.procore.com/rest/v1.0/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (transport{k, "app", w}).RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) || len(w.calls) > 0 {
			t.Errorf("got %v after %d calls", err, len(w.calls))
		}
	})
}
