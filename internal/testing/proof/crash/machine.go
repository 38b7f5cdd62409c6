package crash

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/platform/sdkhttp"
	"procore-connect/internal/platform/secrets"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/journal"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/credential"
	"procore-connect/internal/webhook/dispatch"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// Names of secrets, and of the events queue.
const (
	appSecret     = "app"
	keysSecret    = "keys"
	webhookSecret = "webhook"
	eventsQueue   = "events.fifo"
)

// machine is everything from a start until a crash.
type machine struct {
	*world

	ctx     context.Context
	cancel  context.CancelFunc
	loops   sync.WaitGroup
	servers []*http.Server

	journal *journal.Journal
	fake    *procoretest.Server
	dynamo  *dynamotest.Server
	queues  *awstest.Queues
	events  *awstest.Queue
	aws     aws.Config

	db    *dynamodb.Client
	store *connections.Store
	inbox *inbox.Store
	hooks *provision.Reconciler
	ring  *secrets.Secret[*credential.Ring]
}

func (w *world) newMachine() *machine {
	m := &machine{world: w}
	m.ctx, m.cancel = context.WithCancel(w.t.Context())
	return m
}

// start starts everything in the order of package stack.
func (m *machine) start() error {
	var err error
	if m.journal, err = journal.Open(m.disk); err != nil {
		return err
	}
	if m.journal.Copied() {
		m.t.Errorf("seed %d, start %d: the state counts as a copy", m.seed, m.starts)
	}
	if err := m.startAWS(); err != nil {
		return err
	}
	m.wire()
	m.serve(receiverAddress, http.HandlerFunc(m.receive))
	m.fake, err = procoretest.Open(procoretest.Options{Storage: m.journal.Part("procore"), Dial: m.network.Dial, ExpiresIn: life})
	if err != nil {
		return err
	}
	m.serve(procoreAddress, m.seen.procore(m.fake))
	if err := tables.Create(m.ctx, m.db, names); err != nil {
		return err
	}
	return m.populate()
}

// startAWS starts the AWS services.
func (m *machine) startAWS() error {
	var err error
	if m.dynamo, err = dynamotest.Open(m.journal.Part("dynamodb")); err != nil {
		return err
	}
	if m.queues, err = awstest.OpenQueues(m.journal.Part("queues")); err != nil {
		return err
	}
	if m.events, err = m.queues.Create(eventsQueue, awstest.QueueOptions{VisibilityTimeout: time.Minute, GroupDedup: true}); err != nil {
		return err
	}
	values, err := awstest.OpenSecrets(m.journal.Part("secrets"))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		appSecret:     `{"client_id":"fake-client-id","client_secret":"fake-client-secret"}`,
		keysSecret:    fmt.Sprintf(`{"current":"k1","k1":%q}`, rand.Text()+rand.Text()),
		webhookSecret: fmt.Sprintf(`{"current":"k1","k1":%q}`, rand.Text()+rand.Text()),
	} {
		if _, ok := values.Value(name); !ok {
			values.Put(name, value)
		}
	}
	m.serve(awsAddress, m.seen.aws(&awstest.Services{
		DynamoDB: m.dynamo, Streams: streamtest.Streams(m.dynamo), Secrets: values, Queues: m.queues,
	}))
	return nil
}

func (m *machine) serve(address string, h http.Handler) {
	m.servers = append(m.servers, m.network.Serve(address, h))
}

