package inbox

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/pkg/procore"
)

// Warm does what Add does, without sending: it builds and signs the request and reads
// an answer, so that the SDK's first steps do not delay the first event. It stores
// nothing. Call it before the first event, while the CPU is at full speed. If it
// fails, the first event is slower.
func (s *Store) Warm(ctx context.Context) { _, _ = s.warm(ctx) }

func (s *Store) warm(ctx context.Context) (Outcome, error) {
	body := []byte(`{"id":1,"timestamp":"2026-01-01T00:00:00Z","company_id":1,"api_version":"v2.0","event_type":"update","resource_name":"RFIs","resource_id":1}`)
	e, err := procore.DecodeEvent(body)
	if err != nil {
		return Outcome{}, err
	}
	alone := *s
	alone.DB = dynamodb.New(s.DB.Options(), func(o *dynamodb.Options) { o.HTTPClient = offline{} })
	return alone.Add(ctx, e, body)
}

// offline answers every request as DynamoDB answers a write, without the network.
type offline struct{}

func (offline) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader("{}")), ContentLength: 2,
	}, nil
}
