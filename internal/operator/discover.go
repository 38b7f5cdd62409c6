package operator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
)

// localStack is the name that make run's stand-in of CloudFormation knows.
const localStack = "local"

// sdk returns the configuration of AWS's clients.
func (t Target) sdk(ctx context.Context) (aws.Config, error) {
	if t.SDK != nil {
		return *t.SDK, nil
	}
	if t.Local != "" {
		return aws.Config{
			Region: "us-east-1", BaseEndpoint: aws.String("http://" + strings.TrimPrefix(t.Local, "http://")), RetryMaxAttempts: 2,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "operator", SecretAccessKey: "operator"}, nil // no signature is checked
			}),
		}, nil
	}
	c, err := sdkconfig.LoadDefaultConfig(ctx, sdkconfig.WithRegion(t.Region), sdkconfig.WithSharedConfigProfile(t.Profile))
	if err == nil && c.Region == "" {
		err = errors.New("no region is set; name it with --region, or set AWS_REGION")
	}
	if err != nil {
		return c, fmt.Errorf("configuration of AWS: %w", err)
	}
	return c, nil
}

// Alias is what invokes a function invokes: the version that runs. The function without it is what was deployed last, also
// while a rollout has not reached it, and after one that went back.
const Alias = "live"

// found is what a stack is made of.
type found struct {
	outputs   map[string]string
	functions []string          // whose variables were read
	variables map[string]string // of these functions
}

// discover reads the outputs of the stack, and the variables of two functions that have nearly all that exist.
func (t Target) discover(ctx context.Context, sdk aws.Config) (*found, error) {
	f := &found{outputs: map[string]string{}, variables: map[string]string{}}
	if err := t.describe(ctx, sdk, f); err != nil {
		return nil, err
	}
	client := lambda.NewFromConfig(sdk)
	for _, output := range []string{"ReconcilerFunctionName", "RefresherFunctionName"} { // what both have is the refresher's
		name := f.outputs[output]
		if name == "" {
			return nil, fmt.Errorf("%s has no output %s: is it a stack of this application, deployed in this version?", t.name(), output)
		}
		c, err := client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name, Qualifier: aws.String(Alias)})
		switch {
		case err != nil:
			return nil, fmt.Errorf("the configuration of function %s cannot be read: %w", name, err)
		case c.Environment == nil || c.Environment.Error != nil:
			return nil, fmt.Errorf("function %s shows none of its environment variables; reading them may need kms:Decrypt", name)
		}
		f.functions = append(f.functions, name)
		maps.Copy(f.variables, c.Environment.Variables)
	}
	return f, nil
}

// describe reads the outputs of the stack.
func (t Target) describe(ctx context.Context, sdk aws.Config, f *found) error {
	name := t.Stack
	if t.Local != "" {
		name = localStack
	}
	out, err := cloudformation.NewFromConfig(sdk).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if _, ok := errors.AsType[*net.OpError](err); ok && t.Local != "" {
		return fmt.Errorf("nothing answers at %s: start make run, or set LOCAL_AWS_ADDR as it is set there", t.Local)
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok && e.ErrorCode() == "ValidationError" {
		return fmt.Errorf("%s does not exist; see --stack, --region and --profile: %s", t.name(), e.ErrorMessage())
	}
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", t.name(), err)
	}
	if len(out.Stacks) == 0 {
		return fmt.Errorf("%s does not exist; see --stack, --region and --profile", t.name())
	}
	for _, o := range out.Stacks[0].Outputs {
		f.outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return nil
}

// name names the target in errors.
func (t Target) name() string {
	if t.Local != "" {
		return "the stack at " + t.Local
	}
	where := ""
	if t.Region != "" {
		where = " in " + t.Region
	}
	return fmt.Sprintf("stack %q%s", t.Stack, where)
}
