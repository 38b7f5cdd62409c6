package handler

import (
	"context"
	"crypto/rand"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

func TestMissingConfiguration(t *testing.T) {
	functiontest.Requires(t, New, "AWS_REGION", "PROCORE_ENVIRONMENT", "PUBLIC_URL", "KEYS_SECRET_ID", "APP_SECRET_ID", "WEBHOOK_SECRET_ID", "SESSIONS_TABLE", "GRANTS_TABLE", "CONNECTIONS_TABLE", "SPENDS_TABLE", "RESCUE_QUEUE_URL", "INBOX_TABLE")
}

// Two sandboxes of one process share nothing: each has the variables, clock, randomness and connections of its base.
func TestSandboxes(t *testing.T) {
	t.Parallel()
	type sandbox struct {
		*functiontest.World
		c              connections.Connection
		dialled, drawn atomic.Int64
	}
	var both [2]sandbox
	for i := range both {
		s := &both[i]
		s.World = functiontest.New(t)
		s.c = s.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
		s.Clock.Advance(time.Duration(1-i) * 80 * time.Minute) // so that the first one's grant is due
		base := s.Base()
		base.Random = procore.Random{Read: func(p []byte) { s.drawn.Add(1); _, _ = rand.Read(p) }}
		base.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			s.dialled.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		f, err := New(base)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f(t.Context(), Input{Task: "refresh"}); err != nil {
			t.Error(err)
		}
	}
	for i := range both {
		s, want := &both[i], int64(2-i)
		if got := s.Grant(s.c.Principal).Generation; got != want {
			t.Errorf("sandbox %d: got generation %d, want %d", i, got, want)
		}
		if got, used := s.dialled.Load() > 0 && s.drawn.Load() > 0, want == 2; got != used {
			t.Errorf("sandbox %d: %d connections, %d draws", i, s.dialled.Load(), s.drawn.Load())
		}
	}
}
