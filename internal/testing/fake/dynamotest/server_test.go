package dynamotest_test

import (
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/dynamotest"
)

func TestOneOfManyConditionalWritersWins(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "counter", "sk": 1, "n": 0})
	var won, failed atomic.Int32
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table, Item: key("a", 1),
				ConditionExpression: missing})
			switch code(err) {
			case "":
				won.Add(1)
			case "ConditionalCheckFailedException":
				failed.Add(1)
			}
			_, err = f.client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &f.table, Key: key("counter", 1),
				UpdateExpression: aws.String("SET n = n + :one"), ExpressionAttributeValues: mentioned(":one")})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 || failed.Load() != 19 {
		t.Errorf("%d won and %d failed the condition, want 1 and 19", won.Load(), failed.Load())
	}
	if got := f.get("counter", 1)["n"]; got != 20 {
		t.Errorf("counter %v, want 20", got)
	}
}

func TestUnknownTableIsAnError(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.table = "suite-no-such-table"
	_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table, Item: key("a", 1)})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = f.client.Query(t.Context(), &dynamodb.QueryInput{TableName: &f.table,
		KeyConditionExpression: aws.String("pk = :a"), ExpressionAttributeValues: mentioned(":a")})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	t.Parallel()
	ours(t)
	f := newFixture(t)
	for name, do := range map[string]func() error{
		"an operation": func() error {
			_, err := f.client.ListBackups(t.Context(), &dynamodb.ListBackupsInput{})
			return err
		},
		"a parameter": func() error {
			_, err := f.client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &f.table,
				Select: types.SelectCount})
			return err
		},
		"a parameter of a transaction's item": func() error {
			item := f.putOf(plain{"pk": "a", "sk": 1}, nil)
			item.Put.ReturnValuesOnConditionCheckFailure = "SOME"
			return f.transact(item)
		},
		"an index's projection": func() error {
			in := schema("suite-include")
			in.GlobalSecondaryIndexes[0].Projection = &types.Projection{
				ProjectionType: types.ProjectionTypeAll, NonKeyAttributes: []string{"v"}}
			_, err := f.client.CreateTable(t.Context(), in)
			return err
		},
		"a set of numbers": func() error {
			_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table, Item: map[string]types.AttributeValue{
				"pk": attributeOf("a"), "sk": attributeOf(1), "v": &types.AttributeValueMemberNS{Value: []string{"1"}}}})
			return err
		},
		"return values": func() error {
			_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table, Item: key("a", 1),
				ReturnValues: types.ReturnValueAllOld})
			return err
		},
		"a filter": func() error {
			_, err := f.client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &f.table, FilterExpression: present})
			return err
		},
		"a projection": func() error {
			_, err := f.client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &f.table, Key: key("a", 1),
				ProjectionExpression: aws.String("v")})
			return err
		},
		"old images alone in a stream": func() error {
			in := schema("suite-images")
			in.StreamSpecification.StreamViewType = types.StreamViewTypeOldImage
			_, err := f.client.CreateTable(t.Context(), in)
			return err
		},
		"an end of time to live": func() error {
			_, err := f.client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{TableName: &f.table,
				TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(false)}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := "ValidationException"
			if name == "an operation" {
				want = "UnknownOperationException"
			}
			wantCode(t, do(), want)
		})
	}
}

