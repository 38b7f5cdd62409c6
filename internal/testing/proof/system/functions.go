package system

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	accesstoken "procore-connect/functions/access-token/handler"
	announcer "procore-connect/functions/announcer/handler"
	companyselect "procore-connect/functions/company-select/handler"
	dispatcher "procore-connect/functions/dispatcher/handler"
	oauthcallback "procore-connect/functions/oauth-callback/handler"
	reconciler "procore-connect/functions/reconciler/handler"
	refresher "procore-connect/functions/refresher/handler"
	receiver "procore-connect/functions/webhook-receiver/handler"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/gatewaytest"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/internal/upkeep/announce"
	"procore-connect/internal/webhook/dispatch"
	"procore-connect/internal/wire"
	"procore-connect/pkg/consumer"
)

// Addresses in the world. Nothing listens there.
const (
	appURL     = "http://127.0.0.1:3000"
	procoreURL = "http://127.0.0.1:4000"
)

const (
	namespace = "procore-connect"
	triggers  = "RFIs:create,update;Punch Items:create,update;Company Users:update;Company Vendors:create,update"
	period    = 6 * time.Hour // of reconciliation
	maxAge    = 22 * time.Hour
	consumers = 2 // events that are worked on at once
)

// environment returns the variables that template.yaml sets.
func (s *system) environment() map[string]string {
	queues := s.Queues
	return map[string]string{
		"AWS_REGION":                "us-east-1",
		"PROCORE_ENVIRONMENT":       "custom",
		"PROCORE_LOGIN_URL":         procoreURL,
		"PROCORE_API_URL":           procoreURL,
		"PROCORE_PRINCIPAL":         "user",
		"PUBLIC_URL":                appURL,
		"GRANTS_TABLE":              grants,
		"CONNECTIONS_TABLE":         connectionsTable,
		"SPENDS_TABLE":              spends,
		"SESSIONS_TABLE":            sessions,
		"INBOX_TABLE":               inboxTable,
		"APP_SECRET_ID":             "app",
		"KEYS_SECRET_ID":            "keys",
		"WEBHOOK_SECRET_ID":         "webhook",
		"RESCUE_QUEUE_URL":          queues.URL(simulation.RescueQueue),
		"EVENTS_QUEUE_URL":          queues.URL(simulation.EventsQueue),
		"CONNECTIONS_TOPIC_ARN":     awstest.TopicARN("connections"),
		"ALLOWED_COMPANIES":         "*",
		"WEBHOOK_NAMESPACE":         namespace,
		"WEBHOOK_TRIGGERS":          triggers,
		"RECONCILE_PERIOD":          period.String(),
		"RECONCILE_CALLS_PER_OWNER": strconv.Itoa(perOwner),
		"RECONCILE_CALLS_PER_APP":   strconv.Itoa(perApp),
		"LOG_LEVEL":                 "info",
		"METRICS_NAMESPACE":         "procore-connect",
		"ACCESS_TOKEN_FUNCTION":     awstest.FunctionARN("access-token"),
	}
}

// base is what a sandbox's code is made from.
func (s *system) base(p *simulation.Process) *wire.Base {
	env, sdk := s.environment(), s.AWS()
	if p.Version > 0 {
		sdk = nextVersion(sdk)
	}
	b := wire.From(config.New(func(name string) string { return env[name] }), sdk, s.logger(p))
	b.Clock, b.Random, b.Dial = p.Clock(), p.Random(), s.DialTransport
	return b
}

// function adds a function to the world, which is built as its main builds it.
func function[In, Out any, F ~func(context.Context, In) (Out, error)](s *system, name string, timeout time.Duration, build func(*wire.Base) (F, error)) *simulation.Function {
	return s.Function(&simulation.Function{Name: name, Timeout: timeout, Start: func(p *simulation.Process) (simulation.Handler, error) {
		f, err := build(s.base(p))
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, in any) (any, error) {
			input, ok := in.(In)
			if !ok {
				if err := json.Unmarshal(in.(json.RawMessage), &input); err != nil { //nolint:forcetypeassert // a caller's mistake may panic
					return nil, err
				}
			}
			s.judge.pace.begins(simulation.ActorOf(ctx).Name, input)
			out, err := f(ctx, input)
			s.judge.sends.answered(p, s.judge.pairs.isSafe)
			s.judge.pairs.answered(p)
			s.judge.failed(name, err)
			return out, err
		}, nil
	}})
}

