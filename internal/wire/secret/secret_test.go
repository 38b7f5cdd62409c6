package secret

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/wire"
	"procore-connect/pkg/procore"
)

// The app's calls to the token endpoint have the seams of the base.
func TestOAuthSeams(t *testing.T) {
	t.Parallel()
	now, noDial := time.Unix(1_700_000_000, 0), errors.New("no dial")
	b := &wire.Base{
		Env:    config.New(func(string) string { return "app" }),
		Clock:  procore.Clock{Time: func() time.Time { return now }},
		Random: procore.Random{Read: func(p []byte) { clear(p) }},
		Dial:   func(context.Context, string, string) (net.Conn, error) { return nil, noDial },
	}
	o, err := OAuth(b, procore.Sandbox()).Parse(`{"client_id": "fake-client", "client_secret": "fake-client-secret"}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := o.Clock.Now(); !got.Equal(now) {
		t.Errorf("the time is %v", got)
	}
	if got := o.Random.Text(); got != (procore.Random{Read: b.Random.Read}).Text() {
		t.Errorf("the random text is %q", got)
	}
	if _, err := o.Dial(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, noDial) {
		t.Errorf("the dial returns %v", err)
	}
}
