package config

import (
	"context"
	"errors"

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
