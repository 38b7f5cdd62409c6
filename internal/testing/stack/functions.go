package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/gatewaytest"
	"procore-connect/internal/testing/fake/lambdatest"
	"procore-connect/internal/testing/stack/rebuild"
)

const (
	oauthCallback   = "oauth-callback"
	companySelect   = "company-select"
	webhookReceiver = "webhook-receiver"
	dispatcher      = "dispatcher"
	announcer       = "announcer"
	refresher       = "refresher"
	reconciler      = "reconciler"
	accessToken     = "access-token"

	consumers = 2 // batches that run at once
)

// packages are those of the functions; Options.packages adds the consumer's.
var packages = [...]string{
	"./functions/oauth-callback", "./functions/company-select", "./functions/webhook-receiver",
	"./functions/dispatcher", "./functions/announcer", "./functions/refresher", "./functions/reconciler", "./functions/access-token",
}

// startFunctions starts a process of each function and waits until all ask for work.
func (s *Stack) startFunctions(ctx context.Context, dir string) error {
	s.functions, s.binaries = make(map[string]*lambdatest.Function), make(map[string]string)
	env, consumer := s.environment(), s.options.consumer()
	needs, err := s.consumerNeeds(ctx)
	if err != nil {
		return err
	}
	for _, o := range []lambdatest.Options{
		{Name: oauthCallback, Timeout: 29 * time.Second, Concurrency: 4},
		{Name: companySelect, Timeout: 29 * time.Second, Concurrency: 4},
		{Name: webhookReceiver, Timeout: 5 * time.Second, Concurrency: 8},
		{Name: dispatcher, Timeout: time.Minute},
		{Name: announcer, Timeout: 30 * time.Second, Concurrency: 2},
		{Name: refresher, Timeout: time.Minute, Concurrency: 2},
		{Name: reconciler, Timeout: time.Minute},
		{Name: accessToken, Timeout: 30 * time.Second, Concurrency: 2},
		{Name: consumer, Timeout: 30 * time.Second, Concurrency: consumers},
	} {
		o.Binary, o.Env, o.MemoryMB = rebuild.Binary(dir, o.Name), env, 256
		o.Timeout = cmp.Or(s.options.Timeout, o.Timeout)
		o.InitTimeout = 30 * time.Second // Lambda allows 10, and does not compile at the same time
		o.Stdout, o.Stderr = s.out.objects(o.Name), s.out.objects(o.Name)
		if o.Name == consumer {
			o.Env = with(env, needs)
		}
		s.Lambda.Put(o.Name, o.Env)
		s.functions[o.Name], s.binaries[o.Name] = lambdatest.New(o), o.Binary
		s.Lambda.Run(o.Name, s.functions[o.Name])
	}
	s.out.report("starting the functions")
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range s.functions {
		g.Go(func() error { return f.Warm(ctx) })
	}
	return g.Wait()
}

// rebuild replaces the functions whose source changes after since.
func (s *Stack) rebuild(ctx context.Context, dir string, since time.Time) {
	root, err := rebuild.Root(ctx)
	if err != nil {
		return // ctx has ended: it was found before
	}
	w := &rebuild.Watcher{
		Root: root, Dir: filepath.Join(dir, "next"), Packages: s.options.packages(root), Around: "./cmd/local", Since: since, Report: s.out.report,
		Replace: s.replace,
	}
	if s.options.python(root) {
		s.loops.Go(func() { s.followPython(ctx, root, dir) })
	}
	w.Run(ctx)
}

// replace lets another binary take the place of a function's.
func (s *Stack) replace(ctx context.Context, name, binary string) error {
	err := s.functions[name].Replace(ctx, binary)
	if e, ok := errors.AsType[*lambdatest.FunctionError](err); ok {
		e.Log = nil // its lines were written as they came
	}
	return err
}