// deploy starts the functions with their schedules and event sources.
func (s *system) deploy() {
	callback := function(s, "oauth-callback", 29*time.Second, oauthcallback.New)
	choice := function(s, "company-select", 29*time.Second, companyselect.New)
	receive := function(s, "webhook-receiver", 5*time.Second, receiver.New)
	dispatches := function(s, "dispatcher", time.Minute, dispatcher.New)
	announces := function(s, "announcer", time.Minute, announcer.New)
	refresh := function(s, "refresher", 4*time.Minute, refresher.New)
	reconcile := function(s, "reconciler", 4*time.Minute, reconciler.New)
	access := function(s, "access-token", 45*time.Second, accesstoken.New)
	consume := function(s, "event-consumer", time.Minute, func(b *wire.Base) (consumer.Function, error) {
		env := s.environment()
		return consumer.New(consumer.Parts{
			Getenv: func(name string) string { return env[name] }, AWS: b.AWS, Log: b.Log, Clock: b.Clock, Random: b.Random, Dial: b.Dial,
		}, s.consumed)
	})
	s.functions = []*simulation.Function{callback, choice, receive, dispatches, announces, refresh, reconcile, access, consume}
	s.access = access

	s.gateway = gatewaytest.New(map[string]gatewaytest.Invoker{
		"GET /": front{callback}, "GET /oauth/start": front{callback}, "GET /oauth/callback": front{callback}, "$default": front{callback},
		"GET /companies": front{choice}, "POST /companies": front{choice}, "GET /connected": front{choice}, "POST /connected": front{choice},
		"POST /webhooks/procore": front{receive}, "POST /webhooks/{proxy+}": front{receive},
	}, gatewaytest.Options{})
	for i, task := range []string{"refresh", "housekeeping"} {
		s.Every(5*time.Minute, time.Duration(i)*time.Minute, task, refresh, func(at time.Time) any {
			return refresher.Input{Task: task, ScheduledAt: at.Format(time.RFC3339)}
		})
	}
	s.Every(5*time.Minute, 2*time.Minute, "reconcile", reconcile, func(time.Time) any { return reconciler.Input{Task: "reconcile"} })
	s.stream(inboxTable, dispatches, 500, dispatch.Filters(), simulation.DispatchDeadQueue)
	s.stream(grants, announces, 10, announce.GrantFilters(), simulation.AnnounceDeadQueue)
	s.stream(connectionsTable, announces, 10, announce.ConnectionFilters(), simulation.AnnounceDeadQueue)
	s.Consume(simulation.EventsQueue, consume, consumers, func(answer any) (failed []string) {
		for _, f := range answer.(events.SQSEventResponse).BatchItemFailures { //nolint:forcetypeassert // it is the consumer's
			failed = append(failed, f.ItemIdentifier)
		}
		return failed
	})
}

// front is a function behind the API.
type front struct{ *simulation.Function }

// Invoke implements gatewaytest.Invoker.
func (f front) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := f.Call(ctx, json.RawMessage(payload))
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

// stream starts the event source mapping of a table.
func (s *system) stream(table string, f *simulation.Function, batch int, texts []string, dead string) {
	filters, err := streamtest.ParseFilters(texts)
	must(err)
	s.Stream(simulation.Stream{
		Table: table, Function: f, Batch: batch, MaxAge: maxAge, Dead: dead,
		Wants: func(c dynamotest.Change) bool {
			ok, err := filters.MatchChange(c)
			return err == nil && ok
		},
		Event: func(all []dynamotest.Change) any { return json.RawMessage(simulation.StreamEvent(table, all)) },
		Failed: func(answer any) (failed []string) {
			for _, f := range answer.(events.DynamoDBEventResponse).BatchItemFailures { //nolint:forcetypeassert // it is the function's
				failed = append(failed, f.ItemIdentifier)
			}
			return failed
		},
	})
}

// deliver is the way of a delivery to the receiver.
func (s *system) deliver(ctx context.Context, r *http.Request) *http.Response {
	if s.refusing {
		w := newRecorder(r)
		w.WriteHeader(http.StatusServiceUnavailable)
		return w.response()
	}
	r = r.WithContext(ctx)
	s.forge(ctx, r, bodyOf(r))
	answer, err := s.RoundTrip(r)
	if err != nil {
		return nil
	}
	return answer
}

// arriving is a request as a server has it.
func arriving(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.RequestURI, r.RemoteAddr, r.Host = r.URL.RequestURI(), "192.0.2.1:1234", r.URL.Host
	return r
}

// bodyOf reads a request's body, which can be read once more.
func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// errNoServer is that of an address that does not exist.
var errNoServer = errors.New("no such server")

// RoundTrip is the way of a request of people and of Procore: to the app, or to Procore.
func (s *system) RoundTrip(r *http.Request) (*http.Response, error) {
	w, r := newRecorder(r), arriving(r)
	switch "http://" + r.URL.Host {
	case appURL:
		body := bodyOf(r)
		s.gateway.ServeHTTP(w, r)
		s.judge.answered(r, body, w)
	case procoreURL:
		if simulation.Gate(r.Context(), "opens "+r.URL.Path, simulation.Unreachable) != simulation.Fine {
			return nil, errNoServer
		}
		s.procore.ServeHTTP(w, r)
	default:
		return nil, errNoServer
	}
	return w.response(), nil
}
