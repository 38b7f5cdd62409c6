package inbox

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/procore"
)

type world struct {
	*Store
	dynamo *dynamotest.Server
	url    string
	now    time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dynamo: dynamotest.New(), now: time.UnixMilli(1_790_000_000_123)}
	w.url = w.dynamo.Start(t)
	db := dynamotest.Client(w.url)
	w.Store = &Store{DB: db, Table: tables.CreateForTest(t, db).Inbox, Clock: procore.Clock{Time: func() time.Time { return w.now }}}
	return w
}

// items returns all items except the counters, with their attributes as text.
func (w *world) items(t *testing.T) []map[string]string {
	t.Helper()
	out, err := w.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &w.Table})
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for _, item := range out.Items {
		if i := plain(item); !strings.HasPrefix(i["resource"], "quota#") {
			all = append(all, i)
		}
	}
	return all
}

func plain(item map[string]types.AttributeValue) map[string]string {
	out := map[string]string{}
	for name, v := range item {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			out[name] = v.Value
		case *types.AttributeValueMemberN:
			out[name] = v.Value
		case *types.AttributeValueMemberB:
			out[name] = string(v.Value)
		}
	}
	return out
}

const payload = `{"id":42,"company_id":5678,"project_id":null,"user_id":7,"resource_name":"Direct Cost Line Items",` +
	`"resource_id":9007199254740993,"event_type":"update","timestamp":"2026-11-01T12:00:00Z","api_version":"v2"}`

func decode(t *testing.T, body string) procore.Event {
	t.Helper()
	e, err := procore.DecodeEvent([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return e
}
