package config

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"procore-connect/internal/platform/sdkhttp"
)

// AWS is the SDK's configuration, built by hand: the SDK's config package also
// links single sign-on and more, which a cold start would pay for.
func (e *Env) AWS() aws.Config {
	return aws.Config{
		Region:      e.Require("AWS_REGION"),
		Credentials: aws.NewCredentialsCache(aws.CredentialsProviderFunc(e.credentials)),
		HTTPClient:  sdkhttp.New(nil),
	}
}

// credentials are those that Lambda puts into the environment for the lifetime
// of the process.
func (e *Env) credentials(context.Context) (aws.Credentials, error) {
	c := aws.Credentials{
		AccessKeyID:     e.Optional("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: e.Optional("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    e.Optional("AWS_SESSION_TOKEN"),
		Source:          "environment",
	}
	if !c.HasKeys() {
		return c, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")
	}
	return c, nil
}

// Endpoint is a service's own endpoint, of AWS_ENDPOINT_URL_ and the service's
// name, or nil for AWS itself. A configuration built by hand ignores these
// variables, so each client's BaseEndpoint is set from here.
func (e *Env) Endpoint(service string) *string {
	if v := e.Optional("AWS_ENDPOINT_URL_" + service); v != "" {
		return &v
	}
	return nil
}

// Warm opens a connection to an AWS service before the first event, while the
// CPU is still at full speed: the first TLS handshake costs more than all of a
// function's start. It makes no difference if it fails. service is the name in
// the host, endpoint what [Env.Endpoint] gave.
func Warm(ctx context.Context, c aws.Config, endpoint *string, service string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	address := "https://" + service + "." + c.Region + ".amazonaws.com/"
	if endpoint != nil {
		address = *endpoint
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return
	}
	if resp, err := c.HTTPClient.Do(req); err == nil {
		io.CopyN(io.Discard, resp.Body, 4<<10) // read to the end, so that the connection is kept
		resp.Body.Close()
	}
}