// front routes requests as the template's HTTP API does.
func (s *Stack) front() http.Handler {
	routes := make(map[string]gatewaytest.Invoker)
	for key, name := range map[string]string{
		"GET /":                   oauthCallback,
		"GET /oauth/start":        oauthCallback,
		"GET /oauth/callback":     oauthCallback,
		"GET /companies":          companySelect,
		"POST /companies":         companySelect,
		"GET /connected":          companySelect,
		"POST /webhooks/procore":  webhookReceiver,
		"POST /webhooks/{proxy+}": webhookReceiver,
		"HEAD /webhooks/procore":  webhookReceiver,
		"HEAD /webhooks/{proxy+}": webhookReceiver,
		"$default":                oauthCallback,
		"HEAD /companies":         companySelect,
		"HEAD /connected":         companySelect,
		"POST /connected":         companySelect,
		"GET /return":             companySelect,
		"POST /links/redeem":      companySelect,
	} {
		routes[key] = s.functions[name]
	}
	return gatewaytest.New(routes, gatewaytest.Options{Log: func(route string, err error) {
		s.out.report(fmt.Sprintf("%s: %v", route, err))
	}})
}

// environment returns the environment variables of this stack's functions.
func (s *Stack) environment() map[string]string {
	env := Environment(s.PublicURL, s.ProcoreURL, s.AWSURL)
	if s.options.Sandbox != nil {
		s.options.Sandbox.environment(env)
	}
	env["AWS_ENDPOINT_URL_DYNAMODB"] = s.dynamoURL()
	maps.Copy(env, s.options.Env)
	return env
}

// DefaultReturn is where users return who came by a signed link, unless RETURN_URLS is another address.
const DefaultReturn = "http://127.0.0.1:3500/procore"

// Environment returns the variables that the template sets for the functions, with the names of a stack's tables, secrets
// and queues. The addresses are those at which the functions reach the stack.
func Environment(app, procore, aws string) map[string]string {
	return map[string]string{
		"PROCORE_ENVIRONMENT":              "custom",
		"PROCORE_LOGIN_URL":                procore,
		"PROCORE_API_URL":                  procore,
		"PROCORE_PRINCIPAL":                "user",
		"PUBLIC_URL":                       app,
		"GRANTS_TABLE":                     names.Grants,
		"CONNECTIONS_TABLE":                names.Connections,
		"SPENDS_TABLE":                     names.Spends,
		"SESSIONS_TABLE":                   names.Sessions,
		"INBOX_TABLE":                      names.Inbox,
		"APP_SECRET_ID":                    appSecret,
		"KEYS_SECRET_ID":                   keysSecret,
		"WEBHOOK_SECRET_ID":                webhookSecret,
		"LINK_SECRET_ID":                   LinkSecret,
		"RETURN_URLS":                      DefaultReturn,
		"RESCUE_QUEUE_URL":                 awstest.QueueURL(aws, rescueQueue),
		"EVENTS_QUEUE_URL":                 awstest.QueueURL(aws, eventsQueue),
		"CONNECTIONS_TOPIC_ARN":            awstest.TopicARN(connectionsTopic),
		"ALLOWED_COMPANIES":                "*",
		"WEBHOOK_NAMESPACE":                "procore-connect",
		"WEBHOOK_TRIGGERS":                 "RFIs:create,update,delete;Projects:update;Company Users:update",
		"RECONCILE_PERIOD":                 "1m",
		"RECONCILE_CALLS_PER_OWNER":        "3000",
		"RECONCILE_CALLS_PER_APP":          "3000",
		"LOG_LEVEL":                        "info",
		"METRICS_NAMESPACE":                StackName,
		"GOMAXPROCS":                       "1", // as template.yaml has it
		"AWS_ENDPOINT_URL_DYNAMODB":        aws,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": aws,
		"AWS_ENDPOINT_URL_SQS":             aws,
		"AWS_ENDPOINT_URL_SNS":             aws,
		"AWS_ENDPOINT_URL_LAMBDA":          aws,
		"ACCESS_TOKEN_FUNCTION":            awstest.FunctionARN(accessToken),
	}
}
