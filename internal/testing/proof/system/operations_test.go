package system

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procoretest"
)

// TestNextVersion checks what the next version of the code adds to requests, and that it
// leaves the requests of the caller as they are.
func TestNextVersion(t *testing.T) {
	t.Parallel()
	item := simulation.Item{"grant": &types.AttributeValueMemberS{Value: "custom#app"}}
	put := extended(&dynamodb.PutItemInput{Item: item}).(*dynamodb.PutItemInput) //nolint:forcetypeassert // it is the request's
	if put.Item[nextAttribute] == nil || item[nextAttribute] != nil {
		t.Errorf("the items are %v, and before %v", put.Item, item)
	}
	for before, want := range map[string]string{
		"SET a = :a REMOVE b": "SET next_version = :next_version, a = :a REMOVE b",
		"REMOVE b":            "SET next_version = :next_version REMOVE b",
	} {
		if got, values := extendedUpdate(&before, nil); *got != want || values[":next_version"] == nil {
			t.Errorf("%q became %q with %v, want %q", before, *got, values, want)
		}
	}
	in := &sqs.SendMessageInput{MessageBody: aws.String(`{"id":1}`)}
	sent := extended(in).(*sqs.SendMessageInput) //nolint:forcetypeassert // it is the request's
	if *sent.MessageBody != `{"next_version":2,"id":1}` || *in.MessageBody != `{"id":1}` {
		t.Errorf("the message is %s, and before %s", *sent.MessageBody, *in.MessageBody)
	}
}

// TestCrooked checks that the quirks that a run may draw exist.
func TestCrooked(t *testing.T) {
	t.Parallel()
	if all, err := procoretest.Crooked(bearable); err != nil || len(all) < 50 {
		t.Errorf("%d quirks, %v", len(all), err)
	}
}
