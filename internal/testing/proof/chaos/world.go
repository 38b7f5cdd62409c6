//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const (
	redirectURI  = "http://127.0.0.1:3000/oauth/callback"
	clientID     = "fake-client-id"
	clientSecret = "fake-client-secret-of-chaos"

	maxClaim   = 25 * time.Second // a claim's longest duration: 20 s of work, 5 s of clock skew
	maxStopped = 10               // processes stopped at once

	lateBy = 30 * time.Minute // how much later it is for the driver that settles uncertain grants
)

// world is everything that the functions use, and the records of it.
type world struct {
	ctx    context.Context // ends with the chaos
	cancel context.CancelFunc
	calm   atomic.Bool // no faults: during setup, and after the chaos

	typedNumber atomic.Int64 // commands of operators so far

	dice     *dice
	discard  *log.Logger
	binaries string
	tls      *tls.Config
	rootFile string
	external string // address of another DynamoDB, "" for the one in memory
	names    tables.Names
	secrets  *awstest.Secrets
	queues   *awstest.Queues
	rescue   *awstest.Queue
	provider *provider
	storage  *storage
	store    *connections.Store // the driver's, which meets no faults
	late     *tokens.Store      // the same, lateBy later

	webhookSecret string
	rare          int                                   // how much rarer faults are than in the refresh protocol's run
	onlyKills     bool                                  // hit only kills
	onPut         func(body []byte, answer *heldAnswer) // receives each PutItem and its answer, unless nil
	onSend        func(int)                             // receives how many messages a queue accepted, unless nil
	onLog         func(*process, logEntry)              // receives lines of logs; nil: they are stored for the timelines

	people      []*person
	authorizing sync.Mutex // the fake has one mode at a time
	beganAt     time.Time
	endedAt     time.Time // the last fault

	background sync.WaitGroup // must end before the verdict
	closers    []func()

	kills, stops, network, failed, injected, logs, actionCount, calls, typedCount counter

	mu         sync.Mutex
	processes  []*process
	typing     *process // the last command of an operator; nil: there was none
	stopped    int
	rescues    []rescued
	entries    []logEntry
	violations []string // those that belong to no grant
	actions    []action
}

// newWorld starts everything except the functions. dir is for files of this run.
func newWorld(ctx context.Context, dir, endpoint string, seed uint64) (*world, error) {
	w := &world{
		dice: newDice(seed), discard: log.New(io.Discard, "", 0), binaries: filepath.Join(dir, "bin"),
		external: endpoint, rare: 1, secrets: awstest.NewSecrets(nil), queues: awstest.NewQueues(),
	}
	w.calm.Store(true)
	w.ctx, w.cancel = context.WithCancel(ctx)
	if err := w.certificate(dir); err != nil {
		return w, err
	}
	suffix := "-chaos-" + rand.Text()
	w.names = tables.Names{Grants: "grants" + suffix, Connections: "connections" + suffix, Spends: "spends" + suffix, Sessions: "sessions" + suffix, Inbox: "inbox" + suffix}
	if err := w.createSecrets(); err != nil {
		return w, err
	}
	backend, err := w.backend()
	if err != nil {
		return w, err
	}
	w.storage = newStorage(w, backend)
	address, err := w.serve(w.storage.handlerFor(nil))
	if err != nil {
		return w, err
	}
	db := dynamotest.Client(address, func(o *dynamodb.Options) { o.RetryMaxAttempts = 3 })
	if err := tables.Create(ctx, db, w.names); err != nil {
		return w, err
	}
	w.closers = append(w.closers, func() { w.dropTables(db) })
	return w, w.setUpDriver(db)
}

// createSecrets creates the secrets and the rescue queue.
func (w *world) createSecrets() error {
	ring := map[string]string{"current": "k1", "k1": rand.Text() + rand.Text()}
	for name, value := range map[string]map[string]string{
		"chaos/app":     {"client_id": clientID, "client_secret": clientSecret},
		"chaos/keys":    ring,
		"chaos/webhook": {"current": "k1", "k1": rand.Text() + rand.Text()},
	} {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		w.secrets.Put(name, string(text))
		if name == "chaos/webhook" {
			w.webhookSecret = string(text)
		}
	}
	for _, name := range []string{"rescue-dead", "dispatch-dead", "announce-dead"} {
		if _, err := w.queues.Create(name, awstest.QueueOptions{}); err != nil {
			return err
		}
	}
	var err error
	// Short, so that a message that a killed process had received is redelivered within the run.
	w.rescue, err = w.queues.Create("rescue", awstest.QueueOptions{VisibilityTimeout: 5 * time.Second})
	return err
}

// ring is the key ring as it is: operators rotate it.
func (w *world) ring(context.Context, bool) (*keys.Ring, error) {
	text, _ := w.secrets.Value("chaos/keys")
	return keys.Parse(text)
}

// backend returns the DynamoDB for all processes.
func (w *world) backend() (http.Handler, error) {
	if w.external == "" {
		db := dynamotest.New()
		return &awstest.Services{DynamoDB: db, Streams: streamtest.Streams(db)}, nil
	}
	u, err := url.Parse(w.external)
	if err != nil {
		return nil, err
	}
	p := httputil.NewSingleHostReverseProxy(u)
	p.ErrorLog = w.discard
	p.ErrorHandler = func(rw http.ResponseWriter, r *http.Request, err error) {
		if r.Context().Err() == nil {
			w.violation("DynamoDB at %s does not answer: %v", u.Host, err)
		}
		rw.WriteHeader(http.StatusBadGateway)
	}
	return detached{p}, nil
}

