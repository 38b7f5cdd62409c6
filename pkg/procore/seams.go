package procore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/http"
	"time"
)

// Time, randomness and connections enter every component of this module by one
// field each: a Clock, a Random, a Dial. The zero value is the machine's. A test,
// or a scheduler that runs a whole system, sets its own.

// A Clock is the time of a component. The zero Clock is the machine's.
type Clock struct {
	// Time returns the time. nil: time.Now.
	Time func() time.Time
	// Wait does what [Clock.Sleep] does. nil: a timer.
	Wait func(ctx context.Context, d time.Duration) error
	// Yield does what [Clock.Woken] does. nil: nothing.
	Yield func(ctx context.Context)
}

// Now returns the time without a monotonic reading, because the monotonic clock
// stops while a Lambda sandbox is frozen: by it a token would be valid for too long.
func (c Clock) Now() time.Time {
	if c.Time == nil {
		return time.Now().Round(0)
	}
	return c.Time().Round(0)
}

// Sleep waits for d. If ctx ends first, it returns the cause.
func (c Clock) Sleep(ctx context.Context, d time.Duration) error {
	if c.Wait != nil {
		return c.Wait(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Woken is called by a goroutine that waited for another one, before it goes on. The
// other one goes on too, so which of them is first is chance, unless a scheduler that
// runs a whole system decides it here. The zero Clock does nothing.
func (c Clock) Woken(ctx context.Context) {
	if c.Yield != nil {
		c.Yield(ctx)
	}
}

// WithClock sets the clock by which a client waits and by which a window ends; the
// default is the machine's.
func WithClock(c Clock) Option { return func(a *api) { a.clock = c } }

// TimeLeft returns how long ctx is still valid, and false if it has no deadline.
// A deadline is the machine's time, whatever the component's Clock: the package
// context knows no other.
func TimeLeft(ctx context.Context) (time.Duration, bool) {
	end, ok := ctx.Deadline()
	return time.Until(end), ok
}

// A Random is the source of ids, secrets and jitter. The zero Random is
// crypto/rand. (The nonce of a sealed pair does not come from it: a nonce that is
// used twice would break the seal.)
type Random struct {
	// Read fills p. nil: crypto/rand.Read, which never fails.
	Read func(p []byte)
}

// Text returns 26 characters of base32, with at least 128 random bits.
func (r Random) Text() string {
	if r.Read == nil {
		return rand.Text()
	}
	p := make([]byte, 26)
	r.Read(p)
	for i := range p {
		p[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[p[i]%32]
	}
	return string(p)
}

// Jitter returns a duration from 0 up to, and without, d, which must be positive.
func (r Random) Jitter(d time.Duration) time.Duration {
	var p [8]byte
	if r.Read == nil {
		_, _ = rand.Read(p[:])
	} else {
		r.Read(p[:])
	}
	return time.Duration(binary.LittleEndian.Uint64(p[:])>>1) % d // the bias is less than one in a million
}

// WithRandom sets the source of the jitter of a client's repetitions; the default is
// crypto/rand.
func WithRandom(r Random) Option { return func(a *api) { a.random = r } }

// A Dial opens a connection. Each call must return a new one. nil: net.Dialer.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

func (d Dial) open(ctx context.Context, network, address string) (net.Conn, error) {
	if d == nil {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return d(ctx, network, address)
}

// Transport returns the transport of API calls whose connections d opens. Make
// one and keep it, since it keeps its connections. nil: http.DefaultTransport.
func (d Dial) Transport() http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if d == nil || !ok {
		return http.DefaultTransport
	}
	t := standard.Clone()
	t.DialContext = d
	return named{t}
}

// named passes on to its Dial for which request it opens a connection.
type named struct{ *http.Transport }

type requestKey struct{}

// RoundTrip implements [http.RoundTripper].
func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	return n.Transport.RoundTrip(r.WithContext(context.WithValue(r.Context(), requestKey{}, r.Method+" "+r.URL.Path)))
}

// DialedFor returns the method and the path of the request for which a [Dial] of a
// [Dial.Transport] is called, so that it can tell those apart that are called at once.
func DialedFor(ctx context.Context) string {
	name, _ := ctx.Value(requestKey{}).(string)
	return name
}
