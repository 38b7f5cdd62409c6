package simulation

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"procore-connect/internal/testing/fake/dynamotest"
)

// Item is an item of a table, or its key.
type Item = map[string]types.AttributeValue

// quickClient returns a client as wireClient does. Its operations on items reach dynamotest before the SDK makes text of
// them, which is several times faster. [Exploration.Repeats] compares both.
func quickClient() *dynamodb.Client {
	return dynamodb.New(wireClient().Options(), func(o *dynamodb.Options) {
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error { return s.Initialize.Add(quick{}, middleware.Before) })
	})
}

type quick struct{}

// ID names the middleware.
func (quick) ID() string { return "quick tables" }

// HandleInitialize answers a request.
func (quick) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	if err := ctx.Err(); err != nil { // the client does not send it
		return middleware.InitializeOutput{}, middleware.Metadata{}, &aws.RequestCanceledError{Err: err}
	}
	r := dynamotest.RequestOf(in.Parameters)
	if r == nil {
		return next.HandleInitialize(ctx, in)
	}
	t := worldOf(ctx).Tables
	out, err := pass(ctx, t, r.Operation, call[any]{
		apply:    func(by string) (any, error) { return t.do(by, r) },
		fail:     func(code string) (any, error) { return nil, quickFailure(code) },
		mentions: r.Mentions,
		subject:  func() string { return t.dynamo.Name(r) },
	})
	return middleware.InitializeOutput{Result: out}, middleware.Metadata{}, err
}

func quickFailure(code string) error {
	if code == "TransactionCanceledException" {
		e := &types.TransactionCanceledException{}
		for _, code := range []string{"TransactionConflict", "None"} {
			e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: &code})
		}
		return e
	}
	return &smithy.GenericAPIError{Code: code, Message: "as the schedule requires"}
}

// do does a request on dynamotest, and reports what it wrote. It panics if dynamotest does not support the request, or if
// the code under test has made a mistake in it.
func (t *Tables) do(by string, r *dynamotest.Request) (any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out, err := t.dynamo.Do(r)
	if e, ok := errors.AsType[*smithy.GenericAPIError](err); ok {
		panic(r.Operation + ": " + e.Error())
	}
	t.report(by)
	return out, err
}
