package awstest_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/lambdatest"
)

// echo answers what it is sent, and fails for "fail".
type echo struct{}

func (echo) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	switch {
	case len(payload) > lambdatest.MaxPayload:
		return nil, lambdatest.ErrTooLarge
	case string(payload) == `"fail"`:
		return nil, &lambdatest.FunctionError{Type: "Sandbox.Timedout", Message: "too late"}
	}
	return payload, nil
}

// The real client invokes a function by its name and alias, or by the alias's ARN.
func TestInvoke(t *testing.T) {
	t.Parallel()
	functions := awstest.NewFunctions()
	functions.Put("echo", nil)
	functions.Put("still", nil)
	functions.Run("echo", echo{})
	var calls []awstest.Call
	server := httptest.NewServer(&awstest.Services{Functions: functions, Watch: func(c awstest.Call) { calls = append(calls, c) }})
	defer server.Close()
	client := lambda.New(lambda.Options{BaseEndpoint: &server.URL, Region: "us-east-1", Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		})})
	for name, tt := range map[string]struct {
		in                  lambda.InvokeInput
		answer, failed, err string
	}{
		"by name":           {lambda.InvokeInput{FunctionName: aws.String("echo"), Qualifier: aws.String("live"), Payload: []byte(`{"a":1}`)}, `{"a":1}`, "", ""},
		"by ARN":            {lambda.InvokeInput{FunctionName: aws.String(awstest.FunctionARN("echo")), Payload: []byte(`[]`)}, `[]`, "", ""},
		"a failure":         {lambda.InvokeInput{FunctionName: aws.String("echo:live"), Payload: []byte(`"fail"`)}, `{"errorMessage":"too late","errorType":"Sandbox.Timedout"}`, "Unhandled", ""},
		"too large":         {lambda.InvokeInput{FunctionName: aws.String("echo:live"), Payload: []byte(`"` + strings.Repeat("x", 6<<20) + `"`)}, "", "", "RequestTooLargeException"},
		"without the alias": {lambda.InvokeInput{FunctionName: aws.String("echo")}, "", "", "InvalidParameterValueException"},
		"unknown":           {lambda.InvokeInput{FunctionName: aws.String("none:live")}, "", "", "ResourceNotFoundException"},
		"not running":       {lambda.InvokeInput{FunctionName: aws.String("still:live")}, "", "", "InvalidParameterValueException"},
		"without waiting":   {lambda.InvokeInput{FunctionName: aws.String("echo:live"), InvocationType: types.InvocationTypeEvent}, "", "", "InvalidParameterValueException"},
		"with its log":      {lambda.InvokeInput{FunctionName: aws.String("echo:live"), LogType: types.LogTypeTail}, "", "", "InvalidParameterValueException"},
	} {
		out, err := client.Invoke(t.Context(), &tt.in)
		if err != nil {
			e, ok := errors.AsType[interface {
				error
				ErrorCode() string
			}](err)
			if !ok || e.ErrorCode() != tt.err {
				t.Errorf("%s: got error %v, want %q", name, err, tt.err)
			}
			continue
		}
		if got := strings.TrimSpace(string(out.Payload)); tt.err != "" || got != tt.answer || aws.ToString(out.FunctionError) != tt.failed {
			t.Errorf("%s: got %.50s, %q", name, got, aws.ToString(out.FunctionError))
		}
	}
	for _, c := range calls {
		if c.Action != "lambda:InvokeFunction" || c.Caller != "test" {
			t.Errorf("call %+v", c)
		}
	}
}
