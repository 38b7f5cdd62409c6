// Package story is a scripted week of a few companies, for the pictures of the operator's console: what is drawn there has
// the shapes that the code makes, and not those that someone invented.
//
// It runs in a bubble of testing/synctest. The fake Procore and the AWS services are reached in memory. The functions
// are those of the template, except that script.go does what their pages do when a user connects a company.
package story

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	receiver "procore-connect/functions/webhook-receiver/handler"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/logging"
	"procore-connect/internal/platform/metrics"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/gatewaytest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/memnet"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/testing/stack"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/wire"
	"procore-connect/internal/wire/secret"
	"procore-connect/internal/wire/stores"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// The week is from a Monday's morning to the next one's.
var (
	begins = time.Date(2026, 3, 2, 7, 30, 0, 0, time.UTC)
	ends   = time.Date(2026, 3, 9, 10, 22, 0, 0, time.UTC)
)

// Story is what the week left.
type Story struct {
	At     time.Time // when it ended
	Tables tables.Names
	// DynamoDB and Queues are what dynamotest.Open and awstest.OpenQueues continue with.
	DynamoDB, Queues *Storage
	Lines            []Line // of the functions
}

// Line is what a function wrote.
type Line struct {
	Group string // as awstest.Logs names it
	At    time.Time
	Text  string
}

// Addresses in the network. The fake delivers only to this machine.
const (
	procoreAddress  = "127.0.0.1:4000"
	receiverAddress = "127.0.0.1:3000"
	awsAddress      = "http://aws"
)

// Run lets the week pass until a time. The whole of it takes about a minute. The secrets are those of package
// functiontest.
func Run(t *testing.T, until time.Time) *Story {
	t.Helper()
	s := &Story{At: until, Tables: tables.Names{Grants: "grants", Connections: "connections", Spends: "spends", Sessions: "sessions", Inbox: "inbox"},
		DynamoDB: new(Storage), Queues: new(Storage)}
	synctest.Test(t, func(t *testing.T) {
		takes(time.Until(begins))
		newWorld(t, s).run()
	})
	return s
}

// world is all that the functions use.
type world struct {
	*Story

	t      *testing.T
	ctx    context.Context // ends with the story
	random *rand.Rand      // of people

	network   memnet.Network
	fake      *procoretest.Server
	dynamo    *dynamotest.Server
	queues    *awstest.Queues
	events    *awstest.Queue
	variables map[string]string // of the functions
	sdk       aws.Config

	known map[place][]procore.ID // what people have made

	mu      sync.Mutex
	poison  map[procore.ID]string // why the consumer never handles the events of an item
	garbled map[int64]int         // how many of a company's next deliveries are not understood
}

func newWorld(t *testing.T, s *Story) *world {
	t.Helper()
	w := &world{
		Story: s, t: t, ctx: t.Context(), random: rand.New(rand.NewPCG(7, 22)),
		known: map[place][]procore.ID{}, garbled: map[int64]int{}, poison: map[procore.ID]string{},
	}
	w.startAWS()
	w.fake = procoretest.New(procoretest.Options{
		Dial: w.network.Dial, LoseDeliveries: 0.02, LoseSeed: 5, LoseAs: procoretest.LoseSucceeded,
	})
	receives := start(w, "webhook-receiver", 5*time.Second, receiver.New)
	front := gatewaytest.New(
		map[string]gatewaytest.Invoker{"POST " + provision.Path: receives, "HEAD " + provision.Path: receives},
		gatewaytest.Options{Log: func(route string, err error) { t.Errorf("%s: %v", route, err) }},
	)
	servers := []*http.Server{w.network.Serve(procoreAddress, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		takes(130 * time.Millisecond)
		w.fake.ServeHTTP(rw, r)
	})), w.network.Serve(receiverAddress, w.reached(front))}
	t.Cleanup(func() {
		w.fake.Close()
		for _, s := range servers {
			_ = s.Close()
		}
	})
	return w
}

