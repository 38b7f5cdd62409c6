package awstest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/awstest"
)

// The caller, the action and the resource that IAM would check.
func TestWatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, target, body string
		want               []awstest.Call
	}{
		{"item", "DynamoDB_20120810.GetItem", `{"TableName":"a","Key":{"company":{"S":"sandbox#5678"},"principal":{"S":"app"}}}`,
			[]awstest.Call{{"f", "dynamodb:GetItem", "a", "sandbox#5678"}}},
		{"index", "DynamoDB_20120810.Query", `{"TableName":"a","IndexName":"due"}`, []awstest.Call{{"f", "dynamodb:Query", "a/index/due", ""}}},
		{"a spent token's grant is not the partition", "DynamoDB_20120810.PutItem",
			`{"TableName":"a","Item":{"grant":{"S":"sandbox#app"},"ttl":{"N":"1"},"fingerprint":{"S":"f1"},"names":{"SS":["a"]}}}`,
			[]awstest.Call{{"f", "dynamodb:PutItem", "a", "f1"}}},
		{"grant", "DynamoDB_20120810.UpdateItem", `{"TableName":"a","Key":{"grant":{"S":"sandbox#app"}}}`,
			[]awstest.Call{{"f", "dynamodb:UpdateItem", "a", "sandbox#app"}}},
		{"transaction", "DynamoDB_20120810.TransactWriteItems", `{"TransactItems":[{"Update":{"TableName":"a"}},{"Put":{"TableName":"b"}},
			{"Delete":{"TableName":"c"}},{"ConditionCheck":{"TableName":"d"}}]}`, []awstest.Call{
			{"f", "dynamodb:UpdateItem", "a", ""}, {"f", "dynamodb:PutItem", "b", ""},
			{"f", "dynamodb:DeleteItem", "c", ""}, {"f", "dynamodb:ConditionCheckItem", "d", ""},
		}},
		{"restore", "DynamoDB_20120810.RestoreTableToPointInTime", `{"SourceTableName":"a","TargetTableName":"b"}`, []awstest.Call{
			{"f", "dynamodb:RestoreTableToPointInTime", "a", ""}, {"f", "dynamodb:BatchWriteItem", "b", ""}, {"f", "dynamodb:DeleteItem", "b", ""},
			{"f", "dynamodb:GetItem", "b", ""}, {"f", "dynamodb:PutItem", "b", ""}, {"f", "dynamodb:Query", "b", ""},
			{"f", "dynamodb:Scan", "b", ""}, {"f", "dynamodb:UpdateItem", "b", ""},
		}},
		{"secret", "secretsmanager.GetSecretValue", `{"SecretId":"local/app"}`, []awstest.Call{{"f", "secretsmanager:GetSecretValue", "local/app", ""}}},
		{"queue", "AmazonSQS.SendMessage", `{"QueueUrl":"http://127.0.0.1:8000/000000000000/rescue","MessageBody":"m"}`,
			[]awstest.Call{{"f", "sqs:SendMessage", "rescue", ""}}},
		{"not understood", "AmazonSQS.SendMessage", `{`, nil},
		{"another service", "S3.GetObject", `{}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []awstest.Call
			read := ""
			s := &awstest.Services{
				Watch: func(c awstest.Call) { got = append(got, c) },
				DynamoDB: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					b, err := io.ReadAll(r.Body)
					if err != nil {
						t.Error(err)
					}
					read = string(b)
				}),
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(tt.body))
			r.Header.Set("X-Amz-Target", tt.target)
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=f/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
			s.ServeHTTP(httptest.NewRecorder(), r)
			if d := cmp.Diff(got, tt.want); d != "" {
				t.Errorf("calls (-got +want):\n%s", d)
			}
			if strings.HasPrefix(tt.target, "DynamoDB") && read != tt.body {
				t.Errorf("the service reads %q, want the original body", read)
			}
		})
	}
}
