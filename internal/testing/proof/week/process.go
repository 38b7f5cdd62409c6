package week

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// process is one process of a function. Its memory ends with it, and so does its effect on
// anything else: every operation of storage and every call to Procore passes it.
type process struct {
	w      *world
	counts bool // its calls are those of the reconciler
	ctx    context.Context
	end    context.CancelFunc
	store  *connections.Store

	mu    sync.Mutex
	dies  int // at which operation; 0: at none
	steps int
	dead  bool
}

var errDead = errors.New("the process is dead")

// process starts a process.
func (w *world) process() *process {
	p := &process{w: w}
	p.ctx, p.end = context.WithCancel(w.ctx)
	dial := func(ctx context.Context, _, address string) (net.Conn, error) {
		if p.isDead() {
			return nil, errDead
		}
		return w.network.Open(ctx, address, p)
	}
	oauth := &procore.OAuth{Environment: w.environment, ClientID: "fake-client-id",
		ClientSecret: procore.NewSecret("fake-client-secret"), Dial: dial}
	db := p.database()
	p.store = &connections.Store{DB: db, Table: w.names.Connections, Log: w.log, Tokens: &tokens.Store{
		DB: db, Grants: w.names.Grants, Spends: w.names.Spends, Environment: w.environment, Log: w.log,
		Keys: w.keys, OAuth: constant[*procore.OAuth]{oauth}, Dial: dial,
	}}
	return p
}

// constant is a source of what never changes.
type constant[T any] struct{ value T }

// Get implements keys.Source.
func (c constant[T]) Get(context.Context) (T, error) { return c.value, nil }

// Reread implements keys.Source.
func (c constant[T]) Reread(context.Context) (T, error) { return c.value, nil }

// database returns the process's client of storage.
func (p *process) database() *dynamodb.Client {
	endpoint := "http://dynamodb"
	return dynamodb.New(dynamodb.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", Retryer: aws.NopRetryer{}, HTTPClient: p,
		Credentials:                     aws.AnonymousCredentials{},
		DisableValidateResponseChecksum: true,
		AccountIDEndpointMode:           aws.AccountIDEndpointModeDisabled,
	})
}

// Do does one operation of storage.
func (p *process) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=simulated")
	a := &answer{header: http.Header{}, status: http.StatusOK}
	if !p.step(func() { p.w.dynamo.ServeHTTP(a, r) }) {
		return nil, errDead
	}
	return &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len())}, nil
}

// answer is a plain http.ResponseWriter.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// step lets the process do one operation, and reports whether it learns the result. At its
// last operation the process dies before it or after it, by turns.
func (p *process) step(do func()) bool {
	if !p.begin() {
		return false
	}
	do()
	return !p.isDead()
}

// begin counts an operation, and reports whether it is done.
func (p *process) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return false
	}
	if p.steps++; p.steps != p.dies {
		return true
	}
	p.dead = true
	p.end()
	return p.steps%2 == 0
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}
