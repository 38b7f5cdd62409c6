package handler

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/platform/sdkhttp"
	"procore-connect/internal/platform/secrets"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/clocktest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
)

// service is one of AWS, over TLS.
type service struct {
	*httptest.Server
	connections atomic.Int64
}

func serveTLS(t *testing.T, h http.Handler) *service {
	t.Helper()
	s := &service{Server: httptest.NewUnstartedServer(h)}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// client returns the functions' HTTP client, and the address at which it reaches the
// service. The address has no https, because the connection that it gets has TLS already.
func (s *service) client() (sdkhttp.Client, *string) {
	trusted, _ := s.Client().Transport.(*http.Transport)
	dialer := &tls.Dialer{Config: trusted.TLSClientConfig}
	return sdkhttp.New(procore.Dial(dialer.DialContext)), aws.String("http://" + s.Listener.Addr().String())
}

// idle is a receiver whose sandbox pauses between deliveries.
type idle struct {
	t       *testing.T
	serve   gateway.Func
	body    string
	clock   *clocktest.Clock
	dynamo  *service
	manager *service
	secrets *awstest.Secrets
	next    atomic.Pointer[gate]
}

// gate holds back one answer of Secrets Manager until it is opened.
type gate struct {
	asked, opened chan struct{}
	open          func()
}

// hold returns a gate for the next request.
func (i *idle) hold() *gate {
	g := &gate{asked: make(chan struct{}), opened: make(chan struct{})}
	g.open = sync.OnceFunc(func() { close(g.opened) })
	i.t.Cleanup(g.open)
	i.next.Store(g)
	return g
}

func newIdle(t *testing.T) *idle {
	t.Helper()
	i := &idle{t: t, body: sample(t, "webhook-v4"), clock: clocktest.New(),
		secrets: awstest.NewSecrets(map[string]string{functiontest.WebhookSecret: functiontest.WebhookValue})}
	store := &awstest.Services{Secrets: i.secrets}
	i.dynamo, i.manager = serveTLS(t, dynamotest.New()), serveTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g := i.next.Swap(nil); g != nil {
			close(g.asked)
			<-g.opened
		}
		store.ServeHTTP(w, r)
	}))
	who := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
	})
	table, tableURL := i.dynamo.client()
	db := dynamodb.New(dynamodb.Options{BaseEndpoint: tableURL, Region: "us-east-1", Retryer: aws.NopRetryer{}, HTTPClient: table, Credentials: who})
	manager, managerURL := i.manager.client()
	ring := &secrets.Secret[*credential.Ring]{
		Client: secretsmanager.New(secretsmanager.Options{
			BaseEndpoint: managerURL, Region: "us-east-1", Retryer: aws.NopRetryer{}, HTTPClient: manager, Credentials: who,
		}),
		ID: functiontest.WebhookSecret, Parse: credential.Parse, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: i.clock.Seam(),
	}
	h := receive(ring, &inbox.Store{DB: db, Table: tables.CreateForTest(t, db).Inbox, Clock: i.clock.Seam()})
	i.serve = gateway.Handler(h, gateway.Options{Log: slog.New(slog.DiscardHandler), MaxBody: -1})
	i.wants("first", functiontest.WebhookValue, http.StatusOK)
	return i
}

// deliver returns the status of a delivery whose credential was made with this secret.
func (i *idle) deliver(secret string) int {
	i.t.Helper()
	e := events.APIGatewayV2HTTPRequest{RawPath: path, Body: i.body, Headers: map[string]string{"authorization": header(i.t, secret, company)}}
	e.RequestContext.HTTP.Method = http.MethodPost
	out, err := i.serve(i.t.Context(), e)
	if err != nil {
		i.t.Fatal(err)
	}
	return out.StatusCode
}

func (i *idle) wants(when, secret string, status int) {
	i.t.Helper()
	if got := i.deliver(secret); got != status {
		i.t.Errorf("%s: answered %d, want %d", when, got, status)
	}
}

// becomes delivers until the status is another one, as when the read beside has ended.
func (i *idle) becomes(secret string, status int) {
	i.t.Helper()
	end, cancel := context.WithTimeout(i.t.Context(), 10*time.Second)
	defer cancel()
	for i.deliver(secret) != status {
		if end.Err() != nil {
			i.t.Fatalf("deliveries are not answered %d", status)
		}
	}
}

const fiveMinutes = 305 * time.Second

var raised = strings.TrimSuffix(functiontest.WebhookValue, "}") + `,"minimum_epochs":{"5678":1}}`

// After a pause a delivery waits for its write alone. It costs no connection while the
// former ones are open, and one to DynamoDB if AWS has closed them.
func TestAfterAPause(t *testing.T) {
	t.Parallel()
	i := newIdle(t)
	i.clock.Advance(fiveMinutes)
	g := i.hold()
	i.wants("after a pause", functiontest.WebhookValue, http.StatusOK)
	<-g.asked
	if d, s := i.dynamo.connections.Load(), i.manager.connections.Load(); d != 1 || s != 1 {
		t.Errorf("%d connections to DynamoDB and %d to Secrets Manager, want the first ones", d, s)
	}
	i.dynamo.CloseClientConnections()
	i.manager.CloseClientConnections()
	i.clock.Advance(fiveMinutes)
	i.hold()
	i.wants("with closed connections", functiontest.WebhookValue, http.StatusOK)
	if got := i.dynamo.connections.Load(); got != 2 {
		t.Errorf("%d connections to DynamoDB, want one more", got)
	}
	if got := i.secrets.Reads(functiontest.WebhookSecret); got != 1 {
		t.Errorf("the secret was read %d times, want the answers held back", got)
	}
}

// What was retired during a pause is accepted until the ring was read again, which no
// delivery waits for in the first hour.
func TestRetiredDuringAPause(t *testing.T) {
	t.Parallel()
	i := newIdle(t)
	i.secrets.Put(functiontest.WebhookSecret, raised)
	i.clock.Advance(maxRingAge - time.Nanosecond)
	g := i.hold()
	i.wants("within the hour", functiontest.WebhookValue, http.StatusOK)
	i.wants("its successor", raised, http.StatusOK)
	g.open()
	i.becomes(functiontest.WebhookValue, http.StatusUnauthorized)

	i = newIdle(t)
	i.secrets.Put(functiontest.WebhookSecret, raised)
	i.clock.Advance(maxRingAge)
	i.wants("after an hour", functiontest.WebhookValue, http.StatusUnauthorized)
}

// A key that was added during a pause is known to the first delivery that names it,
// though a read that began before hangs.
func TestKeyAddedDuringAPause(t *testing.T) {
	t.Parallel()
	i := newIdle(t)
	i.clock.Advance(fiveMinutes)
	g := i.hold()
	i.wants("after a pause", functiontest.WebhookValue, http.StatusOK)
	<-g.asked
	i.secrets.Put(functiontest.WebhookSecret, rotated)
	i.clock.Advance(time.Second)
	i.wants("a new key", rotated, http.StatusOK)
}
