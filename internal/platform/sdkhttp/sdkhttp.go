// Package sdkhttp is the HTTP client of the AWS SDK's clients.
package sdkhttp

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"procore-connect/pkg/procore"
)

// maxBody is more than any request to an AWS service has. An item of DynamoDB has at most 400 KB, a message of SQS 1 MiB.
const maxBody = 16 << 20

// silence is how long an answer may take to begin. No service that we use takes that long, and our long polls last a
// second. Without it, a request on a connection that died silently takes all the time that its caller has.
const silence = 5 * time.Second

// idle is how long a connection is kept without a request. A Lambda sandbox may be frozen for that long, and a new
// connection costs its next request a TLS handshake on a fraction of a core. AWS closes a connection when it likes; a
// request that finds it closed is repeated, see [Client].
const idle = time.Hour

// Client sends each request in one write, on a connection that is kept.
//
// The SDK's body has a type that net/http does not know. So net/http writes the header first, then the body, and then
// reads on for the end of the body. If the answer has arrived by then, the SDK has closed its body, which returns
// [io.EOF] where io.Copy expects nil (smithy-go, transport/http/internal/io). To net/http the request has failed. It
// closes the connection, sometimes while the answer is being read ("use of closed network connection",
// aws/aws-sdk-go-v2 issue 2737), and the next call pays for another TLS handshake. This happens when the server is near
// or the CPU is slow, as in a Lambda function. It does not happen to bytes in memory.
//
// AWS may close a connection while the sandbox is frozen. Often the next request on it is the first to notice. net/http
// then repeats it at once on another connection, as the SDK would as well, but up to two seconds later.
type Client struct{ sdk *awshttp.BuildableClient }

// New returns the SDK's own client with this change, and with a limit to the time that it waits for an answer. dial
// opens its connections; nil means the SDK's dialer.
func New(dial procore.Dial) Client {
	return Client{awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.ResponseHeaderTimeout = silence
		t.IdleConnTimeout = idle
		if dial != nil {
			t.DialContext = dial
		}
	})}
}

// Do sends the request.
func (c Client) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return c.sdk.Do(r)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("sdkhttp: the request's body is larger than %d bytes", maxBody)
	}
	out := r.Clone(r.Context()) // because the SDK closes the body of its request
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	out.Body, _ = out.GetBody() // which never fails
	out.ContentLength = int64(len(body))
	out.Header["Idempotency-Key"] = nil // is not sent, and permits net/http to repeat the request
	return c.sdk.Do(out)
}
