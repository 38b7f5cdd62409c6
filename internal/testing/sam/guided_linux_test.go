package sam_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// The limits of a template that CloudFormation reads from S3.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const mostTemplateBytes = 1 << 20

// A parameter of template.yaml.
type parameter struct{ name, value string }

// Enter alone answers every question of sam deploy --guided. What is then sent to AWS has each parameter's default and a
// template that CloudFormation accepts by its size. The file that it writes makes the next sam deploy send the same.
func TestSAMGuided(t *testing.T) {
	t.Parallel()
	needsSAM(t)
	dir := t.TempDir()
	copyTree(t, dir)
	output(t, command(t.Context(), dir, "sam", "build"))
	a := newAccount(t)
	parameters := defaults(t)

	questions, shown, err := pressEnter(t, func(ctx context.Context) *exec.Cmd { return a.deploy(ctx, dir, "--guided") })
	if d := cmp.Diff(questions, asked(parameters)); d != "" {
		t.Errorf("questions (-got +want):\n%s", d)
	}
	if err == nil || !strings.Contains(shown, "is not authorized to perform: cloudformation:CreateChangeSet") {
		t.Fatalf("sam deploy --guided: %v\n%s", err, shown)
	}
	want := []string{
		"DescribeStacks " + managed, "CreateChangeSet " + managed, "DescribeChangeSet " + managed, "ExecuteChangeSet " + managed, "DescribeStacks " + managed,
	}
	if d := cmp.Diff(a.calls[:min(len(want), len(a.calls))], want); d != "" {
		t.Errorf("first calls (-got +want):\n%s", d)
	}
	if got := a.calls[len(a.calls)-1]; got != "CreateChangeSet procore-connect" {
		t.Errorf("last call %s, want that of the stack's change set; all:\n%s", got, strings.Join(a.calls, "\n"))
	}

	if _, shown, err = pressEnter(t, func(ctx context.Context) *exec.Cmd { return a.deploy(ctx, dir) }); err == nil {
		t.Errorf("sam deploy, which is refused, ended well:\n%s", shown)
	}
	if len(a.changeSets) != 2 {
		t.Fatalf("%d change sets after two deployments; the second one showed:\n%s", len(a.changeSets), shown)
	}
	for i, form := range a.changeSets {
		t.Run(fmt.Sprintf("deployment %d", i+1), func(t *testing.T) { a.checkChangeSet(t, form, parameters) })
	}
}

// deploy returns sam deploy in a shell that has credentials, as after aws configure.
func (a *account) deploy(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := command(ctx, dir, "sam", append([]string{"deploy"}, args...)...)
	cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL="+a.url, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=made-up",
		"AWS_REGION=", "AWS_DEFAULT_REGION=eu-central-1", "AWS_REQUEST_CHECKSUM_CALCULATION=when_required", "TERM=dumb")
	return cmd
}

// defaults returns the parameters of template.yaml in their order.
func defaults(t *testing.T) (all []parameter) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Parameters yaml.Node `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(template.Parameters.Content); i += 2 {
		var p struct {
			Default *string `yaml:"Default"`
		}
		name := template.Parameters.Content[i].Value
		if err := template.Parameters.Content[i+1].Decode(&p); err != nil || p.Default == nil {
			t.Fatalf("parameter %s has no default: %v", name, err)
		}
		all = append(all, parameter{name, *p.Default})
	}
	return all
}

// asked returns the questions of sam deploy --guided. Of a yes or no the default is in capitals.
func asked(parameters []parameter) []string {
	questions := []string{"Stack Name [procore-connect]", "AWS Region [eu-central-1]"}
	for _, p := range parameters {
		questions = append(questions, fmt.Sprintf("Parameter %s [%s]", p.name, p.value))
	}
	return append(questions, "Confirm changes before deploy [y/N]", "Allow SAM CLI IAM role creation [Y/n]", "Disable rollback [y/N]",
		"Save arguments to configuration file [Y/n]", "SAM configuration file [samconfig.toml]", "SAM configuration environment [default]")
}

func (a *account) checkChangeSet(t *testing.T, form url.Values, parameters []parameter) {
	t.Helper()
	var got []parameter
	for i := 1; ; i++ {
		prefix := fmt.Sprintf("Parameters.member.%d.Parameter", i)
		if !form.Has(prefix + "Key") {
			break
		}
		got = append(got, parameter{form.Get(prefix + "Key"), form.Get(prefix + "Value")})
	}
	if d := cmp.Diff(got, parameters, cmp.AllowUnexported(parameter{})); d != "" {
		t.Errorf("parameters (-got +want):\n%s", d)
	}
	for key, want := range map[string]string{
		"StackName": "procore-connect", "ChangeSetType": "CREATE", "Capabilities.member.1": "CAPABILITY_IAM", "Capabilities.member.2": "",
		"Tags.member.1.Key": "app", "Tags.member.1.Value": "procore-connect",
	} {
		if got := form.Get(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	address, err := url.Parse(form.Get("TemplateURL"))
	if err != nil {
		t.Fatal(err)
	}
	text := a.objects[strings.TrimPrefix(address.Path, "/")]
	if len(text) == 0 || len(text) > mostTemplateBytes {
		t.Errorf("the template at %s has %d bytes, want from 1 to %d", address, len(text), mostTemplateBytes)
	}
	t.Logf("%d bytes of template, %d objects uploaded", len(text), len(a.objects))
	if n := strings.Count(string(text), "CodeUri: s3://"+bucket+"/procore-connect/"); n != 10 {
		t.Errorf("the template names the uploaded code of %d functions, want 10", n)
	}
}
