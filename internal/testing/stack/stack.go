// Package stack runs the whole system on this machine, with the binaries that are
// deployed. Each function has its own process with a local Lambda Runtime API. Around
// them are an API Gateway front, a fake Procore, and DynamoDB, Secrets Manager and SQS
// in memory. The data is lost when the stack ends, unless Options.StateDir is set.
//
//	s, err := stack.Start(ctx, stack.Options{})
//	defer s.Close()
//	http.Get(s.AppURL + "/")
//
// It also replaces the AWS services between the functions. Package streamtest has the
// event source mappings: from the tables' streams to the dispatcher and the announcer, and
// from the events queue to the consumer. schedule.go has the schedules.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/journal"
	"procore-connect/internal/testing/fake/lambdatest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/testing/stack/rebuild"
	"procore-connect/pkg/procoretest"
)

// Options describe the stack. The zero value works: free ports, no output.
type Options struct {
	// Addresses to listen on. Empty: a free port of 127.0.0.1.
	AppAddr, ProcoreAddr, AWSAddr string

	// ContainersIP is an IP address of this machine that containers reach, see
	// [DockerBridge]. Procore and the AWS services listen there too, on the same ports. Empty: they do not.
	ContainersIP string

	// DynamoDBEndpoint is the address of another DynamoDB. Empty: one in memory.
	DynamoDBEndpoint string

	// BuildDir is the directory of the binaries, which remain there: they are linked again only after a change. A
	// relative path is relative to the repository. Empty: a directory that Close removes.
	BuildDir string

	// StateDir is a directory in which everything is kept for the next Start, with the functions' last log lines,
	// exclusively: the error is a
	// [*journal.LockedError] while another process has it. A relative path is relative to the repository. If the
	// directory is a copy, or was restored, all users have to authorize again. Empty: in memory.
	StateDir string

	// Disk is the directory in place of StateDir, for tests.
	Disk journal.Dir

	// Fresh makes Start forget what StateDir has.
	Fresh bool

	// Rebuild compiles functions again whose source files change, and replaces them between two invocations.
	Rebuild bool

	// Consumer is the package that receives the events, such as examples/rfi-copy, or a directory with the app.py of one
	// in Python. The tables and variables of the template.yaml in its directory are its own. Empty: [DefaultConsumer].
	Consumer string

	// Env overrides variables of all functions, such as WEBHOOK_TRIGGERS.
	Env map[string]string

	// Procore configures the fake. Start sets client and redirect URI.
	Procore procoretest.Options

	// Sandbox replaces the fake. Nil: the fake.
	Sandbox *Sandbox

	// Refresh, Housekeeping and Reconcile are how often the schedules' tasks run. 0: 15 s,
	// 3 s and 15 s, or less often with Sandbox; negative: never.
	Refresh, Housekeeping, Reconcile time.Duration

	// Timeout is the timeout of each invocation. 0: that of the template, or less.
	Timeout time.Duration

	// Watch receives each call of DynamoDB in memory, Secrets Manager and SQS, with the function that makes it. It may
	// be nil.
	Watch func(awstest.Call)

	// Stdout receives the functions' lines that are JSON objects, each with the attribute function. Stderr receives
	// progress and every other line, with the function's name before it. Nil discards.
	Stdout, Stderr io.Writer
}

// Stack is the running system.
type Stack struct {
	AppURL     string // of the functions behind the front
	PublicURL  string // the functions' PUBLIC_URL: AppURL, unless Options.Sandbox has another
	ProcoreURL string // login, API and pages of the fake Procore; empty with Options.Sandbox
	AWSURL     string // DynamoDB, Secrets Manager, SQS, SNS, and what finds the stack

	Procore *procoretest.Server // nil with Options.Sandbox
	Secrets *awstest.Secrets
	Queues  *awstest.Queues
	Topics  *awstest.Topics
	Lambda  *awstest.Functions // their configuration
	Logs    *awstest.Logs      // what they wrote
	Events  *awstest.Queue     // from the dispatcher to the consumer
	Dynamo  *dynamotest.Server // nil: DynamoDBEndpoint answers instead

	dispatchDead, announceDead *awstest.Queue // positions of records that became too old

	journal   *journal.Journal // nil: the state is not kept
	logs      *logFile         // nil: the logs are not kept
	options   Options
	out       *output
	db        *dynamodb.Client
	functions map[string]*lambdatest.Function
	binaries  map[string]string // of the functions, by name
	launcher  []byte            // of a consumer in Python
	servers   []*http.Server
	loops     sync.WaitGroup
	stop      context.CancelFunc // ends the loops
	cleanup   []func()           // run in reverse
	closed    sync.Once
}