// wire makes the code under test, as package wire does.
func (m *machine) wire() {
	endpoint, log := "http://"+awsAddress, slog.New(slog.DiscardHandler)
	m.aws = aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		HTTPClient: sdkhttp.New(m.dial), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		})}
	manager := secretsmanager.NewFromConfig(m.aws)
	m.ring = &secrets.Secret[*credential.Ring]{Client: manager, ID: webhookSecret, Parse: credential.Parse, Log: log}
	m.db = dynamodb.NewFromConfig(m.aws)
	m.inbox = &inbox.Store{DB: m.db, Table: names.Inbox}
	m.store = &connections.Store{DB: m.db, Table: names.Connections, Log: log, Tokens: &tokens.Store{
		DB: m.db, Grants: names.Grants, Spends: names.Spends, Environment: m.environment, Log: log, Dial: m.dial,
		Keys:  &secrets.Secret[*keys.Ring]{Client: manager, ID: keysSecret, Parse: keys.Parse, Log: log},
		OAuth: &secrets.Secret[*procore.OAuth]{Client: manager, ID: appSecret, Parse: m.parseApp, Log: log},
	}}
	m.hooks = &provision.Reconciler{Store: m.store, Ring: m.ring, Log: log, Recovery: &recovery.Recoverer{Inbox: m.inbox, Log: log},
		Want: provision.Config{Namespace: "our-app", URL: "http://" + receiverAddress + provision.Path,
			Triggers: []procore.Trigger{{Resource: "RFIs", EventType: "create"}, {Resource: "RFIs", EventType: "update"}}}}
}

func (m *machine) parseApp(text string) (*procore.OAuth, error) {
	oauth, err := secrets.App(m.environment)(text)
	if err == nil {
		oauth.Dial = m.dial
	}
	return oauth, err
}

// dial opens connections that end with the machine.
func (m *machine) dial(ctx context.Context, _, address string) (net.Conn, error) {
	if err := m.ctx.Err(); err != nil {
		return nil, err
	}
	return m.network.Dial(ctx, "", address)
}

// startMappings starts what passes events to the dispatcher and the consumer.
func (m *machine) startMappings() error {
	d := &dispatch.Dispatcher{Inbox: m.inbox, Queue: sqs.NewFromConfig(m.aws), QueueURL: awstest.QueueURL("http://"+awsAddress, eventsQueue),
		Log: slog.New(slog.DiscardHandler)}
	stream := &streamtest.StreamMapping{Streams: dynamodbstreams.NewFromConfig(m.aws), Table: names.Inbox, Function: lambda(d.Handle),
		Filters: dispatch.Filters(), BatchSize: 10, Storage: m.journal.Part("position"), Report: m.report,
		Clock: procore.Clock{Wait: func(ctx context.Context, d time.Duration) error { return procore.Clock{}.Sleep(ctx, 10*d) }}}
	if err := stream.Begin(m.ctx); err != nil {
		return err
	}
	m.loops.Go(func() { _ = stream.Run(m.ctx) })
	queue := &streamtest.QueueMapping{Queue: m.events, Function: lambda(m.consume), BatchSize: 1, MaxReceive: 1 << 20, Report: m.report}
	m.loops.Go(func() { queue.Run(m.ctx) })
	return nil
}

func (m *machine) report(text string) {
	if m.ctx.Err() == nil && !m.crashed() {
		m.stats.count("reports")
		m.t.Logf("seed %d, start %d: %s", m.seed, m.starts, text)
	}
}

// run lets people do things until the machine ends or its disk fails.
func (m *machine) run() {
	if err := m.startMappings(); err != nil {
		if m.ctx.Err() == nil && !m.crashed() {
			m.t.Errorf("seed %d, start %d: %v", m.seed, m.starts, err)
		}
		return
	}
	for n := range uint64(people) {
		m.loops.Go(func() { m.person(m.dice(n)) })
	}
	m.loops.Go(func() { m.schedule(m.dice(people)) })
	select {
	case <-m.journal.Failed():
	case <-m.ctx.Done():
	case <-time.After(time.Hour):
		m.t.Errorf("seed %d, start %d: nothing happens", m.seed, m.starts)
	}
}

// end stops everything. Nothing is saved.
func (m *machine) end() {
	m.cancel()
	for _, s := range m.servers {
		_ = s.Close()
	}
	if m.fake != nil {
		m.fake.Close()
	}
	m.loops.Wait()
}