// detached finishes a request even if the process that made it has ended, so that the
// record of writes is complete.
type detached struct{ http.Handler }

func (d detached) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.Handler.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
}

// setUpDriver creates the fake Procore and the driver's own stores.
func (w *world) setUpDriver(db *dynamodb.Client) error {
	fake := procoretest.New(procoretest.Options{
		ClientID: clientID, ClientSecret: clientSecret, RedirectURIs: []string{redirectURI}, ExpiresIn: 15 * time.Second,
		SpikeLimit: 1_000_000, HourlyLimit: 1_000_000,
	})
	w.provider = newProvider(w, fake)
	w.closers = append(w.closers, fake.Close)
	address, err := w.serve(w.provider.handlerFor(nil))
	if err != nil {
		return err
	}
	oauth := &procore.OAuth{
		Environment: procore.Environment{Name: environment, LoginURL: address, APIURL: address},
		ClientID:    clientID, ClientSecret: procore.NewSecret(clientSecret),
	}
	log := slog.New(slog.DiscardHandler)
	grants := func(clock procore.Clock) *tokens.Store {
		return &tokens.Store{
			DB: db, Grants: w.names.Grants, Spends: w.names.Spends, Environment: oauth.Environment,
			Keys: secrettest.Func[*keys.Ring](w.ring), OAuth: secrettest.Constant(oauth), Log: log, Clock: clock,
		}
	}
	w.late = grants(procore.Clock{Time: func() time.Time { return time.Now().Add(lateBy) }})
	w.store = &connections.Store{DB: db, Table: w.names.Connections, Tokens: grants(procore.Clock{}), Log: log}
	return nil
}

// serve serves the driver's own calls, on a working network.
func (w *world) serve(h http.Handler) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: w.discard}
	w.closers = append(w.closers, func() { s.Close() })
	go func() { _ = s.Serve(l) }() // ends with Close
	return "http://" + l.Addr().String(), nil
}

func (w *world) dropTables(db *dynamodb.Client) {
	if w.external == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, name := range []string{w.names.Grants, w.names.Connections, w.names.Spends, w.names.Sessions, w.names.Inbox} {
		if _, err := db.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			fmt.Fprintf(os.Stderr, "chaos: table %s was not deleted: %v\n", name, err)
		}
	}
}

// environment returns a function's environment, with the addresses of its services.
func (w *world) environment(dynamo, procore, aws string) map[string]string {
	return map[string]string{
		"PROCORE_ENVIRONMENT": environment, "PROCORE_LOGIN_URL": procore, "PROCORE_API_URL": procore,
		"PUBLIC_URL": "http://127.0.0.1:3000", "WEBHOOK_NAMESPACE": "procore-connect", "LOG_LEVEL": "info",
		"GRANTS_TABLE": w.names.Grants, "CONNECTIONS_TABLE": w.names.Connections, "SPENDS_TABLE": w.names.Spends,
		"SESSIONS_TABLE": w.names.Sessions, "INBOX_TABLE": w.names.Inbox,
		"APP_SECRET_ID": "chaos/app", "KEYS_SECRET_ID": "chaos/keys", "WEBHOOK_SECRET_ID": "chaos/webhook",
		"RESCUE_QUEUE_URL": awstest.QueueURL(aws, "rescue"), "EVENTS_QUEUE_URL": awstest.QueueURL(aws, "events.fifo"),
		"ALLOWED_COMPANIES":         "*",
		"AWS_ENDPOINT_URL_DYNAMODB": dynamo, "AWS_ENDPOINT_URL_SECRETS_MANAGER": aws, "AWS_ENDPOINT_URL_SQS": aws,
		"SSL_CERT_FILE": w.rootFile,
		"GOMAXPROCS":    "1",
	}
}

// violation records a violation that belongs to no single grant.
func (w *world) violation(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.violations) < 50 {
		w.violations = append(w.violations, fmt.Sprintf(format, args...))
	}
}

// checkSecrets checks R5: no secret in a log.
func (w *world) checkSecrets(p *process, line []byte) {
	for _, secret := range []string{"fake-access-", "fake-refresh-", "fake-code-", "fake-client-secret", "Bearer "} {
		if bytes.Contains(line, []byte(secret)) {
			w.violation("R5: %s logs a secret that begins with %s", p.name, secret)
		}
	}
}

// addEntry stores a line of a function's log for the timelines.
func (w *world) addEntry(e logEntry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Principal != "" && len(w.entries) < 200_000 {
		w.entries = append(w.entries, e)
	}
}

// reserveStop reports whether one more process may be stopped, and counts it.
func (w *world) reserveStop() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm.Load() || w.stopped >= maxStopped {
		return false
	}
	w.stopped++
	return true
}

func (w *world) releaseStop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped--
}

func (w *world) close() {
	w.cancel()
	w.mu.Lock()
	all := w.processes
	w.mu.Unlock()
	for _, p := range all {
		p.close()
	}
	for n := len(w.closers); n > 0; n-- {
		w.closers[n-1]()
	}
}

// since formats a time for the timelines: seconds since the start.
func (w *world) since(t time.Time) string {
	return fmt.Sprintf("%8.3f", cmp.Or(t, w.beganAt).Sub(w.beganAt).Seconds())
}
