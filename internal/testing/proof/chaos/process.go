//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/lambdatest"
)

// launchVariable makes this program a function.
const launchVariable = "CHAOS_LAUNCH"

// launch turns this process into the function's. It first prints its process id, which
// lambdatest does not expose.
func launch(binary string) error {
	if _, err := fmt.Fprintf(os.Stdout, "pid %d\n", os.Getpid()); err != nil {
		return err
	}
	return syscall.Exec(binary, []string{binary}, os.Environ())
}

// process is one process of a function. It has its own address for each service, so
// that each request shows which process sent it.
type process struct {
	w    *world
	name string // refresher-3.17: the 17th process in slot 3
	tls  bool
	f    *lambdatest.Function // nil: the operator's command

	operator *awstest.Services // what only the operator's command needs; nil: a function

	servers []*http.Server

	mu         sync.Mutex
	pid        int
	killedAt   time.Time
	stops      []span
	stopped    bool
	cutDynamo  []span      // cut off from the table
	cutQueue   []span      // and from the queue
	connFaults []time.Time // faults on its connections to Procore
}

// span is a period of time. A zero end means that it has not ended.
type span struct{ from, to time.Time }

// overlaps reports whether the span has a moment in common with a to b.
func (s span) overlaps(a, b time.Time) bool {
	return s.from.Before(b) && (s.to.IsZero() || s.to.After(a))
}

func overlap(all []span, a, b time.Time) bool {
	for _, s := range all {
		if s.overlaps(a, b) {
			return true
		}
	}
	return false
}

// start returns a new process that is ready for work.
func (w *world) start(ctx context.Context, slot, nth int, function string) (*process, error) {
	p := &process{w: w, name: fmt.Sprintf("%s-%d.%d", function, slot, nth), tls: slot%2 == 0}
	env, err := p.serve()
	if err != nil {
		p.close()
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		p.close()
		return nil, err
	}
	env[launchVariable] = filepath.Join(w.binaries, function)
	p.f = lambdatest.New(lambdatest.Options{
		Name: p.name, Binary: self, Env: env, MemoryMB: 256,
		// Longer than a stop and the work after it, so that a stopped process is continued and not replaced.
		Timeout: pick(w.dice, []time.Duration{55 * time.Second, 75 * time.Second}), InitTimeout: 30 * time.Second,
		Stdout: (*processLog)(p), Stderr: (*processLog)(p),
	})
	if err := p.f.Warm(ctx); err != nil {
		p.close()
		return nil, err
	}
	w.mu.Lock()
	w.processes = append(w.processes, p)
	w.mu.Unlock()
	return p, nil
}

// serve opens the addresses of the process and returns its environment.
func (p *process) serve() (map[string]string, error) {
	dynamo, err := p.listen("DynamoDB", 60, false, p.w.storage.handlerFor(p))
	if err != nil {
		return nil, err
	}
	procore, err := p.listen(procoreService, 12, p.tls, p.w.provider.handlerFor(p))
	if err != nil {
		return nil, err
	}
	aws, err := p.listen("SQS", 0, false, p.w.awsFor(p))
	if err != nil {
		return nil, err
	}
	return p.w.environment(dynamo, procore, aws), nil
}

func (p *process) listen(service string, every int, secure bool, h http.Handler) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: h, ReadTimeout: time.Minute, ErrorLog: p.w.discard, ConnContext: withConn}
	p.servers = append(p.servers, s)
	f := &flaky{Listener: l, w: p.w, p: p, name: service, every: every}
	if !secure {
		go func() { _ = s.Serve(f) }() // ends with close
		return "http://" + l.Addr().String(), nil
	}
	s.TLSConfig = p.w.tls.Clone()
	go func() { _ = s.Serve(newTLSListener(f, p)) }()
	return "https://" + l.Addr().String(), nil
}

// invoke calls the function and waits for it.
func (p *process) invoke(ctx context.Context, payload []byte) error {
	_, err := p.call(ctx, payload)
	return err
}

