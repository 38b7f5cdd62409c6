// Command toy is a Lambda function that does what its input asks for.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

var version = "1" // the linker sets it

type input struct {
	Do   string
	Text string
	Size int
}

type output struct {
	PID        int
	Text       string
	RequestID  string
	ARN        string
	Left       time.Duration
	Invocation int
	Env        []string
	Version    string
}

func main() {
	if os.Getenv("TOY_INIT") == "fail" {
		fmt.Fprintln(os.Stderr, "TOY_NAME is not set")
		os.Exit(3)
	}
	if os.Getenv("TOY_INIT") == "hang" {
		time.Sleep(time.Hour) //nolint:forbidigo // select {} is a deadlock to the runtime
	}
	n := 0
	lambda.Start(func(ctx context.Context, in input) (*output, error) {
		n++
		switch in.Do {
		case "fail":
			return nil, errors.New("toy failed")
		case "panic":
			panic("toy panicked")
		case "exit":
			fmt.Fprintln(os.Stderr, "toy gives up")
			os.Exit(7)
		case "hang":
			fmt.Printf("{\"PID\":%d}\n", os.Getpid())
			time.Sleep(time.Hour) //nolint:forbidigo // select {} is a deadlock to the runtime
		case "large":
			return &output{Text: strings.Repeat("x", in.Size)}, nil
		case "ask": // the test holds the answer back
			resp, err := http.Get(in.Text)
			if err != nil {
				return nil, err
			}
			resp.Body.Close()
		case "print":
			fmt.Fprint(os.Stdout, in.Text)
			fmt.Fprint(os.Stderr, in.Text)
		}
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		env := os.Environ()
		sort.Strings(env)
		return &output{os.Getpid(), in.Text, lc.AwsRequestID, lc.InvokedFunctionArn, time.Until(deadline), n, env, version}, nil
	})
}
