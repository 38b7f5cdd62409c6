// Package functiontest sets up the world around a function's handler in a test. It has a
// fake Procore, a DynamoDB, a Secrets Manager, a clock, an API Gateway in front and a
// browser. When the test ends, it searches the log for secrets.
//
//	w := functiontest.New(t)
//	base := w.Front(func(public string) map[string]gateway.Func { ... })
//	page := w.Browser(base).Get("/")
//
// The real clients reach all of them over the wire.
package functiontest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/queue"
	"procore-connect/internal/platform/sdkhttp"
	"procore-connect/internal/platform/secrets"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/clocktest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/upkeep/rescue"
	"procore-connect/internal/webhook/credential"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// Names of the secrets in a new world.
const (
	AppSecret     = "test/app"
	KeysSecret    = "test/keys"
	WebhookSecret = "test/webhook"
	LinkSecret    = "test/link"
)

// Values of the secrets. The keys are recognisable, so that the log can be searched for
// them.
const (
	AppValue     = `{"client_id":"fake-client-id","client_secret":"fake-client-secret"}`
	KeysValue    = `{"current":"k1","k1":"fake-seal-key-0123456789-0123456789-0123456789"}`
	WebhookValue = `{"current":"k1","k1":"fake-webhook-key-0123456789-0123456789-01234"}`
	LinkValue    = `{"current":"k1","k1":"fake-link-key-0123456789-0123456789-01234567"}`
)

// World has everything that a handler reaches.
type World struct {
	Clock   *clocktest.Clock
	Procore *procoretest.Server
	DB      *dynamodb.Client
	Tables  tables.Names
	Secrets *awstest.Secrets
	Log     *Log

	// Environment leads to Procore.
	Environment procore.Environment

	t        *testing.T
	endpoint *string
	manager  *secretsmanager.Client
	rounds   rounds

	mu       sync.Mutex
	fault    func(operation string, body []byte) dynamotest.Fault
	storage  []string
	requests []string
}

// New returns a world that ends with the test.
func New(t *testing.T) *World {
	t.Helper()
	w := &World{
		t:       t,
		Clock:   clocktest.New(),
		Secrets: awstest.NewSecrets(map[string]string{AppSecret: AppValue, KeysSecret: KeysValue, WebhookSecret: WebhookValue, LinkSecret: LinkValue}),
		Log:     newLog(t),
	}
	w.startProcore()
	dynamo := dynamotest.New()
	w.DB = dynamotest.Client(dynamo.Start(t))
	w.Tables = tables.CreateForTest(t, w.DB)
	dynamo.Intercept(w.intercept)
	t.Cleanup(func() { dynamo.Intercept(nil) })
	server := httptest.NewServer(&awstest.Services{Secrets: w.Secrets, Queues: awstest.NewQueues()})
	t.Cleanup(server.Close)
	w.endpoint = &server.URL
	w.manager = secretsmanager.NewFromConfig(w.aws(), func(o *secretsmanager.Options) { o.BaseEndpoint = w.endpoint })
	return w
}

func (w *World) aws() aws.Config {
	return aws.Config{Region: "us-east-1", RetryMaxAttempts: 1, HTTPClient: sdkhttp.New(nil),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		})}
}

// Rescue creates the rescue queue.
func (w *World) Rescue() *rescue.Queue {
	w.t.Helper()
	q := &rescue.Queue{Queue: queue.New(w.aws(), w.endpoint, "")}
	made, err := q.Client.CreateQueue(w.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("rescue")})
	if err != nil {
		w.t.Fatal(err)
	}
	q.URL = *made.QueueUrl
	return q
}

// RedirectURI is the one of the authorizations that World makes itself.
const RedirectURI = "http://127.0.0.1:3000/oauth/callback"

