package repo

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keyed maps a type that stores what companies send to the property with its key.
var keyed = map[string]string{
	"AWS::DynamoDB::Table": "SSESpecification", "AWS::SecretsManager::Secret": "KmsKeyId", "AWS::SQS::Queue": "KmsMasterKeyId",
	"AWS::SNS::Topic": "KmsMasterKeyId", "AWS::Logs::LogGroup": "KmsKeyId",
}

// With KmsKeyArn everything that is stored is under that key. A queue has one kind of encryption. Without it a topic of
// connections is under SNS's own key; that of alarms cannot be, because CloudWatch may not use that.
func TestKey(t *testing.T) {
	t.Parallel()
	n := template(t)
	for kind, property := range keyed {
		for _, name := range ofType(t, n, kind) {
			p := get(n, "Resources", name, "Properties")
			with, without := either(t, get(p, property))
			if kind == "AWS::DynamoDB::Table" {
				if text(get(with, "SSEEnabled")) != "true" || text(get(with, "SSEType")) != "KMS" {
					t.Errorf("%s: %v", name, with)
				}
				with = get(with, "KMSMasterKeyId")
			}
			if with != node(tagged{"Ref", "KmsKeyArn"}) {
				t.Errorf("with a key %s is under %v", name, with)
			}
			var want node = tagged{"Ref", "AWS::NoValue"}
			if name == "ConnectionsTopic" {
				want = "alias/aws/sns"
			}
			if without != want {
				t.Errorf("without a key %s is under %v, want %v", name, without, want)
			}
			if kind == "AWS::SQS::Queue" {
				if with, without := either(t, get(p, "SqsManagedSseEnabled")); with != node(tagged{"Ref", "AWS::NoValue"}) || without != node("true") {
					t.Errorf("SqsManagedSseEnabled of %s is %v with a key, and %v without", name, with, without)
				}
			}
		}
	}
	for _, s := range items(get(n, "Resources", "FunctionPolicy", "Properties", "PolicyDocument", "Statement")) {
		if f, ok := s.(tagged); ok && f.tag == "If" {
			statement, _ := either(t, s)
			want := []string{"dynamodb.${AWS::Region}.amazonaws.com", "secretsmanager.${AWS::Region}.amazonaws.com", "sqs.${AWS::Region}.amazonaws.com", "sns.${AWS::Region}.amazonaws.com"}
			if d := cmp.Diff(texts(get(statement, "Condition", "StringEquals", "kms:ViaService")), want); d != "" {
				t.Errorf("services through which functions use the key (-got +want):\n%s", d)
			}
		}
	}
}

// either returns both values of an If on HasKey.
func either(t *testing.T, n node) (with, without node) {
	t.Helper()
	f, ok := n.(tagged)
	if of := items(f.value); ok && f.tag == "If" && len(of) == 3 && text(of[0]) == "HasKey" {
		return of[1], of[2]
	}
	t.Errorf("%v does not depend on HasKey", n)
	return nil, nil
}

// The key's policy lets CloudWatch Logs use the key for each log group of the template, and alarms publish. Everyone else
// needs a right in IAM.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
func TestKeyPolicy(t *testing.T) {
	t.Parallel()
	var policy struct {
		Statement []struct {
			Sid       string
			Principal map[string]string
			Condition map[string]map[string]any
		}
	}
	if err := json.Unmarshal([]byte(read(t, "docs/policies/kms-key.json")), &policy); err != nil {
		t.Fatal(err)
	}
	principals := make(map[string]string)
	var groups []any
	for _, s := range policy.Statement {
		principals[s.Sid] = s.Principal["AWS"] + s.Principal["Service"]
		if s.Sid == "Logs" {
			groups, _ = s.Condition["ArnLike"]["kms:EncryptionContext:aws:logs:arn"].([]any)
		}
		if s.Sid != "Account" && s.Condition == nil {
			t.Errorf("%s may use the key for other accounts too", s.Sid)
		}
	}
	if d := cmp.Diff(principals, map[string]string{
		"Account": "arn:${Partition}:iam::${Account}:root", "Logs": "logs.${Region}.amazonaws.com", "Alarms": "cloudwatch.amazonaws.com",
	}); d != "" {
		t.Errorf("who may use the key (-got +want):\n%s", d)
	}
	n := template(t)
	for _, name := range ofType(t, n, "AWS::Logs::LogGroup") {
		group := "${Stack}-" + name + "-1A2B3C" // as CloudFormation names it
		if f, ok := get(n, "Resources", name, "Properties", "LogGroupName").(tagged); ok {
			group = strings.ReplaceAll(text(f.value), "${AWS::StackName}", "${Stack}")
		}
		arn := "arn:${Partition}:logs:${Region}:${Account}:log-group:" + group
		if !slices.ContainsFunc(groups, func(pattern any) bool {
			// A group's name may have slashes, which * of IAM matches and that of path does not.
			flat := strings.NewReplacer("/", "|", "$", "").Replace
			ok, err := path.Match(flat(pattern.(string)), flat(arn))
			return ok && err == nil
		}) {
			t.Errorf("CloudWatch Logs may not use the key for %s", arn)
		}
	}
}
