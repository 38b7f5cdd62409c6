package dynamo

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Warm opens the client's connection before the first event, while the CPU is still at
// full speed: the first TLS handshake costs more than the rest of a function's start.
// It takes a second at most, and a failure does not matter.
func Warm(ctx context.Context, db *dynamodb.Client) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	o := db.Options()
	endpoint, err := o.EndpointResolverV2.ResolveEndpoint(ctx, dynamodb.EndpointParameters{Region: &o.Region, Endpoint: o.BaseEndpoint})
	if err != nil {
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint.URI.String(), nil)
	if err != nil {
		return
	}
	if resp, err := o.HTTPClient.Do(req); err == nil {
		io.CopyN(io.Discard, resp.Body, 4<<10) // read to the end, so that the connection is kept
		resp.Body.Close()
	}
}
