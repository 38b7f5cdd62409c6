package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
)

// stackDrills are those of what runs on schedules.
var stackDrills = map[string]drill{
	"FunctionErrorsAlarm": {alone: true, sign: "failed rows", trouble: func(n *night) {
		n.connected()
		row := n.row()
		row["principal"], row["rev"], row["check_at"] = dynamo.Text("user#1"), dynamo.Text("written by hand"), dynamo.Seconds(time.Now().Add(-time.Second))
		_, err := dynamotest.Client(n.AWSURL).PutItem(n.t.Context(), &dynamodb.PutItemInput{TableName: aws.String("connections"), Item: row})
		n.must(err)
		n.task("housekeeping")
		n.said(`"companies checked"`, `"failed":1`)
	}, others: func(n *night) {
		_, err := dynamotest.Client(n.AWSURL).DeleteItem(n.t.Context(), &dynamodb.DeleteItemInput{
			TableName: aws.String("connections"), Key: dynamo.Item{"company": n.row()["company"], "principal": dynamo.Text("user#1")},
		})
		n.must(err)
	}},
	"A row that breaks an invariant": {alone: true, sign: "failed rows", trouble: func(n *night) {
		n.connected()
		_, err := dynamotest.Client(n.AWSURL).DeleteItem(n.t.Context(), &dynamodb.DeleteItemInput{
			TableName: aws.String("grants"), Key: dynamo.Item{"grant": dynamo.Text(n.grant()["grant"])},
		})
		n.must(err)
	}, others: (*night).connect},
	"missing rows": {alone: true, sign: "never was", trouble: func(n *night) {
		n.connected()
		n.fills["TIME"] = n.backUp("grants", "connections")
		db := dynamotest.Client(n.AWSURL)
		for table, key := range map[string]map[string]string{"grants": n.grant(), "connections": n.connection(0)} {
			in := &dynamodb.DeleteItemInput{TableName: &table, Key: dynamo.Item{}}
			for name, value := range key {
				in.Key[name] = dynamo.Text(value)
			}
			_, err := db.DeleteItem(n.t.Context(), in)
			n.must(err)
		}
	}},
	"restored table": {alone: true, sign: "failed rows", trouble: func(n *night) {
		uncertain(n)
		n.forgetSpends()
	}},
	"copied credential": {alone: true, sign: ".0 (last accepted)", trouble: (*night).connected},
	"key rotation": {alone: true, sign: "webhook KEY current", trouble: func(n *night) {
		n.connected()
		var ring struct{ Current string }
		value, _ := n.Secrets.Value("local/webhook")
		n.must(json.Unmarshal([]byte(value), &ring))
		n.fills["KEY"] = ring.Current
	}, others: func(n *night) {
		value, _ := n.Secrets.Value("local/webhook")
		ring := map[string]any{}
		n.must(json.Unmarshal([]byte(value), &ring))
		since, _ := ring["current_since"].(map[string]any)
		for key := range since {
			since[key] = time.Now().Add(-14 * time.Hour).Unix()
		}
		text, err := json.Marshal(ring)
		n.must(err)
		n.Secrets.Put("local/webhook", string(text))
		for _, hook := range n.Procore.State().Hooks {
			key := map[string]string{"company": fmt.Sprintf("custom#%d", hook.CompanyID), "principal": "webhook"}
			n.set("connections", key, map[string]string{"credential_ms": fmt.Sprint(time.Now().Add(-14 * time.Hour).UnixMilli())})
		}
	}},
	"ReconcileOverdueAlarm": {alone: true, sign: "a company is due to be reconciled", trouble: func(n *night) {
		n.connected()
		_, err := n.Invoke(n.t.Context(), "reconciler", []byte(`{"task":"reconcile"}`))
		n.must(err)
		n.set("connections", map[string]string{"company": n.connection(0)["company"], "principal": "reconcile"},
			map[string]string{"check_at": fmt.Sprint(time.Now().Add(-3 * time.Hour).Unix())})
	}},
	"HousekeepingOverdueAlarm": {alone: true, sign: "a company is due to be checked", trouble: func(n *night) {
		n.connected()
		n.set("connections", n.connection(0), map[string]string{"check_at": fmt.Sprint(time.Now().Add(-3 * time.Hour).Unix())})
	}},
}

// backUp turns the backups of tables on, and returns a time to which they can be restored, when its second is over.
func (n *night) backUp(names ...string) string {
	n.t.Helper()
	for _, name := range names {
		_, err := dynamotest.Client(n.AWSURL).UpdateContinuousBackups(n.t.Context(), &dynamodb.UpdateContinuousBackupsInput{TableName: &name,
			PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)}})
		n.must(err)
	}
	at := time.Now().UTC().Truncate(time.Second)
	n.until("the second of the backup is over", func() bool { return time.Since(at) > time.Second })
	return at.Format(time.RFC3339)
}

// row returns the row of the company's connection.
func (n *night) row() dynamo.Item {
	n.t.Helper()
	key := dynamo.Item{}
	for name, value := range n.connection(0) {
		key[name] = dynamo.Text(value)
	}
	out, err := dynamotest.Client(n.AWSURL).GetItem(n.t.Context(), &dynamodb.GetItemInput{TableName: aws.String("connections"), Key: key})
	n.must(err)
	return out.Item
}

// forgetSpends empties the ledger, as a table is that was restored from an old backup.
func (n *night) forgetSpends() {
	n.t.Helper()
	db := dynamotest.Client(n.AWSURL)
	out, err := db.Scan(n.t.Context(), &dynamodb.ScanInput{TableName: aws.String("spends")})
	n.must(err)
	for _, item := range out.Items {
		_, err := db.DeleteItem(n.t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("spends"), Key: dynamo.Item{"fingerprint": item["fingerprint"]}})
		n.must(err)
	}
}
