package sam_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const (
	bucket   = "aws-sam-cli-managed-default-samclisourcebucket-abc"
	executor = "arn:aws:iam::123456789012:role/github/executor"
)

// An awsDeployment answers sam deploy as CloudFormation and S3 do for a stack that exists, and records what each call needs.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html
type awsDeployment struct {
	mu       sync.Mutex
	needed   map[string]bool
	created  url.Values // the parameters of CreateChangeSet
	executed bool
}

func (d *awsDeployment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case r.Method == http.MethodHead: // without ListBucket a missing object is 403
		d.need("s3:GetObject", "s3:ListBucket")
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/"+bucket+"/procore-connect/"):
		d.need("s3:PutObject")
		w.Header().Set("ETag", `"x"`)
	case r.Method == http.MethodPost && r.ParseForm() == nil && r.Form.Get("Action") != "":
		action := r.Form.Get("Action")
		d.need("cloudformation:" + action)
		answer(w, action, d.result(action, r.Form))
	default:
		http.Error(w, "not expected: "+r.Method+" "+r.URL.Path, http.StatusBadRequest)
	}
}

// answer writes what the query protocol answers.
func answer(w http.ResponseWriter, action, result string) {
	fmt.Fprintf(w, `<%[1]sResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>`, action, result)
}

func (d *awsDeployment) need(actions ...string) {
	for _, a := range actions {
		d.needed[a] = true
	}
}

func (d *awsDeployment) result(action string, form url.Values) string {
	const id = "arn:aws:cloudformation:us-east-1:123456789012:stack/procore-connect/1"
	member := func(content string) string { return "<member>" + content + "</member>" }
	switch action {
	case "DescribeStacks":
		return "<Stacks>" + member("<StackName>"+form.Get("StackName")+"</StackName><CreationTime>2026-01-31T12:00:00Z</CreationTime>"+
			"<StackStatus>UPDATE_COMPLETE</StackStatus><Tags>"+member("<Key>ManagedStackSource</Key><Value>AwsSamCli</Value>")+"</Tags>"+
			"<Outputs>"+member("<OutputKey>SourceBucket</OutputKey><OutputValue>"+bucket+"</OutputValue>")+"</Outputs>") + "</Stacks>"
	case "GetTemplateSummary":
		return "<Parameters/>"
	case "CreateChangeSet":
		d.created = form
		d.need("iam:PassRole", "cloudformation:TagResource", "cloudformation:UntagResource") // of the stack's tags that changed
		return "<Id>arn:aws:cloudformation:us-east-1:123456789012:changeSet/c/1</Id><StackId>" + id + "</StackId>"
	case "DescribeChangeSet":
		return "<Status>CREATE_COMPLETE</Status><Changes>" + member("<Type>Resource</Type><ResourceChange><Action>Modify</Action>"+
			"<LogicalResourceId>GrantsTable</LogicalResourceId><ResourceType>AWS::DynamoDB::Table</ResourceType></ResourceChange>") + "</Changes>"
	case "ExecuteChangeSet":
		d.executed = true
	case "DescribeStackEvents":
		at := "2026-01-31T12:00:00Z"
		if d.executed {
			at = "2099-01-31T12:00:00Z"
		}
		return "<StackEvents>" + member("<EventId>"+at+"</EventId><StackName>procore-connect</StackName><StackId>"+id+"</StackId>"+
			"<LogicalResourceId>procore-connect</LogicalResourceId><PhysicalResourceId>"+id+"</PhysicalResourceId>"+
			"<ResourceType>AWS::CloudFormation::Stack</ResourceType><Timestamp>"+at+"</Timestamp><ResourceStatus>UPDATE_COMPLETE</ResourceStatus>") +
			"</StackEvents>"
	}
	return ""
}

// deployScript returns the script of .github/workflows/deploy.yml that deploys.
func deployScript(t *testing.T) string {
	t.Helper()
	var w struct {
		Jobs map[string]struct{ Steps []struct{ Run string } }
	}
	text, err := os.ReadFile(filepath.Join(root, ".github/workflows/deploy.yml"))
	if err == nil {
		err = yaml.Unmarshal(text, &w)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range w.Jobs["deploy"].Steps {
		if strings.HasPrefix(step.Run, "sam deploy") {
			return step.Run
		}
	}
	t.Fatal("deploy.yml has no sam deploy")
	return ""
}

// The workflow's sam deploy needs what the deploy role of .github/deploy-role.yaml allows, and uses all of that. It passes the
// role of CloudFormation, and asks no question.
func TestSAMDeploy(t *testing.T) {
	t.Parallel()
	needsSAM(t)
	dir := t.TempDir()
	for _, name := range []string{"template.yaml", "samconfig.toml"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if name == "samconfig.toml" {
			// What sam deploy --guided adds to the last part of the file, besides parameters.
			text = append(text, "s3_prefix = \"procore-connect\"\nconfirm_changeset = true\n"...)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	aws := &awsDeployment{needed: make(map[string]bool)}
	server := httptest.NewServer(aws)
	t.Cleanup(server.Close)
	cmd := command(t.Context(), dir, "bash", "-e", "-c", deployScript(t))
	cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID=any", "AWS_SECRET_ACCESS_KEY=any",
		"CONFIG_ENV=default", "AWS_CLOUDFORMATION_ROLE="+executor)
	output(t, cmd)

	if got := aws.created.Get("RoleARN"); got != executor || !aws.executed {
		t.Errorf("a change set with the role %q, executed: %t", got, aws.executed)
	}
	text, err := os.ReadFile(filepath.Join(root, ".github/deploy-role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, role, _ := strings.Cut(string(text), "\n  DeployRole:\n")
	role, _, _ = strings.Cut(role, "\n  CloudFormationRole:\n")
	_, role, _ = strings.Cut(role, "\n      Policies:\n")
	role = regexp.MustCompile(`(?m)#.*|^\s+(cloudformation:RoleArn|iam:PassedToService|aws:ResourceAccount):.*`).ReplaceAllString(role, "")
	var want []string
	for _, m := range regexp.MustCompile(`[\s\[](cloudformation|s3|iam):[A-Z]\w+`).FindAllString(role, -1) {
		want = append(want, m[1:])
	}
	var got []string
	for a := range aws.needed {
		got = append(got, a)
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(got, slices.Compact(want)); d != "" {
		t.Errorf("needed - allowed +:\n%s", d)
	}
}
