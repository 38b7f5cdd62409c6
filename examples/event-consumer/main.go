// Command event-consumer is the Lambda function that receives the events. Your work goes
// into handle, here in its place; docs/WEBHOOKS.md has the rules for it.
package main

import (
	"context"
	"log/slog"

	"procore-connect/pkg/consumer"
	"procore-connect/pkg/procore"
)

func main() { consumer.Run(handle) }

// handle is called for each event, in order for each resource.
func handle(ctx context.Context, e procore.Event, c *procore.CompanyClient) error {
	resource, err := c.Read(ctx, e) // as it is now
	if err != nil {
		return err // a 403 or 404 finishes the event, anything else repeats it
	}
	slog.InfoContext(ctx, "resource read", slog.Int("bytes", len(resource))) // without its content, which is personal data
	return nil
}