func TestWire(t *testing.T) {
	t.Parallel()
	ours(t)
	endpoint := dynamotest.New().Start(t)
	if _, err := dynamotest.Client(endpoint).CreateTable(t.Context(), schema("wire")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, method, target, auth, body string
		status                           int
		want                             string
	}{
		{"good", "POST", "DynamoDB_20120810.DescribeTable", "AWS4-HMAC-SHA256 Credential=x", `{"TableName":"wire"}`, 200, `"TableStatus":"ACTIVE"`},
		{"not signed", "POST", "DynamoDB_20120810.DescribeTable", "", "{}", 400, "MissingAuthenticationTokenException"},
		{"no target", "POST", "", "AWS4-HMAC-SHA256 Credential=x", "{}", 400, "UnknownOperationException"},
		{"other version", "POST", "DynamoDB_20111205.DescribeTable", "AWS4-HMAC-SHA256 Credential=x", "{}", 400, "UnknownOperationException"},
		{"method", "GET", "DynamoDB_20120810.DescribeTable", "AWS4-HMAC-SHA256 Credential=x", "", 400, "UnknownOperationException"},
		{"no JSON", "POST", "DynamoDB_20120810.DescribeTable", "AWS4-HMAC-SHA256 Credential=x", "{", 400, "SerializationException"},
		{"other JSON", "POST", "DynamoDB_20120810.DescribeTable", "AWS4-HMAC-SHA256 Credential=x", `{"TableName":1}`, 400, "SerializationException"},
		{"key of a put", "POST", "DynamoDB_20120810.PutItem", "AWS4-HMAC-SHA256 Credential=x",
			`{"TableName":"wire","Item":{"pk":{"S":"a"},"sk":{"N":"1"}},"Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}`, 400, "ValidationException"},
		{"update of a delete", "POST", "DynamoDB_20120810.DeleteItem", "AWS4-HMAC-SHA256 Credential=x",
			`{"TableName":"wire","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"REMOVE v"}`, 400, "ValidationException"},
		{"two kinds of one value", "POST", "DynamoDB_20120810.PutItem", "AWS4-HMAC-SHA256 Credential=x",
			`{"TableName":"wire","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"a","N":"1"}}}`, 400, "ValidationException"},
		{"a set and a text", "POST", "DynamoDB_20120810.PutItem", "AWS4-HMAC-SHA256 Credential=x",
			`{"TableName":"wire","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"a","SS":["a"]}}}`, 400, "ValidationException"},
		{"a set of other values", "POST", "DynamoDB_20120810.PutItem", "AWS4-HMAC-SHA256 Credential=x",
			`{"TableName":"wire","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"SS":[1]}}}`, 400, "SerializationException"},
		{"check without a condition", "POST", "DynamoDB_20120810.TransactWriteItems", "AWS4-HMAC-SHA256 Credential=x",
			`{"TransactItems":[{"ConditionCheck":{"TableName":"wire","Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}}]}`, 400, "ValidationException"},
		{"check with an update", "POST", "DynamoDB_20120810.TransactWriteItems", "AWS4-HMAC-SHA256 Credential=x",
			`{"TransactItems":[{"ConditionCheck":{"TableName":"wire","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},` +
				`"ConditionExpression":"attribute_not_exists(v)","UpdateExpression":"REMOVE v"}}]}`, 400, "ValidationException"},
		{"too large", "POST", "DynamoDB_20120810.DescribeTable", "AWS4-HMAC-SHA256 Credential=x", strings.Repeat(" ", 17<<20), 413, "too large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			request, err := http.NewRequestWithContext(t.Context(), test.method, endpoint, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Amz-Target", test.target)
			request.Header.Set("Authorization", test.auth)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != test.status || !strings.Contains(string(body), test.want) {
				t.Errorf("got %d %s, want %d with %s", response.StatusCode, body, test.status, test.want)
			}
			sum := strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)
			if got := response.Header.Get("X-Amz-Crc32"); test.status != 413 && got != sum {
				t.Errorf("checksum %q, want %q", got, sum)
			}
		})
	}
}

// FuzzExpressions searches for expressions that break the server. Whatever is sent, it answers with success or with one
// of the service's errors.
func FuzzExpressions(f *testing.F) {
	for _, seed := range []string{
		"SET a = if_not_exists(b, :v) + :v REMOVE c[0].d", "(a = :v OR NOT b.c[1] IN (:v, :v)) AND size(d) > :v", "ADD", "((", "a[",
		"begins_with(#a, :v)", "a BETWEEN :v AND :v", "pk = :v AND begins_with(sk, :v)", "a.b, c[0], #a", "DELETE a :v", "size(",
	} {
		f.Add(seed)
	}
	server := dynamotest.New()
	client := dynamotest.Client(server.Start(f))
	in := schema("fuzz")
	if _, err := client.CreateTable(f.Context(), in); err != nil {
		f.Fatal(err)
	}
	values := plain{":v": "v"}.item()
	names := map[string]string{"#a": "a"}
	f.Fuzz(func(t *testing.T, expression string) {
		calls := map[string]func() error{
			"update": func() error {
				_, err := client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: in.TableName, Key: key("a", 1),
					UpdateExpression: &expression, ExpressionAttributeNames: names, ExpressionAttributeValues: values})
				return err
			},
			"condition": func() error {
				_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: in.TableName, Item: key("a", 1),
					ConditionExpression: &expression, ExpressionAttributeNames: names, ExpressionAttributeValues: values})
				return err
			},
			"query": func() error {
				_, err := client.Query(t.Context(), &dynamodb.QueryInput{TableName: in.TableName,
					KeyConditionExpression: &expression, ExpressionAttributeNames: names, ExpressionAttributeValues: values})
				return err
			},
		}
		for name, call := range calls {
			switch got := code(call()); got {
			case "", "ValidationException", "ConditionalCheckFailedException":
			default:
				t.Errorf("%s %q: %s", name, expression, got)
			}
		}
	})
}
