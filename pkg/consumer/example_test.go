package consumer_test

import (
	"context"
	"log/slog"
	"testing"

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
