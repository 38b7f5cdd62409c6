// Command local runs the whole system on this machine: make run, or
//
//	go run ./cmd/local [-app addr] [-procore addr] [-aws addr] [-docker] [-crooked names] [-principal who]
//	    [-consumer package]
//
// It needs Go and nothing else. Data is kept in memory and lost when it stops. The
// consumer writes its JSON lines to standard output; everything else goes to
// standard error.
//
//	go run ./cmd/local sam [-app addr] [-procore addr] [-aws addr]
//
// prepares build/sam for sam local, while the system runs with -docker. See
// docs/LOCAL-SAM.md.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procoretest"
)

func main() {
	ctx, end := untilStopped()
	args := os.Args[1:]
	command := run
	if len(args) > 0 && args[0] == "sam" {
		command, args = prepareSAM, args[1:]
	}
	err := command(ctx, args)
	failed := err != nil && ctx.Err() == nil // an interrupted command did not fail
	end()
	if failed {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

// untilStopped returns a context that ends with the first signal to stop.
func untilStopped() (context.Context, context.CancelFunc) {
	signalled, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(signalled, stop) // a second signal ends the program at once
	ctx, end := context.WithCancel(signalled)
	if underGoRun() {
		go untilOrphaned(ctx, end)
	}
	return ctx, end
}

func run(ctx context.Context, args []string) error {
	o, err := options(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := stack.Start(ctx, o)
	if e, ok := errors.AsType[*stack.AddrError](err); ok {
		return fmt.Errorf("%w; choose another with -%s 127.0.0.1:PORT, or %s=127.0.0.1:PORT in the environment", err, e.Part, variable(e.Part))
	}
	if err != nil {
		return err
	}
	defer s.Close()
	ready(s, o)
	<-ctx.Done()
	fmt.Fprintln(os.Stderr, "\nstopping")
	return nil
}

// variable returns the environment variable of a flag.
func variable(flag string) string { return "LOCAL_" + strings.ToUpper(flag) + "_ADDR" }

func options(args []string) (stack.Options, error) {
	o := stack.Options{
		DynamoDBEndpoint: os.Getenv("DYNAMODB_ENDPOINT"),
		BuildDir:         filepath.Join("build", "local"),
		Rebuild:          true,
		Env:              make(map[string]string),
		Stdout:           os.Stdout,
		Stderr:           os.Stderr,
	}
	for _, name := range []string{"ALLOWED_COMPANIES", "APP_SECRET_ID", "LOG_LEVEL", "PROCORE_PRINCIPAL", "PRODUCT_URL", "RECONCILE_PERIOD", "SUPPORT_CONTACT", "WEBHOOK_NAMESPACE", "WEBHOOK_TRIGGERS"} {
		if value, ok := os.LookupEnv(name); ok {
			o.Env[name] = value
		}
	}
	f := flag.NewFlagSet("local", flag.ContinueOnError)
	address := func(to *string, name, otherwise, what string) {
		f.StringVar(to, name, cmp.Or(os.Getenv(variable(name)), otherwise), "`address` of "+what+"; "+variable(name)+" in the environment")
	}
	address(&o.AppAddr, "app", "127.0.0.1:3000", "the app")
	address(&o.ProcoreAddr, "procore", "127.0.0.1:4000", "the fake Procore")
	address(&o.AWSAddr, "aws", "127.0.0.1:8000", "DynamoDB, Secrets Manager and SQS")
	docker := f.Bool("docker", false, "let Docker's containers reach Procore and AWS, for sam local")
	f.Func("crooked", "`names` of ways in which the fake Procore differs from its plain self, with commas between, or seed:NUMBER", func(text string) error {
		_, err := procoretest.Crooked(text)
		o.Procore.Crooked = text
		return err
	})
	f.Func("principal", "who connects companies: user, service-account or both; PROCORE_PRINCIPAL in the environment", func(text string) error {
		o.Env["PROCORE_PRINCIPAL"] = text
		return nil
	})
	f.StringVar(&o.Consumer, "consumer", stack.DefaultConsumer, "`package` that receives the events, such as examples/rfi-copy")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.Consumer = path.Clean(o.Consumer)
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if _, err := principals(o); err != nil {
		return o, err
	}
	if *docker {
		if o.ContainersIP = stack.DockerBridge(); o.ContainersIP == "" {
			fmt.Fprintln(os.Stderr, "local: there is no interface docker0. Docker Desktop does not need one; any other Docker has to be running.")
		}
		o.Procore.RedirectURIs = []string{} // any on loopback, for sam local start-api too
	}
	return o, nil
}

// principals returns who connects companies.
func principals(o stack.Options) (config.Principals, error) {
	env := config.New(func(name string) string { return o.Env[name] })
	return env.Principals(), env.Err()
}

func ready(s *stack.Stack, o stack.Options) {
	var ways []string
	p, _ := principals(o) // options has checked them
	if p.Users {
		ways = append(ways, fmt.Sprintf("Open  %s  and click \"Connect to Procore\".", s.AppURL))
	}
	if p.ServiceAccount {
		ways = append(ways, fmt.Sprintf("Open  %s  and click \"Install app\" at a company.", s.ProcoreURL))
	}
	dynamo := "in memory: all data is lost when this program stops"
	if o.DynamoDBEndpoint != "" {
		dynamo = "DynamoDB itself is at " + o.DynamoDBEndpoint
	}
	containers := ""
	if o.ContainersIP != "" {
		containers = "\n  containers     reach Procore and AWS at " + o.ContainersIP + ", the same ports; docs/LOCAL-SAM.md"
	}
	quirks, _ := procoretest.Crooked(o.Procore.Crooked) // options has checked it
	var crooked strings.Builder
	for _, q := range quirks {
		fmt.Fprintf(&crooked, "\n  crooked        %s: %s", q.Name, q.Does)
	}
	fmt.Fprintf(os.Stderr, `
Ready. %s

  the app        %s
  fake Procore   %s  (make a change there and watch the event arrive here)
  AWS services   %s  (DynamoDB, Secrets Manager, SQS; %s)%s%s

Press Ctrl-C to stop.

`, strings.Join(ways, "\n\nOr: "), s.AppURL, s.ProcoreURL, s.AWSURL, dynamo, containers, &crooked)
}
