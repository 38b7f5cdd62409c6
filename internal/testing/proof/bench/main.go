// Command bench measures the ratios of docs/PERFORMANCE.md side by side in one run:
// make bench.
//
//	go run ./internal/testing/proof/bench [-n 21] [-peers] [-pauses 100s,305s] [-only PART,...] [-env NAME=VALUE,...]
//	go run ./internal/testing/proof/bench -dispatch 120000 [-latency 15ms]
//
// Each round starts, one after another, the functions as they are deployed, a
// bare aws-lambda-go handler, and the webhook receiver as it is usually written
// (the naive build), as processes behind a Lambda Runtime API. A ratio compares two
// values of one round, so a busy machine slows both sides. The report has the
// quartiles of the rounds. Memory and variables of the Go runtime are those of
// template.yaml.
//
// This process stands in for AWS, over TLS on loopback, and for Procore: it answers in
// well under a millisecond, or when the delay of a row has passed. The time that AWS
// itself takes is not measured.
//
// It needs Linux, where a process's CPU time and peak memory can be read, and for
// several rows root and a cgroup with the cpu controller. The peers need node, npm
// and python3 with pip.
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
	"time"
)

// options are the command line.
type options struct {
	rounds    int
	extra     string
	peers     bool
	pauses    []time.Duration
	sandboxes int
	parts     parts
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "n", 21, "rounds")
	flag.StringVar(&o.extra, "env", "", "more variables for all functions, such as GOMAXPROCS=2")
	flag.BoolVar(&o.peers, "peers", false, "also measure functions in Node.js and Python that do the receiver's work")
	flag.IntVar(&o.sandboxes, "sandboxes", 5, "sandboxes of each kind of pause, all idle at the same time")
	flag.Func("pauses", "pauses before a webhook, such as 100s,305s; empty: none", o.readPauses)
	flag.Func("only", "parts to measure: start, warm, zip, companies, refresher, pauses", o.parts.read)
	events := flag.Int("dispatch", 0, "measure the dispatcher with this many `events` instead")
	latency := flag.Duration("latency", 0, "of the queue, for -dispatch")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *events > 0 {
		err = dispatched(ctx, *events, *latency)
	} else {
		err = run(ctx, o)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) readPauses(text string) error {
	for part := range strings.FieldsFuncSeq(text, comma) {
		d, err := time.ParseDuration(part)
		if err != nil {
			return err
		}
		o.pauses = append(o.pauses, d)
	}
	return nil
}

// parts are those of the bench that are to be measured; none: all.
type parts []string

func (p parts) has(part string) bool { return len(p) == 0 || slices.Contains(p, part) }

func (p *parts) read(text string) error {
	*p = strings.FieldsFunc(text, comma)
	for _, part := range *p {
		if !slices.Contains([]string{"start", "warm", "zip", "companies", "refresher", "pauses"}, part) {
			return fmt.Errorf("there is no part %s", part)
		}
	}
	return nil
}

func comma(r rune) bool { return r == ',' }

func run(ctx context.Context, o options) (err error) {
	if _, err := cpuTime(os.Getpid()); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{bin: filepath.Join(dir, "bin"), seen: make(series)}
	t, err := readTemplate(ctx)
	if err != nil {
		return err
	}
	if b.settings, err = t.settings(); err != nil {
		return err
	}
	maps.Copy(b.settings.env, variables(o.extra))
	fmt.Fprintln(os.Stderr, "compiling")
	if err := build(ctx, b.bin, o.parts); err != nil {
		return err
	}
	if o.peers {
		if b.peers, err = buildPeers(ctx, filepath.Join(dir, "peers")); err != nil {
			return err
		}
	}
	if b.world, err = newWorld(ctx, dir, b.settings); err != nil {
		return err
	}
	defer b.close()
	if try, err := newThrottle(b.settings.allMemory); err != nil {
		fmt.Fprintln(os.Stdout, "SKIPPED, what needs a share of a core was not measured:", err)
	} else if err := try.close(); err != nil {
		return err
	} else {
		b.slow = true
	}
	return b.measure(ctx, o)
}

// measure makes all measurements and writes the report.
func (b *bench) measure(ctx context.Context, o options) error {
	if o.parts.has("zip") {
		if err := b.sizes(); err != nil {
			return err
		}
	}
	if err := b.rounds(ctx, max(o.rounds, 1), o.parts); err != nil {
		return err
	}
	var all []*rested
	if len(o.pauses) > 0 && o.parts.has("pauses") && b.slow {
		fmt.Fprintf(os.Stderr, "the pauses take %v, and PAUSES= leaves them out\n", slices.Max(o.pauses))
		var err error
		if all, err = b.pauses(ctx, o.pauses, max(o.sandboxes, 1)); err != nil {
			return err
		}
	}
	b.report(os.Stdout, max(o.rounds, 1), all)
	return nil
}

// variables reads NAME=VALUE,NAME=VALUE.
func variables(text string) map[string]string {
	all := make(map[string]string)
	for pair := range strings.FieldsFuncSeq(text, comma) {
		name, value, _ := strings.Cut(pair, "=")
		all[name] = value
	}
	return all
}
