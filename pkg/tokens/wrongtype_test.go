package tokens

import (
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// An attribute of another type is an error that names it and not its value: an
// open breaker is not taken for a closed one.
func TestWrongType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(s)
	if _, err := s.Breaker(t.Context()); err != nil {
		t.Fatal(err)
	}
	const secret = "90210"
	text, number := &types.AttributeValueMemberS{Value: secret}, &types.AttributeValueMemberN{Value: secret}
	connection := func() error { _, err := s.Connection(t.Context(), c.Key); return err }
	breaker := func() error { _, err := s.Breaker(t.Context()); return err }
	for _, tt := range []struct {
		key       map[string]types.AttributeValue
		attribute string
		value     types.AttributeValue
		read      func() error
	}{
		{c.Key.primaryKey(), "state", number, connection},
		{c.Key.primaryKey(), "generation", text, connection},
		{c.Key.primaryKey(), "sealed", text, connection},
		{c.Key.primaryKey(), "transitions", text, connection},
		{breakerKey, "open", text, breaker},
		{breakerKey, "since", text, breaker},
	} {
		item := maps.Clone(tt.key)
		item[tt.attribute] = tt.value
		if _, err := s.DB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &s.Connections, Item: item}); err != nil {
			t.Fatal(err)
		}
		err := tt.read()
		if err == nil || !strings.Contains(err.Error(), `attribute "`+tt.attribute+`"`) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got error %v, want one that names the attribute", tt.attribute, err)
		}
	}
}
