package simulation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"procore-connect/internal/testing/fake/awstest"
)

// Twice is an operation that is done, and its answer is lost. So the SDK repeats it, and
// the caller has the second answer. A delivery that arrives twice does so at any later
// moment.
const Twice Fault = "twice"

// Services are the services of AWS in a world besides the tables. Each call of an actor
// passes a gate, where it may fail.
type Services struct {
	Queues  *Queues
	Secrets *SecretsManager

	// These are called seldom. So they are the fakes that other tests reach over the wire.
	Topics    *awstest.Topics
	Stacks    *awstest.Stacks
	Functions *awstest.Functions
	Logs      *awstest.Logs // without a group; a setup that needs one sets it

	// OnCall is called before each call of an actor, which may fail or come too late. An actor's
	// goroutines call it at once. nil: it is not called.
	OnCall func(a *Actor, call string)
}

func newServices(w *World) Services {
	return Services{
		Queues: newQueues(w), Secrets: newSecretsManager(w), Topics: awstest.NewTopics(), Stacks: awstest.NewStacks(),
		Functions: awstest.NewFunctions(), Logs: awstest.NewLogs(w.Now),
	}
}

// AWS returns the configuration by which all processes reach the services and the tables.
// A call whose context is of no actor, as that of a warm-up, passes no gate.
func (w *World) AWS() aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://aws"), HTTPClient: overWire{w},
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "simulation", SecretAccessKey: "simulation"}, nil
		}),
		APIOptions: []func(*middleware.Stack) error{
			func(s *middleware.Stack) error { return s.Initialize.Add(inWorld{w}, middleware.After) },
		},
	}
}

// inWorld answers the requests of an SDK's client before it makes text of them.
type inWorld struct{ world *World }

// ID names the middleware.
func (inWorld) ID() string { return "simulation" }

// HandleInitialize answers a request.
func (x inWorld) HandleInitialize(
	ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
) (out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
	w := x.world
	if worldOf(ctx) == nil {
		ctx = context.WithValue(ctx, worldKey{}, w)
	}
	c := remote{operation: middleware.GetOperationName(ctx)}
	switch service := middleware.GetServiceID(ctx); service {
	case dynamodb.ServiceID:
		if ActorOf(ctx) == nil && c.operation == "PutItem" { // a warm-up, whose client has no network
			out.Result = &dynamodb.PutItemOutput{}
			return out, metadata, nil
		}
		return quick{}.HandleInitialize(ctx, in, next)
	case sqs.ServiceID:
		w.Queues.prepare(&c, in.Parameters)
	case secretsmanager.ServiceID:
		w.Secrets.prepare(&c, in.Parameters)
	default:
		c.operation = service + " " + c.operation
		prepareWired(&c, in.Parameters)
		wired := context.WithoutCancel(ctx) // what arrives late has no deadline
		c.do = func(Fault) (any, error) {
			var err error
			out, metadata, err = next.HandleInitialize(wired, in)
			return out.Result, err
		}
	}
	out.Result, err = w.pass(ctx, c)
	return out, metadata, err
}

// remote is one call of a service.
type remote struct {
	operation string
	about     string // distinguishes the calls that one actor makes at once
	faults    []Fault
	away      *atomic.Bool // the service refuses everything; nil: it does not
	do        func(f Fault) (any, error)
}

// How an operation may fail that reads, and one that changes something.
var (
	readFaults  = []Fault{Refused, Throttled, Crash}
	writeFaults = []Fault{Refused, Throttled, Lost, Late, Twice, Crash, CrashAfter}
)

// pass takes a call through its gate.
func (w *World) pass(ctx context.Context, c remote) (any, error) {
	name := strings.TrimSpace(c.operation + " " + c.about)
	if a := ActorOf(ctx); a != nil && w.OnCall != nil {
		w.OnCall(a, name)
	}
	if err := ctx.Err(); err != nil {
		return nil, &aws.RequestCanceledError{Err: err} // the client does not send it
	}
	f := Gate(ctx, name, c.faults...)
	if f == Crash {
		return nil, errCrashed
	}
	if err := ctx.Err(); err != nil && f != Lost && f != Late {
		return nil, &aws.RequestCanceledError{Err: err} // it was not sent any more
	}
	if c.away != nil && c.away.Load() && !w.calm.Load() && ActorOf(ctx) != nil {
		f = Refused
	}
	switch f {
	case Refused:
		return nil, refusal("ServiceUnavailable")
	case Throttled:
		return nil, refusal("ThrottlingException")
	case Late:
		w.later(name, ActorOf(ctx).Name, func() { _, _ = c.do(Fine) })
		return nil, errWire
	case Twice:
		_, _ = c.do(f) // its answer is lost
	}
	answer, err := c.do(f)
	if f == CrashAfter {
		die(ctx)
		return nil, errCrashed
	}
	if f == Lost || ctx.Err() != nil {
		return nil, errors.Join(errWire, ctx.Err())
	}
	return answer, err
}

// refusal is the error of a service that did nothing.
func refusal(code string) error {
	return errorOf(code, "as the schedule requires")
}

// errorOf is an error of a service whose code its callers know.
func errorOf(code, format string, args ...any) error {
	return &smithy.GenericAPIError{Code: code, Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}

// refusalOf is the error of the SDK for that of a fake.
func refusalOf(err error) error {
	if e, ok := errors.AsType[*awstest.Error](err); ok {
		return errorOf(e.Code, "%s", e.Message)
	}
	return err
}

// wiredFaults lists the operations of the services over the wire.
var wiredFaults = map[string][]Fault{
	"CloudFormation DescribeStacks":   readFaults,
	"CloudWatch GetMetricData":        readFaults,
	"CloudWatch Logs CreateLogStream": writeFaults,
	"CloudWatch Logs FilterLogEvents": readFaults,
	"CloudWatch Logs GetQueryResults": readFaults,
	"CloudWatch Logs PutLogEvents":    writeFaults,
	"CloudWatch Logs StartQuery":      readFaults,
	"CloudWatch Logs StopQuery":       readFaults,
	"Lambda GetFunctionConfiguration": readFaults,
	"SNS ListSubscriptionsByTopic":    readFaults,
	"SNS Publish":                     writeFaults,
	"STS GetCallerIdentity":           readFaults,
}

func prepareWired(c *remote, in any) {
	faults, known := wiredFaults[c.operation]
	if !known {
		panic("the world does not know " + c.operation)
	}
	c.faults = faults
	if strings.HasSuffix(c.operation, "QueryResults") || strings.HasSuffix(c.operation, "StopQuery") {
		return // the id of a query differs each time
	}
	text, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	c.about = digest(string(text))
}

// digest stands for texts in the name of an operation, which shows no secret.
func digest(texts ...string) string {
	h := fnv.New32a()
	for _, text := range texts {
		_, _ = io.WriteString(h, text+"\x00") // never fails
	}
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}

// overWire is the HTTP client of what is not answered before, in memory.
type overWire struct{ world *World }

// Do does one request.
func (x overWire) Do(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_") {
		return wire{}.Do(r)
	}
	s := x.world.Services
	r.Body = cmp.Or(r.Body, io.ReadCloser(http.NoBody))
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	(&awstest.Services{Topics: s.Topics, Stacks: s.Stacks, Functions: s.Functions, Logs: s.Logs}).ServeHTTP(w, r)
	w.header.Set("Date", x.world.Now().UTC().Format(http.TimeFormat))
	answer := response(w.status, w.body.Bytes())
	answer.Header = w.header
	return answer, nil
}
