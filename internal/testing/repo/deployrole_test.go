package repo

import (
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func deployRole(t *testing.T) node {
	t.Helper()
	n, err := parseYAML(read(t, ".github/deploy-role.yaml"))
	if err != nil {
		t.Fatalf(".github/deploy-role.yaml: %v", err)
	}
	return n
}

// statements returns the statements of a policy of .github/deploy-role.yaml, also those of a condition that holds.
func statements(t *testing.T, document node) (all []node) {
	t.Helper()
	for _, s := range items(get(document, "Statement")) {
		if f, ok := s.(tagged); ok && f.tag == "If" {
			s = items(f.value)[1]
		}
		if keysOf(s) == nil {
			t.Fatalf("not a statement: %v", s)
		}
		all = append(all, s)
	}
	if all == nil {
		t.Fatalf("no statements in %v", document)
	}
	return all
}

// managed returns the statements of a managed policy of .github/deploy-role.yaml.
func managed(t *testing.T, name string) []node {
	t.Helper()
	return statements(t, get(deployRole(t), "Resources", name, "Properties", "PolicyDocument"))
}

// allowed reports whether one of the statements allows the action, on some resource.
func allowed(all []node, action string) bool {
	return slices.ContainsFunc(all, func(s node) bool {
		return text(get(s, "Effect")) == "Allow" && slices.ContainsFunc(texts(get(s, "Action")), func(pattern string) bool {
			ok, _ := path.Match(pattern, action)
			return ok
		})
	})
}

// The deploy role trusts the jobs of one environment and one branch of one repository, and none that only resemble them.
func TestDeployRoleTrustsOneEnvironment(t *testing.T) {
	t.Parallel()
	trust := statements(t, get(deployRole(t), "Resources", "DeployRole", "Properties", "AssumeRolePolicyDocument"))
	if len(trust) != 1 {
		t.Fatalf("%d statements", len(trust))
	}
	const issuer = "token.actions.githubusercontent.com"
	want := &mapping{[]string{"StringEquals"}, map[string]node{"StringEquals": &mapping{
		[]string{issuer + ":aud", issuer + ":sub", issuer + ":ref"},
		map[string]node{
			issuer + ":aud": "sts.amazonaws.com",
			issuer + ":sub": tagged{"Sub", "repo:${Repository}:environment:${Environment}"},
			issuer + ":ref": tagged{"If", list{"HasBranch", tagged{"Sub", "refs/heads/${Branch}"}, tagged{"Ref", "AWS::NoValue"}}},
		},
	}}}
	if d := cmp.Diff(get(trust[0], "Condition"), node(want), cmp.AllowUnexported(mapping{}, tagged{})); d != "" {
		t.Errorf("condition (-got +want):\n%s", d)
	}
	parameters := get(deployRole(t), "Parameters")
	for name, values := range map[string]struct{ good, bad []string }{
		"Repository":  {[]string{"you/procore-connect", "you@12/procore-connect@345"}, []string{"you", "*/procore-connect", "you/a:environment:sandbox", "you/*"}},
		"Environment": {[]string{"sandbox", "production"}, []string{"", "*", "a:b"}},
		"Branch":      {[]string{"", "main", "release/1.2"}, []string{"*", "ma?n"}},
		"StackName":   {[]string{"procore-connect"}, []string{"*", "", "a-name-of-twenty-five-long"}},
	} {
		pattern := regexp.MustCompile(text(get(parameters, name, "AllowedPattern")))
		for _, v := range values.good {
			if !pattern.MatchString(v) {
				t.Errorf("%s refuses %q", name, v)
			}
		}
		for _, v := range values.bad {
			if pattern.MatchString(v) {
				t.Errorf("%s accepts %q", name, v)
			}
		}
	}
}

// What a workflow can change of IAM stays within the boundary, and it cannot change the boundary or the roles that it has itself.
func TestDeployRoleCannotGrantItselfMore(t *testing.T) {
	t.Parallel()
	n := deployRole(t)
	for name, want := range map[string]string{"DeployRole": "/github/", "CloudFormationRole": "/github/", "Boundary": "/github/", "ComputePolicy": "/github/", "StoragePolicy": "/github/"} {
		if got := text(get(n, "Resources", name, "Properties", "Path")); got != want {
			t.Errorf("%s has the path %q, want %q", name, got, want)
		}
	}
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
	bounded := []string{"iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"}
	for _, s := range append(managed(t, "ComputePolicy"), managed(t, "StoragePolicy")...) {
		actions := texts(get(s, "Action"))
		ours := func(r string) bool {
			return strings.Contains(r, ":role/${StackName}-*Role-*") || strings.Contains(r, ":policy/${StackName}-*Policy-*") || strings.Contains(r, ":role/aws-service-role/")
		}
		for _, action := range actions {
			switch {
			case strings.Contains(action, "*") && !strings.HasPrefix(action, "kms:"):
				t.Errorf("%s is a pattern", action)
			case !strings.HasPrefix(action, "iam:"):
			case slices.Contains([]string{"iam:DeleteRolePermissionsBoundary", "iam:AttachUserPolicy", "iam:PutUserPolicy"}, action):
				t.Errorf("%s is allowed", action)
			case slices.ContainsFunc(texts(get(s, "Resource")), func(r string) bool { return !ours(r) }):
				t.Errorf("%s is allowed on %v", action, texts(get(s, "Resource")))
			case slices.Contains(bounded, action):
				if got := get(s, "Condition", "StringEquals", "iam:PermissionsBoundary"); !cmp.Equal(got, node(tagged{"Ref", "Boundary"}), cmp.AllowUnexported(tagged{})) {
					t.Errorf("%s without the boundary", action)
				}
			case action == "iam:PassRole" && len(texts(get(s, "Condition", "StringEquals", "iam:PassedToService"))) == 0:
				t.Error("a role may be passed to any service")
			}
		}
	}
	for _, s := range managed(t, "Boundary") {
		for _, action := range texts(get(s, "Action")) {
			if service, _, _ := strings.Cut(action, ":"); slices.Contains([]string{"iam", "sts", "cloudformation", "s3"}, service) {
				t.Errorf("the boundary allows %s", action)
			}
		}
	}
}

// Within the boundary a function can do everything that its role in template.yaml allows.
func TestBoundaryAllowsTheRoles(t *testing.T) {
	t.Parallel()
	boundary := managed(t, "Boundary")
	n := template(t)
	for _, kind := range []string{"AWS::IAM::Role", "AWS::IAM::ManagedPolicy"} {
		for _, name := range ofType(t, n, kind) {
			properties := get(n, "Resources", name, "Properties")
			documents := list{get(properties, "PolicyDocument")}
			if kind == "AWS::IAM::Role" {
				documents = nil
				for _, policy := range items(get(properties, "Policies")) {
					documents = append(documents, get(policy, "PolicyDocument"))
				}
			}
			for _, document := range documents {
				for _, s := range statements(t, document) {
					for _, action := range texts(get(s, "Action")) {
						if !allowed(boundary, action) {
							t.Errorf("%s may %s, which the boundary refuses", name, action)
						}
					}
				}
			}
		}
	}
}

// The deploy role knows the names that template.yaml gives itself; CloudFormation generates the others.
func TestDeployRoleKnowsTheNames(t *testing.T) {
	t.Parallel()
	n, role := template(t), strings.NewReplacer("${AWS::StackName}", "${StackName}", "/http-api", "/*")
	for resource, property := range map[string]string{"AccessLog": "LogGroupName", "Dashboard": "DashboardName"} {
		name, _ := get(n, "Resources", resource, "Properties", property).(tagged)
		want := role.Replace(text(name.value))
		if !slices.ContainsFunc(managed(t, "StoragePolicy"), func(s node) bool {
			return slices.ContainsFunc(texts(get(s, "Resource")), func(r string) bool { return strings.HasSuffix(r, ":"+want) || strings.HasSuffix(r, "/"+want) })
		}) {
			t.Errorf("no resource of the deploy role is %s, the name of %s", want, resource)
		}
	}
}

// What template.yaml retains when its stack is deleted, a workflow cannot delete either.
func TestDeployRoleCannotDeleteWhatIsRetained(t *testing.T) {
	t.Parallel()
	n := template(t)
	var want []string
	for _, name := range keysOf(get(n, "Resources")) {
		if strings.HasPrefix(text(get(n, "Resources", name, "DeletionPolicy")), "Retain") {
			want = append(want, name)
		}
	}
	var got []string
	for _, s := range managed(t, "StoragePolicy") {
		if text(get(s, "Effect")) != "Deny" {
			continue
		}
		for _, r := range texts(get(s, "Resource")) {
			got = append(got, regexp.MustCompile(`([A-Za-z]+)-\*$`).FindStringSubmatch(r)[1])
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("denied - retained +:\n%s", d)
	}
}

// A managed policy may have 6,144 characters, spaces not counted.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func TestDeployRolePoliciesAreSmallEnough(t *testing.T) {
	t.Parallel()
	for _, name := range ofType(t, deployRole(t), "AWS::IAM::ManagedPolicy") {
		var size int
		for _, s := range managed(t, name) {
			size += len(`{"Effect":"Allow","Action":[],"Resource":[],"Condition":{"StringEquals":{"":""}}},`)
			for _, key := range []string{"Action", "Resource", "Condition"} {
				for _, v := range leaves(get(s, key)) {
					size += len(strings.NewReplacer("${AWS::Partition}", "aws-us-gov", "${AWS::Region}", "ap-southeast-99", "${AWS::AccountId}", "123456789012",
						"${StackName}", strings.Repeat("s", 24)).Replace(v)) + len(`"",`)
				}
			}
		}
		t.Logf("%s: %d characters", name, size)
		if size > 6144 {
			t.Errorf("%s has %d characters, 6,144 are allowed", name, size)
		}
	}
}

// leaves returns the texts of a node, keys included.
func leaves(n node) (all []string) {
	if m, ok := n.(*mapping); ok {
		for _, key := range m.keys {
			all = append(append(all, key), leaves(m.values[key])...)
		}
		return all
	}
	return texts(n)
}

// unneeded are permissions that CloudFormation's handlers list for what template.yaml does not use.
var unneeded = map[string]string{
	`^(ec2|elasticfilesystem|s3files):`:                                                                       "a function in a VPC, with a file system",
	`^lambda:(PassCapacityProvider|AssociateRuntimeAlias)$`:                                                   "managed instances",
	`^lambda:(GetCodeSigningConfig|(Put|Delete)FunctionCodeSigningConfig)$`:                                   "signed code",
	`^lambda:(Put|Delete)(Provisioned|FunctionRecursion|FunctionScaling|RuntimeManagement)\w*$`:               "provisioned concurrency, recursion, scaling and runtime settings",
	`^lambda:GetLayerVersion$`:                                                                                "layers",
	`^(kinesis|firehose):`:                                                                                    "streams of Kinesis",
	`^dynamodb:(ImportTable|DescribeImport|BatchWriteItem|DeleteItem|GetItem|PutItem|Query|Scan|UpdateItem)$`: "import and replicas",
	`^dynamodb:(Associate|Create)\w*Replica$`:                                                                 "replicas",
	`^dynamodb:(Enable|Disable|Update)Kinesis\w*$`:                                                            "streams of Kinesis",
	`^dynamodb:(Put|Delete)ResourcePolicy$`:                                                                   "policies of tables",
	`^dynamodb:UpdateContributorInsights$`:                                                                    "contributor insights",
	`^iam:\w*(Group|User)Policy$`:                                                                             "policies of users and groups",
	`^iam:DeleteRolePermissionsBoundary$`:                                                                     "a role keeps its boundary",
	`^kms:(ListAliases|RevokeGrant)$`:                                                                         "aliases; a grant ends with what it is for",
	`^s3:`:                                                                                                    "an API from a file; code is allowed by its bucket",
	`^logs:(CreateLogStream|DescribeLogStreams|PutLogEvents)$`:                                                "import into a table",
	`^logs:(Put|Delete)(DataProtectionPolicy|IndexPolicy|BearerTokenAuthentication|LogGroupDeletionProtection)$`: "masking, indexes and tokens of log groups",
	`^logs:DeleteResourcePolicy$`:             "policies of log groups",
	`^secretsmanager:\w*Replicat\w*$`:         "secrets in other regions",
	`^sns:PutDataProtectionPolicy$`:           "masking of messages",
	`^codedeploy:RegisterOnPremisesInstance$`: "servers",
	`^apigateway:TagResource$`:                "no action of IAM; POST and PUT tag",
	`^apigateway:UntagResource$`:              "no action of IAM; DELETE removes tags",
	`^iam:CreateServiceLinkedRole$`:           "replicas; the API's is allowed",
}

// CloudFormation's role allows what CloudFormation does to resources like those of template.yaml, as the schemas in cfn-lint
// list it. make lint-template runs this.
//
// https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
func TestDeployRoleDoesWhatCloudFormationNeeds(t *testing.T) {
	t.Parallel()
	lint := os.Getenv("CFN_LINT")
	if lint == "" {
		t.Skip("needs the schemas of cfn-lint: make lint-template")
	}
	all := append(managed(t, "ComputePolicy"), managed(t, "StoragePolicy")...)
	used := make(map[string]bool)
	for kind, actions := range handlers(t, lint) {
		for _, action := range actions {
			pattern := ""
			for p := range unneeded {
				if regexp.MustCompile(p).MatchString(action) {
					pattern = p
				}
			}
			switch {
			case pattern != "":
				used[pattern] = true
			case !allowed(all, action):
				t.Errorf("%s needs %s", kind, action)
			}
		}
	}
	for p := range unneeded {
		if !used[p] {
			t.Errorf("no handler lists %s any more", p)
		}
	}
}

// handlers returns the actions that create, read, update and delete a resource, for each type of template.yaml.
func handlers(t *testing.T, lint string) map[string][]string {
	t.Helper()
	n := template(t)
	// SAM makes these of a function, its events, and how it is rolled out, or may do so.
	actions := map[string][]string{
		"AWS::Lambda::Function": nil, "AWS::Lambda::EventInvokeConfig": nil, "AWS::Lambda::Version": nil, "AWS::Lambda::Alias": nil,
		"AWS::CodeDeploy::Application": nil, "AWS::CodeDeploy::DeploymentGroup": nil,
		"AWS::Lambda::EventSourceMapping": nil, "AWS::Lambda::Permission": nil, "AWS::Scheduler::Schedule": nil,
		"AWS::AppConfig::Application": nil, "AWS::AppConfig::ConfigurationProfile": nil, "AWS::AppConfig::HostedConfigurationVersion": nil,
	}
	for _, name := range keysOf(get(n, "Resources")) {
		if kind := text(get(n, "Resources", name, "Type")); !strings.HasPrefix(kind, "AWS::Serverless::") {
			actions[kind] = nil
		}
	}
	files, err := filepath.Glob(filepath.Join(lint, "cfnlint/data/schemas/resources/*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no schemas in %s: %v", lint, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var schema struct {
			TypeName string
			Handlers map[string]struct{ Permissions []string }
		}
		if err := json.Unmarshal(b, &schema); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if _, ok := actions[schema.TypeName]; !ok {
			continue
		}
		for _, handler := range []string{"create", "read", "update", "delete"} {
			actions[schema.TypeName] = append(actions[schema.TypeName], schema.Handlers[handler].Permissions...)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(actions)) {
		if actions[kind] == nil {
			t.Errorf("cfn-lint has no handlers of %s", kind)
		}
		slices.Sort(actions[kind])
		actions[kind] = slices.Compact(actions[kind])
	}
	return actions
}
