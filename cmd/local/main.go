// Command local runs the whole system on this machine: make run, or
//
//	go run ./cmd/local [-app addr] [-procore addr] [-aws addr] [-connect ids] [-consumer package] [-state directory]
//	    [-fresh] [-json] [-docker] [-crooked names] [-principal who] [-host] [-console=false]
//
// or, against Procore's developer sandbox in place of the fake Procore (docs/SANDBOX.md),
//
//	go run ./cmd/local -procore sandbox [-public address] ...
//
// It needs Go and nothing else. What it has when it stops, the next run continues
// with. A function is compiled and replaced when its source changes. The functions' log
// lines go to standard output; everything else goes to standard error.
//
//	go run ./cmd/local sam [-app addr] [-procore addr] [-aws addr]
//
// prepares build/sam for sam local, while the system runs with -docker. See
// docs/LOCAL-SAM.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"procore-connect/internal/testing/stack"
)

func main() {
	ctx, end := untilStopped()
	args := os.Args[1:]
	command := run
	if len(args) > 0 && args[0] == "sam" {
		command, args = prepareSAM, args[1:]
	}
	err := command(ctx, args)
	end()
	if err != nil {
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
	s, err := stack.Start(ctx, o.Options)
	if e, ok := errors.AsType[stack.AddrErrors](err); ok {
		return taken(ctx, e, args)
	}
	if err != nil {
		return unlessStopped(ctx, err)
	}
	hostURL := ""
	if o.host {
		if hostURL, err = serveHost(ctx, s); err != nil {
			return errors.Join(unlessStopped(ctx, err), s.Close())
		}
	}
	ready(s, o, hostURL)
	if o.console {
		ctx, end := context.WithCancel(ctx)
		ended := serveConsole(ctx, s, o)
		defer func() {
			end()
			<-ended
		}()
	}
	if err := connect(ctx, s, o); err != nil {
		return errors.Join(unlessStopped(ctx, err), s.Close())
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr, "\nstopping")
	case <-s.Failed(): // Close returns why
	}
	return s.Close()
}

// unlessStopped returns the error of something that a signal may have cut short, which is no failure.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// connect connects the companies of -connect.
func connect(ctx context.Context, s *stack.Stack, o settings) error {
	who, _ := principals(o.Options) // options has checked them
	for _, id := range o.connect {
		made, err := s.Connect(ctx, id, who.Users)
		if err != nil {
			return err
		}
		what := "was connected already"
		if made {
			what = "is connected"
		}
		o.say("company %d %s", id, what)
	}
	return nil
}
