package main

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	clientID     = "fake-client-id" // as the fake has them
	clientSecret = "fake-client-secret"

	call    = 150 * time.Millisecond // what each call of Procore takes
	perPage = 100                    // the most companies in an answer, whatever is asked for
)

// slowProcore is the fake Procore, over TLS, with a delay before each answer.
type slowProcore struct {
	*procoretest.Server
	front *front

	mu       sync.Mutex
	inFlight int
	since    time.Time // when the first of those in flight arrived
	sequence float64   // calls one after another
}

func (w *world) newProcore(o procoretest.Options) (*slowProcore, error) {
	p := &slowProcore{Server: procoretest.New(o)}
	var err error
	p.front, err = newFront(p, w.certificate)
	return p, err
}

// env returns the variables that name this Procore.
func (p *slowProcore) env() map[string]string {
	return map[string]string{
		"PROCORE_ENVIRONMENT": "custom", "PROCORE_LOGIN_URL": p.front.url, "PROCORE_API_URL": p.front.url,
	}
}

// ServeHTTP serves the pages for a browser at once.
func (p *slowProcore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/oauth/authorize" {
		p.Server.ServeHTTP(w, r)
		return
	}
	p.began()
	defer p.ended()
	query := r.URL.Query()
	if n, err := strconv.Atoi(query.Get("per_page")); err == nil && n > perPage {
		query.Set("per_page", strconv.Itoa(perPage))
		r.URL.RawQuery = query.Encode()
	}
	if (procore.Clock{}).Sleep(r.Context(), call) == nil {
		p.Server.ServeHTTP(w, r)
	}
}

func (p *slowProcore) began() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inFlight++; p.inFlight == 1 {
		p.since = time.Now()
	}
}

func (p *slowProcore) ended() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inFlight--; p.inFlight == 0 {
		p.sequence += max(1, math.Round(float64(time.Since(p.since))/float64(call)))
	}
}

// inARow returns how many calls were made one after another, as the times tell in which some call was in flight, and
// counts from zero again.
func (p *slowProcore) inARow() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.sequence
	p.sequence = 0
	return n
}

func (p *slowProcore) close() {
	p.front.close()
	p.Close()
}

// must is the TB of the fake outside a test.
type must struct{}

func (must) Helper() {}

func (must) Cleanup(func()) {}

func (must) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
