package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/logging/readable"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procoretest"
)

// variable returns the environment variable of a flag.
func variable(flag string) string { return "LOCAL_" + strings.ToUpper(flag) + "_ADDR" }

// settings are the stack's options and those of this command.
type settings struct {
	stack.Options
	connect []int64 // companies
	host    bool    // the host application of examples is served
	console bool    // the operator's console is served
}

func options(args []string) (settings, error) {
	o := settings{Options: stack.Options{
		DynamoDBEndpoint: os.Getenv("DYNAMODB_ENDPOINT"),
		BuildDir:         filepath.Join("build", "local"),
		Rebuild:          true,
		Env:              make(map[string]string),
		Stdout:           readable.NewWriter(os.Stdout),
		Stderr:           readable.NewWriter(os.Stderr),
	}}
	for _, name := range []string{"ALLOWED_COMPANIES", "APP_SECRET_ID", "LOG_LEVEL", "PROCORE_PRINCIPAL", "PRODUCT_URL", "RECONCILE_PERIOD", "RETURN_URLS", "SUPPORT_CONTACT", "WEBHOOK_NAMESPACE", "WEBHOOK_TRIGGERS"} {
		if value, ok := os.LookupEnv(name); ok {
			o.Env[name] = value
		}
	}
	f := flag.NewFlagSet("local", flag.ContinueOnError)
	address := func(to *string, name, otherwise, what string) {
		f.StringVar(to, name, cmp.Or(os.Getenv(variable(name)), otherwise), "`address` of "+what+"; "+variable(name)+" in the environment")
	}
	address(&o.AppAddr, "app", "127.0.0.1:3000", "the app")
	address(&o.ProcoreAddr, "procore", "127.0.0.1:4000", "the fake Procore; or sandbox, for Procore's developer sandbox (docs/SANDBOX.md)")
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
	f.StringVar(&o.StateDir, "state", ".state", "`directory` in which everything is kept for the next run; empty: in memory; "+sandboxState+" with -procore sandbox")
	f.BoolVar(&o.Fresh, "fresh", false, "start over, without what the last run left")
	f.StringVar(&o.Consumer, "consumer", stack.DefaultConsumer, "`package` that receives the events, such as examples/rfi-copy or, in Python, examples/consumer-python")
	f.Func("connect", "`ids` of the fake Procore's companies that are connected at the start, with commas between", func(text string) (err error) {
		o.connect, err = ids(text)
		return err
	})
	public := f.String("public", "", "https `address` of a tunnel to the app, with -procore sandbox; empty: no webhooks")
	f.BoolVar(&o.host, "host", false, "serve examples/host-application, whose tenants connect companies by signed links")
	f.BoolVar(&o.console, "console", true, "serve the operator's console")
	f.BoolFunc("json", "write the functions' log lines as JSON, one a line", func(string) error {
		o.Stdout, o.Stderr = os.Stdout, os.Stderr
		return nil
	})
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.Consumer = path.Clean(o.Consumer)
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if _, err := principals(o.Options); err != nil {
		return o, err
	}
	if err := sandbox(&o, f, *public); err != nil {
		return o, err
	}
	if o.host {
		if err := admitsHost(o.Env); err != nil {
			return o, err
		}
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

// ids reads company ids.
func ids(text string) ([]int64, error) {
	var all []int64
	for word := range strings.SplitSeq(text, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(word), 10, 64)
		if err != nil || id <= 0 {
			return nil, fmt.Errorf("%.20q is not the id of a company", word)
		}
		all = append(all, id)
	}
	return all, nil
}
