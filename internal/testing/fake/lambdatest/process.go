package lambdatest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"
)

// process is one execution environment: a process and its Runtime API.
type process struct {
	o       Options
	version int // of the binary
	cmd     *exec.Cmd
	work    chan *invocation // received by the handler of invocation/next
	polled  chan struct{}    // closed when the process asks for work the first time
	exited  chan struct{}    // closed when the process has ended and its output was read
	tail    *tail

	mu      sync.Mutex
	asked   bool
	current *invocation
	initErr *FunctionError // reported by the process to init/error
	exitErr error          // set before exited is closed
}

func start(o Options) (*process, error) {
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{
		o:    o,
		work: make(chan *invocation), polled: make(chan struct{}), exited: make(chan struct{}),
		tail: new(tail),
	}
	api := &http.Server{Handler: p.api(), ReadHeaderTimeout: 5 * time.Second}
	go api.Serve(l)

	stdout, stderr := &lines{to: o.Stdout, tail: p.tail}, &lines{to: o.Stderr, tail: p.tail}
	p.cmd = exec.Command(binary)
	p.cmd.Dir = filepath.Dir(binary)
	p.cmd.Env = environment(o, l.Addr().String(), filepath.Dir(binary))
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	p.cmd.SysProcAttr = attributes()
	p.cmd.WaitDelay = time.Second // a grandchild may hold the output open

	p.mu.Lock() // it may ask for work before Start has set its id
	started := make(chan error)
	go func() {
		// The kernel kills the child when the thread that started it ends, so this
		// goroutine keeps the thread while the child runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.exitErr = p.cmd.Wait()
			kill(p.cmd.Process) // its own children
		}
		stdout.flush()
		stderr.flush()
		api.Close()
		close(p.exited)
	}()
	err = <-started
	p.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("function %s cannot be started: %w", o.Name, err)
	}
	return p, nil
}

// environment returns the variables that Lambda sets for a process of the runtime
// provided.al2023. It inherits only the variables that an operating system needs.
//
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func environment(o Options, api, dir string) []string {
	var env []string
	for _, name := range []string{"PATH", "TMPDIR", "SystemRoot"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	env = append(env,
		"AWS_LAMBDA_RUNTIME_API="+api,
		"AWS_LAMBDA_FUNCTION_NAME="+o.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE="+strconv.Itoa(o.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/"+o.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=local",
		"AWS_REGION="+region,
		"AWS_DEFAULT_REGION="+region,
		"AWS_ACCESS_KEY_ID="+o.Name, // each function has its own role and so its own credentials
		"AWS_SECRET_ACCESS_KEY=local",
		"AWS_SESSION_TOKEN=local",
		"LAMBDA_TASK_ROOT="+dir,
		"LAMBDA_RUNTIME_DIR="+dir,
		"_HANDLER=bootstrap",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
	)
	for name, value := range o.Env {
		env = append(env, name+"="+value) // a later entry wins
	}
	return env
}

func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// kill ends the process and its children. It may be called again.
func (p *process) kill() { kill(p.cmd.Process) }

// ready waits until the process asks for work.
func (p *process) ready(limit time.Duration) error {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-p.polled:
		return nil
	case <-p.exited:
		return p.exitError("")
	case <-t.C:
		return p.late(limit)
	}
}

// deliver passes the invocation to the process when that asks for work.
func (p *process) deliver(inv *invocation, limit time.Duration) error {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case p.work <- inv:
		return nil
	case <-p.exited:
		return p.exitError("")
	case <-t.C:
		return p.late(limit)
	}
}

// late kills a process that does not ask for work.
func (p *process) late(limit time.Duration) error {
	p.kill()
	<-p.exited
	return &FunctionError{
		Function: p.o.Name, Type: "Sandbox.Timedout", Log: p.tail.last(),
		Message: fmt.Sprintf("the process did not ask for work within %v", limit),
	}
}

// wait returns the answer to a delivered invocation.
func (p *process) wait(inv *invocation, limit time.Duration) ([]byte, error) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-inv.done:
	case <-p.exited:
	case <-t.C:
		p.kill()
		<-p.exited
	}
	select {
	case <-inv.done: // first: a process that panics answers, then ends
		return inv.answer, inv.err
	default:
	}
	if t.Stop() { // it had not fired
		return nil, p.exitError(inv.id)
	}
	return nil, &FunctionError{
		Function: p.o.Name, RequestID: inv.id, Type: "Sandbox.Timedout",
		Message: fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", inv.id, limit.Seconds()),
	}
}

// exitError describes a process that ended without being killed.
func (p *process) exitError(requestID string) error {
	p.mu.Lock()
	reported := p.initErr
	p.mu.Unlock()
	if reported != nil {
		reported.Log = p.tail.last()
		return reported
	}
	status := "exit status 0"
	if p.exitErr != nil {
		status = p.exitErr.Error()
	}
	e := &FunctionError{
		Function: p.o.Name, RequestID: requestID, Type: "Runtime.ExitError", Log: p.tail.last(),
		Message: "the process ended before it asked for work: " + status,
	}
	if requestID != "" {
		e.Message = fmt.Sprintf("RequestId: %s Error: Runtime exited with error: %s", requestID, status)
	}
	return e
}
