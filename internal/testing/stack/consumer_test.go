package stack_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// Another consumer runs in place of the first one, with the table and the variable of its own template.yaml. Its copies
// follow the events.
func TestAnotherConsumer(t *testing.T) {
	t.Parallel()
	s, _ := start(t, stack.Options{
		Consumer: "examples/rfi-copy", Housekeeping: 200 * time.Millisecond, Env: map[string]string{"PROCORE_PRINCIPAL": "service-account"},
	})
	install(t, s, procoretest.MyConstruction, true)
	eventually(t, "the hook has its triggers", func() bool {
		hooks := s.Procore.State().Hooks
		return len(hooks) == 1 && len(hooks[0].Triggers) == 5
	})
	change := func(e procoretest.Event) string {
		t.Helper()
		e.CompanyID, e.ProjectID, e.ResourceName = procoretest.MyConstruction, 2001, "RFIs"
		made, err := s.Procore.Emit(e)
		if err != nil {
			t.Fatal(err)
		}
		return string(made.ResourceID)
	}
	created := change(procoretest.Event{EventType: "create", Title: "by an event"})
	eventually(t, "the RFI has a copy", func() bool { return subject(t, s, created) == "by an event" })
	change(procoretest.Event{EventType: "delete", ResourceID: procore.ID(created)})
	eventually(t, "the copy is gone", func() bool { return subject(t, s, created) == "" })
}

// subject returns the subject of an RFI's copy.
func subject(t *testing.T, s *stack.Stack, rfi string) string {
	t.Helper()
	out, err := dynamotest.Client(s.AWSURL).GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String("RfisTable"), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"company": &types.AttributeValueMemberS{Value: "5678"}, "rfi": &types.AttributeValueMemberS{Value: rfi}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := out.Item["subject"].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}
