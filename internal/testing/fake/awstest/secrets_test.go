package awstest_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
)

// config returns the configuration of a client of the services.
func config(t *testing.T, s *awstest.Services) aws.Config {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: &server.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	}
}

func TestSecretVersions(t *testing.T) {
	t.Parallel()
	s := awstest.NewSecrets(map[string]string{"local/app": "one"})
	c := secretsmanager.NewFromConfig(config(t, &awstest.Services{Secrets: s}))
	read := func(id string, stage *string) string {
		t.Helper()
		out, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: stage})
		if err != nil {
			t.Fatal(err)
		}
		return *out.SecretString
	}
	if got, want := read("local/app", nil), "one"; got != want {
		t.Errorf("value = %q, want %q", got, want)
	}
	put, err := c.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: new("local/app"), SecretString: new("two")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := put.VersionStages, []string{"AWSCURRENT"}; !cmp.Equal(got, want) {
		t.Errorf("stages = %v, want %v", got, want)
	}
	if got, want := read(*put.ARN, nil), "two"; got != want {
		t.Errorf("value by ARN = %q, want %q", got, want)
	}
	if got, want := read("local/app", new("AWSPREVIOUS")), "one"; got != want {
		t.Errorf("previous value = %q, want %q", got, want)
	}
	d, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: new("local/app")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := d.VersionIdsToStages[*put.VersionId], []string{"AWSCURRENT"}; !cmp.Equal(got, want) {
		t.Errorf("described stages = %v, want %v", got, want)
	}
	if got, want := s.Reads("local/app"), 3; got != want {
		t.Errorf("reads = %d, want %d", got, want)
	}
}

func TestSecretErrors(t *testing.T) {
	t.Parallel()
	c := secretsmanager.NewFromConfig(config(t, &awstest.Services{Secrets: awstest.NewSecrets(map[string]string{"a": "one"})}))

	_, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: new("absent")})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("absent secret: %v, want ResourceNotFoundException", err)
	}
	_, err = c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: new("a"), SecretString: new("two")})
	if _, ok := errors.AsType[*types.ResourceExistsException](err); !ok {
		t.Errorf("second creation: %v, want ResourceExistsException", err)
	}
	_, err = c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: new("b"), SecretString: new(strings.Repeat("x", 65537))})
	if _, ok := errors.AsType[*types.InvalidParameterException](err); !ok {
		t.Errorf("long secret: %v, want InvalidParameterException", err)
	}
	_, err = c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: new("a")})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "UnknownOperationException" {
		t.Errorf("unknown operation: %v, want UnknownOperationException", err)
	}
	_, err = c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: new("a"), VersionId: new("00000000-0000-0000-0000-000000000000")})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("absent version: %v, want ResourceNotFoundException", err)
	}
}