// Start compiles the functions, starts everything and returns when every part answers.
// ctx limits only the start.
//
// If addresses are taken, the error is [AddrErrors]. If a function does not start, it
// is a [*lambdatest.FunctionError] with its last log lines.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if err := o.Sandbox.check(o); err != nil {
		return nil, err
	}
	o.Sandbox.schedules(&o)
	s := &Stack{options: o, out: newOutput(o.Stdout, o.Stderr), Topics: awstest.NewTopics(connectionsTopic), Lambda: awstest.NewFunctions()}
	s.Logs = newLogs(nil, o.consumer())
	s.out.keep = func(function string, line []byte) { s.Logs.Put(LogGroup(function), time.Now(), string(line)) }
	if err := s.start(ctx); err != nil {
		s.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context) error {
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	l, err := s.listen() // first: a taken address is known before the compilation
	if err != nil {
		return err
	}
	if err := s.openState(ctx); err != nil {
		return err
	}
	began := time.Now()
	dir, err := s.build(ctx)
	if err != nil {
		return err
	}
	if err := s.credentials(); err != nil {
		return err
	}
	if err := s.queues(); err != nil {
		return fmt.Errorf("%w; if a queue's settings have changed, start over (-fresh)", err)
	}
	aws, err := s.aws()
	if err != nil {
		return err
	}
	for _, l := range l.procore {
		s.serve(l, s.Procore)
	}
	for _, l := range l.aws {
		s.serve(l, aws)
	}
	if err := tables.Create(ctx, s.db, names); err != nil {
		return fmt.Errorf("DynamoDB at %s: %w", s.dynamoURL(), err)
	}
	if err := s.resume(ctx); err != nil {
		return err
	}
	if err := s.startFunctions(ctx, dir); err != nil {
		return err
	}
	for _, l := range l.app {
		s.serve(l, s.front())
	}
	if err := s.startMappings(ctx, background); err != nil {
		return err
	}
	s.startSchedules(background)
	if s.options.Rebuild {
		s.loops.Go(func() { s.rebuild(background, dir, began) })
	}
	return s.answers(ctx)
}

// Invoke calls the named function, such as "refresher", past the front.
func (s *Stack) Invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	f, ok := s.functions[function]
	if !ok {
		return nil, fmt.Errorf("there is no function %q", function)
	}
	return f.Invoke(ctx, payload)
}

// Renew replaces the processes of all functions, as Lambda does after some hours, so that they remember nothing.
func (s *Stack) Renew(ctx context.Context) error {
	for name, f := range s.functions {
		if err := f.Replace(ctx, s.binaries[name]); err != nil {
			return err
		}
	}
	return nil
}

// Close ends every process, and saves the data or deletes it. It may be called again. The error is why the data could
// not be saved.
func (s *Stack) Close() (err error) {
	s.closed.Do(func() {
		s.stop()
		s.drain()
		for _, server := range s.servers {
			server.Close()
		}
		var ending sync.WaitGroup
		for _, f := range s.functions {
			ending.Go(func() { f.Close() })
		}
		ending.Wait()
		s.loops.Wait()
		if s.Procore != nil {
			s.Procore.Close()
		}
		for _, cleanup := range slices.Backward(s.cleanup) {
			cleanup()
		}
		err = s.closeState()
	})
	return err
}

// build compiles the functions and returns the directory of the binaries.
func (s *Stack) build(ctx context.Context) (string, error) {
	dir := s.options.BuildDir
	if dir == "" {
		temporary, err := os.MkdirTemp("", "procore-connect-")
		if err != nil {
			return "", err
		}
		s.cleanup = append(s.cleanup, func() { os.RemoveAll(temporary) })
		dir = temporary
	}
	root, err := rebuild.Root(ctx)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	s.out.report("compiling the functions")
	if err := rebuild.Compile(ctx, root, dir, s.options.packages(root), s.out.report); err != nil || !s.options.python(root) {
		return dir, err
	}
	return dir, s.startPython(ctx, root, dir)
}

// answers waits until each part answers over HTTP.
func (s *Stack) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("not within 30 s"))
	defer cancel()
	parts := map[string]string{"the app": s.AppURL, "the AWS services": s.AWSURL}
	if s.Procore != nil {
		parts["the fake Procore"] = s.ProcoreURL
	}
	for what, url := range parts {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("%s does not answer: %w", what, err)
		}
		resp.Body.Close()
		if resp.StatusCode >= 500 {
			return fmt.Errorf("%s answers %s at %s", what, resp.Status, url)
		}
	}
	return nil
}
