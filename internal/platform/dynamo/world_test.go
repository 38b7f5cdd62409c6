package dynamo

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/tables"
)

// world is a table of the real SDK's client, which repeats what failed. Its items have the keys company and
// principal, and an index checks by check_shard and check_at.
type world struct {
	t      *testing.T
	dynamo *dynamotest.Server
	db     *dynamodb.Client
	table  string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dynamo: dynamotest.New()}
	w.db = dynamotest.Client(w.dynamo.Start(t), func(o *dynamodb.Options) {
		o.RetryMaxAttempts = 3
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
	})
	w.table = tables.CreateForTest(t, w.db).Connections
	return w
}

func keyOf(id string) Item { return Item{"company": Text(id), "principal": Text("p")} }

// item returns an item without its key.
func (w *world) item(id string) Item {
	w.t.Helper()
	item, err := Get(context.Background(), w.db, w.table, keyOf(id))
	if err != nil {
		w.t.Fatal(err)
	}
	delete(item, "company")
	delete(item, "principal")
	return item
}

func exportAll(reflect.Type) bool { return true }
