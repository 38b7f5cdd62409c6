package dynamotest_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		fault   dynamotest.Fault
		want    string // code; "lost" stands for no answer
		applied bool
	}{
		{"none", dynamotest.Fault{}, "", true},
		{"throttled", dynamotest.Fault{Code: "ProvisionedThroughputExceededException"}, "ProvisionedThroughputExceededException", false},
		{"failed", dynamotest.Fault{Code: "InternalServerError"}, "InternalServerError", false},
		{"failed after applying", dynamotest.Fault{Code: "InternalServerError", Applied: true}, "InternalServerError", true},
		{"request lost", dynamotest.Fault{Drop: true}, "lost", false},
		{"answer lost", dynamotest.Fault{Drop: true, Applied: true}, "lost", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, f, _ := ownServer(t)
			server.Intercept(dynamotest.Nth(2, "PutItem", test.fault))
			put := func(pk string) error {
				_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table, Item: key(pk, 1)})
				return err
			}
			wantCode(t, put("first"), "")
			err := put("second")
			_, answered := errors.AsType[smithy.APIError](err)
			if test.want == "lost" {
				if err == nil || answered {
					t.Errorf("got %v, want no answer", err)
				}
			} else {
				wantCode(t, err, test.want)
			}
			wantCode(t, put("third"), "")
			if got := f.get("second", 1) != nil; got != test.applied {
				t.Errorf("applied: %t, want %t", got, test.applied)
			}
		})
	}
}

func TestTransactionConflictByInterceptor(t *testing.T) {
	t.Parallel()
	server, f, _ := ownServer(t)
	server.Intercept(func(operation string, body []byte) dynamotest.Fault {
		if operation == "TransactWriteItems" && len(body) > 0 {
			return dynamotest.Fault{Reasons: []string{"TransactionConflict", "None"}}
		}
		return dynamotest.Fault{}
	})
	err := f.transact(f.putOf(plain{"pk": "a", "sk": 1}, nil), f.putOf(plain{"pk": "b", "sk": 1}, nil))
	failed, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		t.Fatalf("got %v, want a TransactionCanceledException", err)
	}
	if diff := cmp.Diff(*failed.CancellationReasons[0].Code, "TransactionConflict"); diff != "" {
		t.Errorf("reason, got - want +:\n%s", diff)
	}
	server.Intercept(nil)
	if err := f.transact(f.putOf(plain{"pk": "a", "sk": 1}, missing)); err != nil {
		t.Errorf("after the interceptor has gone: %v", err)
	}
}