// startAWS creates what the template does, with the variables that it sets.
func (w *world) startAWS() {
	w.variables = stack.Environment("http://"+receiverAddress, "http://"+procoreAddress, awsAddress)
	maps.Copy(w.variables, Variables())
	w.variables["CONNECTIONS_TOPIC_ARN"] = awstest.TopicARN("connections")
	w.dynamo = must(dynamotest.Open(w.DynamoDB))
	w.queues = must(awstest.OpenQueues(w.Queues))
	w.sdk = aws.Config{
		Region: "us-east-1",
		HTTPClient: inProcess{&awstest.Services{
			DynamoDB: w.dynamo, Queues: w.queues, Topics: awstest.NewTopics("connections"),
			Secrets: awstest.NewSecrets(map[string]string{
				w.variable("APP_SECRET_ID"):     functiontest.AppValue,
				w.variable("KEYS_SECRET_ID"):    functiontest.KeysValue,
				w.variable("WEBHOOK_SECRET_ID"): functiontest.WebhookValue,
			}),
		}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "story", SecretAccessKey: "story"}, nil // no signature is checked
		}),
	}
	w.check(w.createQueues())
	w.check(tables.Create(w.ctx, wire.DynamoDB(config.New(w.variable), w.sdk), w.Tables))
}

// variable returns a variable of the functions.
func (w *world) variable(name string) string { return w.variables[name] }

// createQueues creates the template's queues, that of events with the template's times.
func (w *world) createQueues() error {
	dead, err := w.queues.Create("events-dead.fifo", awstest.QueueOptions{})
	if err == nil {
		w.events, err = w.queues.Create("events.fifo", awstest.QueueOptions{VisibilityTimeout: 6 * time.Minute, DeadLetters: dead, MaxReceiveCount: 50, GroupDedup: true})
	}
	for _, name := range []string{"rescue-dead", "dispatch-dead", "announce-dead", "rescue"} {
		if err == nil {
			_, err = w.queues.Create(name, awstest.QueueOptions{})
		}
	}
	return err
}

// run lets the week pass.
func (w *world) run() {
	ctx, end := context.WithDeadline(w.ctx, w.At)
	defer end()
	w.ctx = ctx
	w.addCompanies()
	var all sync.WaitGroup
	w.deploy(&all)
	all.Go(w.people)
	all.Wait()
	takes(time.Minute) // a call to Procore that was under way ends; time stops with the bubble's first goroutine
}

// until lets time pass, and reports whether the week still is.
func (w *world) until(t time.Time) bool {
	select {
	case <-time.After(time.Until(t)):
		return w.ctx.Err() == nil
	case <-w.ctx.Done():
		return false
	}
}

// takes lets the time pass that something takes.
func takes(d time.Duration) { <-time.After(d) }

// log returns the log of a function.
func (w *world) log(function string) *slog.Logger {
	l := must(logging.New(lines{w, stack.LogGroup(function)}, "info"))
	return slog.New(metrics.Handler(l.Handler(), stack.StackName))
}

// lines passes on what a function writes.
type lines struct {
	w     *world
	group string
}

// Write implements io.Writer. A logger writes a line at once.
func (l lines) Write(b []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.w.Lines = append(l.w.Lines, Line{l.group, time.Now(), strings.TrimSuffix(string(b), "\n")})
	return len(b), nil
}

// store returns the connections as a function has them.
func (w *world) store(b *wire.Base) *connections.Store {
	environment := b.Environment()
	return stores.Connections(b, stores.Grants(b, environment, secret.Keys(b), secret.OAuth(b, environment)))
}

// inProcess makes the requests of a client without a network.
type inProcess struct{ server http.Handler }

// Do answers a request.
func (p inProcess) Do(r *http.Request) (*http.Response, error) {
	takes(4 * time.Millisecond)
	answer := httptest.NewRecorder()
	p.server.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// Storage is a journal.Storage in memory, which outlives the bubble.
type Storage struct {
	mu     sync.Mutex
	Values map[string]json.RawMessage // the stand-ins store JSON
}

// Load implements journal.Storage.
func (s *Storage) Load() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string][]byte{}
	for key, value := range s.Values {
		all[key] = value
	}
	return all
}

// Append implements journal.Storage.
func (s *Storage) Append(changes map[string][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Values == nil {
		s.Values = map[string]json.RawMessage{}
	}
	for key, value := range changes {
		if s.Values[key] = value; value == nil {
			delete(s.Values, key)
		}
	}
}

// Sync implements journal.Storage.
func (*Storage) Sync() error { return nil }

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil && w.ctx.Err() == nil { // it fails when the week ends
		w.t.Error(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
