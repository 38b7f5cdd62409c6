package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"procore-connect/internal/testing/fake/lambdatest"
)

// subject is what is measured: a build of a function, or a peer.
type subject struct {
	name   string // in the report
	binary string
}

// how describes the sandbox of a subject. Its zero value has whole cores and the world's variables.
type how struct {
	megabytes int               // what decides its share of a core after init; 0: whole cores
	env       map[string]string // replaces variables of the world
	timeout   time.Duration     // of an invocation; 0: a minute
}

// deployed returns the memory of a function, with its own variables.
func (b *bench) deployed(function string, env map[string]string) how {
	return how{megabytes: b.settings.megabytes(function), env: env}
}

// sandbox is a process of a function behind the Runtime API. The first delivery, or Warm, starts it.
type sandbox struct {
	*lambdatest.Function
	slow *throttle // nil: whole cores
	out  output

	pid     int
	began   time.Time
	init    time.Duration // until it asked for work
	initCPU time.Duration
	err     error // of what was done when it asked
}

func (b *bench) sandbox(s subject, h how) (*sandbox, error) {
	p := &sandbox{began: time.Now()}
	if h.megabytes > 0 {
		var err error
		if p.slow, err = newThrottle(h.megabytes); err != nil {
			return nil, err
		}
	}
	env := maps.Clone(b.env)
	maps.Copy(env, h.env)
	p.Function = lambdatest.New(lambdatest.Options{
		Name: s.name, Binary: s.binary, Env: env, Timeout: cmp.Or(h.timeout, time.Minute), InitTimeout: time.Minute,
		MemoryMB: cmp.Or(h.megabytes, b.settings.allMemory), Stdout: &p.out, Stderr: &p.out, Polled: p.polled,
	})
	return p, nil
}

func (p *sandbox) polled(pid int) {
	p.pid, p.init = pid, time.Since(p.began)
	p.initCPU, p.err = cpuTime(pid)
	if p.slow != nil {
		p.err = errors.Join(p.err, p.slow.add(pid))
	}
}

// close ends the process.
func (p *sandbox) close() error {
	err := errors.Join(p.err, p.Function.Close())
	if p.slow != nil {
		err = errors.Join(err, p.slow.close())
	}
	return err
}

// spent measures the time and the CPU time of a step.
func (p *sandbox) spent(step func() error) (took, cpu time.Duration, err error) {
	before, err := cpuTime(p.pid)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := step(); err != nil {
		return 0, 0, err
	}
	took = time.Since(began)
	after, err := cpuTime(p.pid)
	return took, after - before, err
}

// deliver sends n webhooks. Any answer but 200 is an error.
func (b *bench) deliver(ctx context.Context, p *sandbox, n int) error {
	for range n {
		e, err := b.event()
		if err != nil {
			return err
		}
		text, err := p.Invoke(ctx, e)
		if err != nil {
			return err
		}
		var answer events.APIGatewayV2HTTPResponse
		if err := json.Unmarshal(text, &answer); err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers a webhook with %d: %s", p.Name(), answer.StatusCode, &p.out)
		}
	}
	return nil
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
