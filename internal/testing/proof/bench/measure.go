package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/testing/fake/lambdatest"
)

const (
	untilPeak = 200 // webhooks before peak memory is read
	warmed    = 300 // further webhooks, whose CPU time is measured
)

// bench makes the measurements. Each is named by a quantity and a binary.
type bench struct {
	*world
	bin  string
	slow *throttle // nil: the row is omitted
	seen series
}

// round makes every measurement once. Every second round has the opposite order.
func (b *bench) round(ctx context.Context, n int) error {
	steps := []func() error{func() error { return b.init(ctx, bare, bare) }}
	for _, f := range functions {
		steps = append(steps, func() error { return b.init(ctx, f, filepath.Join(cold, f)) })
	}
	if b.slow != nil {
		steps = append(steps,
			func() error { return b.first(ctx, naive, filepath.Join(naive, receiver)) },
			func() error { return b.first(ctx, receiver, receiver) },
		)
	}
	steps = append(steps,
		func() error { return b.warm(ctx, bare, 0) },
		func() error { return b.warm(ctx, receiver, untilPeak+warmed) },
	)
	if n%2 == 1 {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// function returns a function that has not started. Its log is kept in case it fails.
func (b *bench) function(binary string, polled func(pid int)) (*lambdatest.Function, *output) {
	out := &output{}
	return lambdatest.New(lambdatest.Options{
		Name: filepath.Base(binary), Binary: filepath.Join(b.bin, binary), Env: b.env,
		Timeout: time.Minute, InitTimeout: time.Minute, Stdout: out, Stderr: out, Polled: polled,
	}), out
}

// init measures the time from the start of the process until it asks for work.
func (b *bench) init(ctx context.Context, name, binary string) error {
	var took, cpu time.Duration
	var err error
	began := time.Now()
	f, _ := b.function(binary, func(pid int) {
		took = time.Since(began)
		cpu, err = cpuTime(pid)
	})
	defer f.Close()
	if err := f.Warm(ctx); err != nil {
		return err
	}
	b.seen.add(initTime, name, took.Seconds())
	b.seen.add(initCPU, name, cpu.Seconds())
	return err
}

// first measures the time from the start of the process to its first answer. After
// init the process has a fraction of a core.
func (b *bench) first(ctx context.Context, name, binary string) error {
	var pid int
	var before time.Duration
	var err error
	began := time.Now()
	f, out := b.function(binary, func(id int) {
		pid = id
		before, err = cpuTime(pid)
		err = errors.Join(err, b.slow.add(pid))
	})
	defer f.Close()
	if err := b.deliver(ctx, f, out); err != nil {
		return err
	}
	b.seen.add(firstAnswer, name, time.Since(began).Seconds())
	after, err2 := cpuTime(pid)
	b.seen.add(firstCPU, name, (after - before).Seconds())
	return errors.Join(err, err2)
}

// warm measures a series of webhooks. inserts is how many of them storage must see.
func (b *bench) warm(ctx context.Context, name string, inserts int64) error {
	var pid int
	f, out := b.function(name, func(id int) { pid = id })
	defer f.Close()
	before := b.inserts.Load()
	if err := b.deliverMany(ctx, f, out, untilPeak); err != nil {
		return err
	}
	peak, err := peakMemory(pid)
	if err != nil {
		return err
	}
	cpu, err := cpuTime(pid)
	if err != nil {
		return err
	}
	if err := b.deliverMany(ctx, f, out, warmed); err != nil {
		return err
	}
	after, err := cpuTime(pid)
	if err != nil {
		return err
	}
	if n := b.inserts.Load() - before; n != inserts {
		return fmt.Errorf("%s stored %d webhooks, want %d", name, n, inserts)
	}
	b.seen.add(peakBytes, name, float64(peak))
	b.seen.add(perCore, name, warmed/(after-cpu).Seconds())
	return nil
}

func (b *bench) deliverMany(ctx context.Context, f *lambdatest.Function, out *output, n int) error {
	for range n {
		if err := b.deliver(ctx, f, out); err != nil {
			return err
		}
	}
	return nil
}

// deliver sends a webhook. Any answer but 200 is an error.
func (b *bench) deliver(ctx context.Context, f *lambdatest.Function, out *output) error {
	e, err := b.event()
	if err != nil {
		return err
	}
	text, err := f.Invoke(ctx, e)
	if err != nil {
		return err
	}
	var answer events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers a webhook with %d: %s", f.Name(), answer.StatusCode, out)
	}
	return nil
}

// sizes measures the upload of each function.
func (b *bench) sizes() error {
	for _, name := range append(functions[:], bare) {
		size, err := zipped(filepath.Join(b.bin, name))
		if err != nil {
			return err
		}
		b.seen.add(zipBytes, name, float64(size))
	}
	return nil
}

// zipped returns the size of a function's zip.
func zipped(path string) (n counter, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	z := zip.NewWriter(&n)
	f, err := z.Create("bootstrap")
	if err == nil {
		_, err = f.Write(content)
	}
	return n, errors.Join(err, z.Close())
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// output keeps a process's last line.
type output struct {
	mu   sync.Mutex
	line string
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.line = strings.TrimSpace(string(p))
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.line
}
