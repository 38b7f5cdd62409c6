package tokens

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/pkg/procore"
)

// A write of a grant with a long access token, and a doubt that is over, costs three write
// units, as docs/REFRESH.md says.
func TestRowSize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.authorization()
	a.Pair.AccessToken = procore.NewSecret(strings.Repeat("0123456789", 140))
	if _, err := w.store().Authorize(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for _, company := range []string{"5678", "5679", "5680"} {
		if _, err := w.store().Hold(t.Context(), a.Principal, company); err != nil {
			t.Fatal(err)
		}
	}
	g := w.row(a.Principal)
	g.attempt, g.lastAttempt = w.store().Random.Text(), w.store().Random.Text()
	g = g.enter(Uncertain, g.attempt, noAnswer, "", w.clock.Now()).enter(Active, g.attempt, "refreshed late", "", w.clock.Now())
	if _, _, err := w.store().swap(t.Context(), w.row(a.Principal), g); err != nil {
		t.Fatal(err)
	}
	item, err := w.db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &w.names.Grants, Key: w.store().rowKey(string(a.Principal))})
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for name, value := range item.Item {
		size += len(name) + sizeOf(value)
	}
	if t.Logf("%d bytes", size); size <= 2<<10 || size > 3<<10 {
		t.Errorf("a row of %d bytes, want three write units", size)
	}
}

// sizeOf is at least what DynamoDB counts for a value.
func sizeOf(v types.AttributeValue) (n int) {
	switch v := v.(type) {
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberL:
		for _, one := range v.Value {
			n += 1 + sizeOf(one)
		}
		return n
	case *types.AttributeValueMemberM:
		for name, one := range v.Value {
			n += 1 + len(name) + sizeOf(one)
		}
		return n
	}
	return len(fmt.Sprint(v)) - len("&{ {}}")
}
