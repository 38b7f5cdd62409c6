// Command bench measures the ratios of docs/PERFORMANCE.md side by side in one run:
// make bench.
//
//	go run ./internal/testing/proof/bench [-n 21] [-env NAME=VALUE,...]
//	go run ./internal/testing/proof/bench -dispatch 120000 [-latency 15ms]
//
// Each round starts, one after another, the functions as they are deployed, a
// bare aws-lambda-go handler, and the webhook receiver as it is usually written
// (the naive build), as processes behind a Lambda Runtime API. A ratio compares two
// values of one round, so a busy machine slows both sides. The report has the median
// of the rounds, the least and the greatest.
//
// This process stands in for AWS, over TLS on loopback: it answers in well under a
// millisecond. The time that AWS itself takes is not measured.
//
// It needs Linux, where a process's CPU time and peak memory can be read, and for
// one row root and a cgroup with the cpu controller.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	rounds := flag.Int("n", 21, "rounds")
	extra := flag.String("env", "", "more variables for all functions, such as GOMAXPROCS=1")
	events := flag.Int("dispatch", 0, "measure the dispatcher with this many `events` instead")
	latency := flag.Duration("latency", 0, "of the queue, for -dispatch")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *events > 0 {
		err = dispatched(ctx, *events, *latency)
	} else {
		err = run(ctx, max(*rounds, 1), *extra)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, extra string) error {
	if _, err := cpuTime(os.Getpid()); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(os.Stderr, "compiling")
	bin := filepath.Join(dir, "bin")
	if err := build(ctx, bin); err != nil {
		return err
	}
	w, err := newWorld(ctx, dir)
	if err != nil {
		return err
	}
	defer w.close()
	maps.Copy(w.env, variables(extra))

	b := &bench{world: w, bin: bin, seen: make(series)}
	if b.slow, err = newThrottle(); err != nil {
		fmt.Fprintln(os.Stdout, "SKIPPED, init + first webhook at 7 % CPU was not measured:", err)
	} else {
		defer b.slow.close()
	}
	if err := b.sizes(); err != nil {
		return err
	}
	for i := range rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", i+1, rounds)
		if err := b.round(ctx, i); err != nil {
			return err
		}
	}
	report(os.Stdout, b.seen, extra)
	return nil
}

// variables reads NAME=VALUE,NAME=VALUE.
func variables(text string) map[string]string {
	all := make(map[string]string)
	for pair := range slices.Values(strings.FieldsFunc(text, func(r rune) bool { return r == ',' })) {
		name, value, _ := strings.Cut(pair, "=")
		all[name] = value
	}
	return all
}
