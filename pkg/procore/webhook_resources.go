package procore

import (
	"context"
	"iter"
	"net/url"
)

// A WebhookResource is a resource that hooks of one payload version can report.
//
// https://developers.procore.com/reference/rest/webhook-resources?version=latest
type WebhookResource struct {
	// Name is what a trigger calls the resource: "RFIs".
	Name           string `json:"name"`
	Category       string `json:"category"`
	Tool           string `json:"tool"`
	PayloadVersion string `json:"payload_version"`
	// Actions are the event types that a trigger for it may have.
	Actions []EventType `json:"actions"`
}

// WebhookResources lists the resources that hooks of a payload version can report.
func (c *CompanyClient) WebhookResources(ctx context.Context, payloadVersion string) iter.Seq2[WebhookResource, error] {
	return List[WebhookResource](ctx, c, c.webhooksPath()+"/resources", url.Values{"payload_version": {payloadVersion}})
}