// call returns the function's answer.
func (p *process) call(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := p.f.Invoke(ctx, payload)
	e, failed := errors.AsType[*lambdatest.FunctionError](err)
	p.mu.Lock()
	defer p.mu.Unlock()
	if failed && e.Type == "Sandbox.Timedout" && p.killedAt.IsZero() {
		p.killedAt = time.Now()
		p.w.kills.add("by the function's timeout")
	}
	return answer, err
}

// kill ends the process without warning.
func (p *process) kill(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 || !p.killedAt.IsZero() {
		return
	}
	p.killedAt = time.Now()
	p.w.kills.add(why)
	_ = syscall.Kill(p.pid, syscall.SIGKILL)
}

// stop stops the process for d, which may be longer than its claims.
func (p *process) stop(why string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 || p.stopped || !p.killedAt.IsZero() || !p.w.reserveStop() {
		return
	}
	length := "short"
	if d > maxClaim {
		length = "past its claims"
	}
	p.w.stops.add(length + ", " + why)
	p.stopped = true
	p.stops = append(p.stops, span{from: time.Now()})
	_ = syscall.Kill(p.pid, syscall.SIGSTOP)
	p.w.background.Go(func() {
		p.w.wait(p.w.ctx, d) // shorter if the run ends
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = syscall.Kill(p.pid, syscall.SIGCONT)
		p.stops[len(p.stops)-1].to = time.Now()
		p.stopped = false
		p.w.releaseStop()
	})
}

// cut cuts the process off from the table, and optionally from the rescue queue, for d.
func (p *process) cut(d time.Duration, queue bool) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutDynamo = append(p.cutDynamo, span{now, now.Add(d)})
	if queue {
		p.cutQueue = append(p.cutQueue, span{now, now.Add(d)})
		p.w.network.add("cut off from table and rescue queue")
		return
	}
	p.w.network.add("cut off from the table")
}

// cutQueueOff cuts the process off from the queue alone.
func (p *process) cutQueueOff(d time.Duration) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutQueue = append(p.cutQueue, span{now, now.Add(d)})
	p.w.network.add("cut off from the queue")
}

func (p *process) isCut(queue bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, all := time.Now(), p.cutDynamo
	if queue {
		all = p.cutQueue
	}
	return !p.w.calm.Load() && overlap(all, now, now)
}

// kind returns the function's name.
func (p *process) kind() string { return strings.TrimRight(p.name, "0123456789.-") }

func (p *process) close() {
	if p.f != nil {
		p.f.Close()
	}
	for _, s := range p.servers {
		s.Close()
	}
}

// processLog receives the process's output, one line at a time.
type processLog process

func (l *processLog) Write(line []byte) (int, error) {
	p := (*process)(l)
	if id, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "pid "); ok {
		p.mu.Lock()
		p.pid, _ = strconv.Atoi(id)
		p.mu.Unlock()
		return len(line), nil
	}
	p.w.checkSecrets(p, line)
	var e logEntry
	if json.Unmarshal(line, &e) != nil {
		if bytes.Contains(line, []byte("panic")) {
			p.w.violation("%s panicked: %s", p.name, bytes.TrimSpace(line))
		}
		return len(line), nil
	}
	if p.w.onLog != nil {
		p.w.onLog(p, e)
		return len(line), nil
	}
	p.w.logs.add(e.Message)
	e.p, e.at = p, time.Now()
	p.w.addEntry(e)
	return len(line), nil
}

// logEntry is a line of a function's log.
type logEntry struct {
	Message   string `json:"msg"`
	Level     string `json:"level"`
	Company   int64  `json:"company_id"`
	Principal string `json:"principal"`
	Error     any    `json:"error"`
	Outcome   string `json:"outcome"`

	Time    time.Time `json:"time"`
	EventID string    `json:"event_id"`

	p  *process
	at time.Time
}

func (p *process) addConnFault() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connFaults = append(p.connFaults, time.Now())
}