// Connect stores a user's authorization, and connects a company by it, as the other
// functions do in the end.
func (w *World) Connect(company, user int64, webhooks connections.Webhooks) connections.Connection {
	w.t.Helper()
	store := w.Store()
	w.Authorize(user)
	c, err := store.Connect(w.t.Context(), connections.New{
		Key: connections.Key{CompanyID: company, Principal: tokens.User(user)}, CompanyName: "A Company", UserName: "A User", Webhooks: webhooks,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// Authorize stores a new authorization of the user, as company-select does.
func (w *World) Authorize(user int64) tokens.Grant {
	w.t.Helper()
	g, err := w.Tokens().Authorize(w.t.Context(), tokens.Authorization{
		Principal: tokens.User(user), Pair: w.Pair(user, RedirectURI), RedirectURI: RedirectURI,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// Pair returns the pair of a new authorization by the user.
func (w *World) Pair(user int64, redirectURI string) procore.Token {
	w.t.Helper()
	pair := w.Procore.Token(w.t, user, redirectURI)
	return procore.Token{AccessToken: procore.NewSecret(pair.AccessToken), RefreshToken: procore.NewSecret(pair.RefreshToken),
		IssuedAt: time.Unix(pair.CreatedAt, 0), Expiry: w.Clock.Now().Add(time.Duration(pair.ExpiresIn) * time.Second)}
}

// Connection reads a connection.
func (w *World) Connection(key connections.Key) connections.Connection {
	w.t.Helper()
	c, err := w.Store().Connection(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// Grant reads a grant.
func (w *World) Grant(p tokens.Principal) tokens.Grant {
	w.t.Helper()
	g, err := w.Tokens().Grant(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// ProcoreFails adds a fault of Procore.
func (w *World) ProcoreFails(f procoretest.Fault) {
	w.t.Helper()
	if err := w.Procore.Fault(f); err != nil {
		w.t.Fatal(err)
	}
}

// PatchCompany changes a company at Procore.
func (w *World) PatchCompany(id int64, p procoretest.CompanyPatch) {
	w.t.Helper()
	if err := w.Procore.UpdateCompany(id, p); err != nil {
		w.t.Fatal(err)
	}
}

// startProcore serves the fake behind a counter of its requests.
func (w *World) startProcore() {
	w.Procore = procoretest.New(procoretest.Options{Now: w.Clock.Now})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.requests = append(w.requests, r.Method+" "+r.URL.Path)
		w.mu.Unlock()
		rw.Header().Set("Date", w.Clock.Now().UTC().Format(http.TimeFormat))
		if strings.HasPrefix(r.URL.Path, "/rest/") {
			w.rounds.hold(r.Context())
		}
		w.Procore.ServeHTTP(rw, r)
	}))
	server.Config.ConnState = w.Procore.ConnState
	server.Start()
	w.Procore.URL = server.URL
	w.t.Cleanup(func() {
		w.Procore.Close()
		server.CloseClientConnections()
		server.Close()
	})
	var err error
	if w.Environment, err = procore.ParseEnvironment("custom", server.URL, server.URL); err != nil {
		w.t.Fatal(err)
	}
}

// Requests counts the requests that reached Procore, by "POST /oauth/token" and
// the like; "" counts all.
func (w *World) Requests(key string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return count(w.requests, key)
}

func count(all []string, key string) int {
	n := 0
	for _, one := range all {
		if one == key || key == "" {
			n++
		}
	}
	return n
}

// Fault makes storage misbehave as f decides, until it is set to nil.
func (w *World) Fault(f func(operation string, body []byte) dynamotest.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// Down makes every storage operation fail; see [World.Fault].
func Down(string, []byte) dynamotest.Fault { return dynamotest.Fault{Code: "InternalServerError"} }

// Storage returns the operations that reached storage since the last call of Storage.
func (w *World) Storage() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.storage
	w.storage = nil
	return seen
}

func (w *World) intercept(operation string, body []byte) dynamotest.Fault {
	w.mu.Lock()
	w.storage = append(w.storage, operation)
	f := w.fault
	w.mu.Unlock()
	if f == nil {
		return dynamotest.Fault{}
	}
	return f(operation, body)
}

// Keys reads the key ring as a function does.
func (w *World) Keys() *secrets.Secret[*keys.Ring] {
	return &secrets.Secret[*keys.Ring]{Client: w.manager, ID: KeysSecret, Parse: keys.Parse, Log: w.Log.Logger, Clock: w.Clock.Seam()}
}

// Ring reads the webhook keys as a function does.
func (w *World) Ring() *secrets.Secret[*credential.Ring] {
	return &secrets.Secret[*credential.Ring]{Client: w.manager, ID: WebhookSecret, Parse: credential.Parse, Log: w.Log.Logger, Clock: w.Clock.Seam()}
}

// LinkKeys reads the keys of signed links as a function does.
func (w *World) LinkKeys() *secrets.Secret[*link.Keys] {
	return &secrets.Secret[*link.Keys]{Client: w.manager, ID: LinkSecret, Parse: link.ParseKeys, Log: w.Log.Logger, Clock: w.Clock.Seam()}
}

// OAuth reads the app's credentials as a function does.
func (w *World) OAuth() *secrets.Secret[*procore.OAuth] {
	parse := secrets.App(w.Environment)
	return &secrets.Secret[*procore.OAuth]{Client: w.manager, ID: AppSecret, Log: w.Log.Logger, Clock: w.Clock.Seam(),
		Parse: func(value string) (*procore.OAuth, error) {
			o, err := parse(value)
			if err == nil {
				o.Clock = w.Clock.Seam()
			}
			return o, err
		}}
}

// Sessions returns one function's store of sessions.
func (w *World) Sessions() *session.Store {
	return &session.Store{DB: w.DB, Table: w.Tables.Sessions, Keys: w.Keys(), OAuth: w.OAuth(), Clock: w.Clock.Seam()}
}

// Tokens returns one function's store of grants.
func (w *World) Tokens() *tokens.Store {
	return &tokens.Store{
		DB: w.DB, Grants: w.Tables.Grants, Spends: w.Tables.Spends, Environment: w.Environment,
		Keys: w.Keys(), OAuth: w.OAuth(), Clock: w.Clock.Seam(), Log: w.Log.Logger,
	}
}

// Store returns one function's store of connections.
func (w *World) Store() *connections.Store {
	return &connections.Store{DB: w.DB, Table: w.Tables.Connections, Tokens: w.Tokens(), Log: w.Log.Logger}
}
