//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/platform/sdkhttp"
	"procore-connect/internal/testing/fake/pipetest"
)

// positionVariable makes this program the pipe. Its value is the file for the pipe's
// position.
const positionVariable = "CHAOS_PIPE_POSITION"

// pipe is the process between the inbox's stream and the queue. It ends when its
// standard input ends, so that it does not outlive the driver.
func pipe(position string) error {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
	})
	endpoint := func(service string) *string { return aws.String(os.Getenv("AWS_ENDPOINT_URL_" + service)) }
	p := &pipetest.Pipe{
		Streams: dynamodbstreams.New(dynamodbstreams.Options{
			BaseEndpoint: endpoint("DYNAMODB"), Region: "us-east-1", Credentials: credentials, HTTPClient: sdkhttp.New(nil),
		}),
		Queue: sqs.New(sqs.Options{
			BaseEndpoint: endpoint("SQS"), Region: "us-east-1", Credentials: credentials, HTTPClient: sdkhttp.New(nil),
			RetryMaxAttempts: 1, // so that the pipe itself retries
		}),
		Table:        os.Getenv("INBOX_TABLE"),
		QueueURL:     os.Getenv("EVENTS_QUEUE_URL"),
		PositionFile: position,
		Report:       func(text string) { log.Error(text) }, //nolint:sloglint // a text for people
	}
	return p.Run(ctx)
}

// runPipes keeps a pipe running. Each new process has its own addresses.
func (d *deliveries) runPipes() {
	for nth := 1; d.running.Err() == nil; nth++ {
		p := &process{w: d.w, name: fmt.Sprintf("pipe.%d", nth)}
		if err := d.runPipe(p); err != nil {
			d.w.violation("the pipe does not start: %v", err)
			return
		}
		p.close()
		d.w.wait(d.running, d.w.dice.between(0, 500*time.Millisecond)) // until the service has noticed
	}
}

// runPipe runs a pipe until it is killed, or the run ends.
func (d *deliveries) runPipe(p *process) error {
	env, err := p.serve()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	env[positionVariable] = d.position
	cmd := exec.CommandContext(d.running, self)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	cmd.Stdout, cmd.Stderr = &lineWriter{to: (*processLog)(p)}, os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // open as long as the driver runs
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.mu.Lock()
	p.pid = cmd.Process.Pid
	p.mu.Unlock()
	d.w.mu.Lock()
	d.w.processes = append(d.w.processes, p)
	d.w.mu.Unlock()
	_ = cmd.Wait() // it was killed, or could not start on this network
	p.mu.Lock()
	p.pid = 0
	p.mu.Unlock()
	return nil
}

// lineWriter passes on whole lines.
type lineWriter struct {
	to   io.Writer
	rest []byte
}

func (l *lineWriter) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		i := slices.Index(l.rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		if _, err := l.to.Write(l.rest[:i+1]); err != nil {
			return 0, err
		}
		l.rest = l.rest[i+1:]
	}
}
