//go:build unix

// Command chaos runs real function processes against DynamoDB and a fake Procore
// while everything goes wrong, and then checks whether the rules of docs/DESIGN.md
// held: make chaos. It has two runs.
//
//	go run ./internal/testing/proof/chaos [-T 2m] [-seed n] [-overlay file]
//	go run ./internal/testing/proof/chaos -deliveries 100000 [-seed n] [-overlay file]
//
// The first run tests the refresh protocol. Eight processes, four refreshers and four
// consumers, need the same grants at once. They are killed (SIGKILL), or
// stopped for longer than their claims and continued (SIGSTOP, SIGCONT). This happens
// at any time, and at the moments that matter: when a claim, a refresh token, its
// answer or the store of the new pair is on its way. Users authorize again, admins
// disconnect, connections end. Requests and answers are lost, late or cut;
// Procore fails. Tokens are valid for seconds, so that there are always refreshes. Three
// operators type commands at random, which meet all of this too.
// Then the faults end, housekeeping and the schedule run as usual, and the verdict
// comes from three records: all writes of grants, all calls to the token
// endpoint, and Procore's own count of refresh tokens.
//
// The second run tests the webhooks. The fake's delivery engine, whose clock runs
// faster, delivers events of thirty companies to receivers: with copies, shuffled,
// and again after each failure. The dispatcher sends them from the inbox's stream to
// the queue, and consumers handle them. All of these are killed (SIGKILL) at any time
// and while a delivery is being written. Requests and answers are lost or late
// everywhere, and unknown senders post deliveries too. At the end, each event that was
// answered with 200 must be in the inbox exactly once, under its company, and handled.
// The first handling of each resource's events must be in the order in which they
// arrived.
//
// A violation ends the run with an error and a timeline of what led to it.
//
// DYNAMODB_ENDPOINT names another DynamoDB, with streams, to use instead of the one
// in memory. Otherwise the command needs only Go and a Unix.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"procore-connect/internal/testing/fake/awstest"
)

func main() {
	if binary := os.Getenv(launchVariable); binary != "" {
		fmt.Fprintln(os.Stderr, "chaos:", launch(binary)) // it returns only when it fails
		os.Exit(1)
	}
	var o options
	flag.DurationVar(&o.length, "T", 2*time.Minute, "how long the chaos lasts; the run then takes another 30 to 120 seconds")
	flag.IntVar(&o.deliveries, "deliveries", 0, "run this many webhook `deliveries` instead of the refresh protocol")
	flag.Uint64Var(&o.seed, "seed", 0, "of the decisions; 0 means a new one")
	flag.StringVar(&o.overlay, "overlay", "", "go build's -overlay `file`, to break the functions on purpose")
	flag.BoolVar(&o.verbose, "v", false, "print the timeline of every grant")
	flag.Parse()
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	violations, err := run(ctx, o)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	case violations > 0:
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	length     time.Duration
	deliveries int // 0: the refresh protocol's run
	seed       uint64
	overlay    string
	verbose    bool
}

func (o options) String() string {
	if o.deliveries > 0 {
		return fmt.Sprintf("%d deliveries", o.deliveries)
	}
	return o.length.String()
}

// run makes chaos and returns the number of violations.
func run(ctx context.Context, o options) (violations int, err error) {
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(os.Stdout, "chaos: %v, seed %d, %s\n", o, o.seed, where(os.Getenv("DYNAMODB_ENDPOINT")))
	if err := build(ctx, filepath.Join(dir, "bin"), o.overlay); err != nil {
		return 0, err
	}
	w, err := newWorld(ctx, dir, os.Getenv("DYNAMODB_ENDPOINT"), o.seed)
	defer w.close()
	if err != nil {
		return 0, err
	}
	if o.deliveries > 0 {
		return deliver(ctx, w, o.deliveries)
	}
	return refresh(ctx, w, o)
}

// refresh is the run of the refresh protocol. It returns the number of violations.
func refresh(ctx context.Context, w *world, o options) (violations int, err error) {
	for _, name := range []string{"events.fifo", "events-dead.fifo"} { // for the operators, who look into them
		if _, err := w.queues.Create(name, awstest.QueueOptions{}); err != nil {
			return 0, err
		}
	}
	if err := w.populate(ctx); err != nil {
		return 0, err
	}
	w.chaos(ctx, o.length)
	if ctx.Err() != nil {
		return 0, errors.New("interrupted")
	}
	v := &verdict{w: w}
	v.settle(ctx)
	if err := v.judge(ctx); err != nil {
		return 0, err
	}
	return v.report(os.Stdout, o.verbose), nil
}

func where(endpoint string) string {
	if endpoint == "" {
		return "DynamoDB in memory"
	}
	return "DynamoDB at " + endpoint
}

// build compiles the functions for this machine, with the flags of a deployment.
func build(ctx context.Context, dir, overlay string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-tags", "lambda.norpc", "-o", dir + string(filepath.Separator)}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args,
		"procore-connect/functions/refresher", "procore-connect/functions/webhook-receiver", "procore-connect/functions/dispatcher",
		"procore-connect/examples/event-consumer", "procore-connect/cmd/procore-connect")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the functions do not compile: %w\n%s", err, out)
	}
	return nil
}
