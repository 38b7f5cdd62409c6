package main

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"procore-connect/internal/testing/stack"
	"procore-connect/internal/testing/stack/rebuild"
)

// endWithin is how long the console may take to end.
const endWithin = 5 * time.Second

// serveConsole compiles the operator's command, and runs its console until ctx ends. It is a process beside this one,
// which takes its time. Its address is written, and linked to by the fake Procore's page. What does not work is written
// too, because the system runs without it. The channel is closed when the console has ended.
func serveConsole(ctx context.Context, s *stack.Stack, o settings) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // the console dies with the thread that started it; see attributes
		if err := runConsole(ctx, s, o); err != nil && ctx.Err() == nil {
			o.say("the operator's console: %v", err)
		}
	}()
	return ended
}

func runConsole(ctx context.Context, s *stack.Stack, o settings) error {
	root, err := rebuild.Root(ctx)
	if err != nil {
		return err
	}
	aws, err := url.Parse(s.AWSURL)
	if err != nil {
		return err
	}
	dir := filepath.Join(root, o.BuildDir)
	if err := rebuild.Compile(ctx, root, dir, []string{"./cmd/procore-connect"}, func(string) {}); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, rebuild.Binary(dir, "procore-connect"), "--local", "console", "--no-open") //nolint:gosec // it was just compiled
	cmd.Env = append(os.Environ(), "LOCAL_AWS_ADDR="+aws.Host)
	cmd.Cancel, cmd.WaitDelay, cmd.SysProcAttr = func() error { return cmd.Process.Signal(os.Interrupt) }, endWithin, attributes()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if lines := bufio.NewScanner(out); lines.Scan() {
		address := strings.TrimSpace(lines.Text())
		if s.Procore != nil {
			s.Procore.Link("Console", address)
		}
		o.say("the operator's console: %s", address)
	}
	return cmd.Wait()
}

// say writes a line about this command.
func (o settings) say(format string, args ...any) {
	fmt.Fprintf(o.Stderr, "%-16s | %s\n", "local", fmt.Sprintf(format, args...))
}
