package main

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

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
	"HousekeepingOverdueAlarm": {alone: true, sign: "a company is due to be checked", trouble: func(n *night) {
		n.connected()
		n.set("connections", n.connection(0), map[string]string{"check_at": fmt.Sprint(time.Now().Add(-3 * time.Hour).Unix())})
	}},
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
