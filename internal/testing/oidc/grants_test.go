package oidc_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/dynamotest"
)

type item = map[string]types.AttributeValue

// rows reads all grants.
func (w *world) rows(t *testing.T) map[int64]item {
	t.Helper()
	out, err := dynamotest.Client(w.AWSURL).Scan(t.Context(), &dynamodb.ScanInput{TableName: &w.spec.Grants, ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	all := map[int64]item{}
	for _, row := range out.Items {
		if user, ok := strings.CutPrefix(value(row["grant"]), "custom#user#"); ok {
			id, err := strconv.ParseInt(user, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			all[id] = row
		}
	}
	return all
}

func value(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// age makes each grant's last refresh one of an hour ago: the protocol does not refresh a grant twice within a minute.
// Nothing else changes, above all not the pair. No process uses the grants at this time.
func (w *world) age(t *testing.T) {
	t.Helper()
	db, then := dynamotest.Client(w.AWSURL), strconv.FormatInt(time.Now().Add(-time.Hour).Unix(), 10)
	for _, row := range w.rows(t) {
		if _, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &w.spec.Grants, Key: item{"grant": row["grant"]}, UpdateExpression: aws.String("SET refreshed_at = :then"),
			ExpressionAttributeValues: item{":then": &types.AttributeValueMemberN{Value: then}},
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// uncertain returns the users whose refresh token was sent, or claimed to be sent, and who have no answer.
func (w *world) uncertain(t *testing.T) (ids []int64) {
	t.Helper()
	for id, row := range w.rows(t) {
		if _, claimed := row["claim_until_ms"]; claimed || value(row["state"]) != "active" {
			ids = append(ids, id)
		}
	}
	return ids
}
