package consumer_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"procore-connect/pkg/consumer"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

func handle(ctx context.Context, e procore.Event, c *procore.CompanyClient) error {
	resource, err := c.Read(ctx, e)
	if err != nil {
		return err
	}
	slog.InfoContext(ctx, "resource read", slog.Int("bytes", len(resource)))
	return nil
}

// A consumer that keeps a history wants each step of a resource, also those that this app made. It decides itself what a
// missing resource means.
func ExampleRun() { //nolint:testableexamples // Run does not return
	consumer.Run(handle, consumer.WithOwnChanges(), consumer.WithStaleEvents(), consumer.WithProcoreErrors())
}

// A program that has several functions in one process makes each from its own parts.
func ExampleNew() { //nolint:testableexamples // lambda.Start does not return
	variables := map[string]string{"CONNECTIONS_TABLE": "connections"} // and the others
	f, err := consumer.New(consumer.Parts{
		Getenv: func(name string) string { return variables[name] },
		AWS:    aws.Config{Region: "eu-central-1"},
		Log:    slog.Default(),
	}, handle)
	if err != nil {
		slog.Error("the function does not start", slog.Any("error", err))
		return
	}
	lambda.Start(f)
}

// The test in the package documentation.
func TestHandleAlone(t *testing.T) {
	t.Parallel()
	fake := procoretest.Start(t)
	e := fake.Change(t, procoretest.Event{CompanyID: procoretest.MyConstruction, ProjectID: 2001, ResourceName: "RFIs", EventType: "create"})
	err := handle(t.Context(), e, fake.Client(t, e.CompanyID))
	if err != nil {
		t.Error(err)
	}
}
