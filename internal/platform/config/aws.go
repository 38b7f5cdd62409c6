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

// AWS returns the SDK's configuration. It is built by hand, because the SDK's
// config package also links single sign-on and more, which slows a cold start.
func (e *Env) AWS() aws.Config {
	return aws.Config{
		Region:      e.Require("AWS_REGION"),
		Credentials: aws.NewCredentialsCache(aws.CredentialsProviderFunc(e.credentials)),
		HTTPClient:  sdkhttp.New(nil),
	}
}

// credentials returns the credentials that Lambda puts into the environment for the
// lifetime of the process.
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

// Endpoint reads AWS_ENDPOINT_URL_ followed by the service's name. It returns nil
// for AWS itself. A configuration built by hand ignores these variables, so each
// client sets its BaseEndpoint from here.
func (e *Env) Endpoint(service string) *string {
	if v := e.Optional("AWS_ENDPOINT_URL_" + service); v != "" {
		return &v
	}
	return nil
}

// Warm opens a connection to an AWS service before the first event, while the CPU
// is still at full speed: the first TLS handshake costs more than the rest of a
// function's start. A failure does not matter. service is the name in the host,
// endpoint the result of [Env.Endpoint].
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
