package stack_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/stack"
)

// pass makes the company's hook due, and lets housekeeping reconcile it.
func pass(t *testing.T, s *stack.Stack, db *dynamodb.Client, company int64) error {
	t.Helper()
	now := &types.AttributeValueMemberN{Value: fmt.Sprint(time.Now().Unix())}
	out, err := db.Query(t.Context(), &dynamodb.QueryInput{
		TableName: aws.String("connections"), KeyConditionExpression: aws.String("company = :c"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":c": &types.AttributeValueMemberS{Value: fmt.Sprintf("custom#%d", company)}},
	})
	if err != nil || len(out.Items) == 0 {
		t.Fatalf("the connections of company %d: %v, %v", company, out, err)
	}
	for _, item := range out.Items {
		if principal, ok := item["principal"].(*types.AttributeValueMemberS); !ok || !strings.HasPrefix(principal.Value, "user#") {
			continue // the hook's own row, and that of reconciliation
		}
		_, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String("connections"), Key: map[string]types.AttributeValue{"company": item["company"], "principal": item["principal"]},
			UpdateExpression: aws.String("SET check_at = :now"), ExpressionAttributeValues: map[string]types.AttributeValue{":now": now},
			ConditionExpression: aws.String("attribute_exists(check_shard)"),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.Invoke(t.Context(), "refresher", []byte(`{"task":"housekeeping"}`))
	return err
}
