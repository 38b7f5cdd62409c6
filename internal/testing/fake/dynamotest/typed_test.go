package dynamotest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
)

// exported compares the SDK's types.
var exported = cmp.Exporter(func(reflect.Type) bool { return true })

// same compares answers, but not what one knows of its way.
func same(got, want any) bool {
	reflect.ValueOf(want).Elem().FieldByName("ResultMetadata").SetZero()
	return reflect.DeepEqual(got, want)
}

// A random source of requests: valid ones on few items, so that they meet, and some that are not.
type requests struct {
	*rand.Rand
	next map[string]dynamo.Item // start keys by what was read, from the last answers
}

func pick[T any](r requests, all ...T) T { return all[r.IntN(len(all))] }

func (r requests) key() dynamo.Item {
	return dynamo.Item{"pk": dynamo.Text("p" + strconv.Itoa(r.IntN(30))), "sk": dynamo.Number(int64(r.IntN(40) - 10))}
}

func (r requests) value() types.AttributeValue {
	return pick[types.AttributeValue](r, dynamo.Text("a"), &types.AttributeValueMemberS{}, dynamo.Number(int64(r.IntN(5))), &types.AttributeValueMemberN{Value: "-1.50e1"},
		dynamo.Bytes([]byte{0, byte(r.IntN(3))}), &types.AttributeValueMemberB{Value: []byte{}}, &types.AttributeValueMemberBOOL{Value: r.IntN(2) == 0},
		&types.AttributeValueMemberNULL{Value: true}, dynamo.Texts([]string{"b", "a"}), &types.AttributeValueMemberL{},
		&types.AttributeValueMemberL{Value: []types.AttributeValue{dynamo.Text("x"), &types.AttributeValueMemberM{Value: dynamo.Item{"n": dynamo.Number(1)}}}},
		&types.AttributeValueMemberM{Value: dynamo.Item{}})
}

func (r requests) item() dynamo.Item {
	i := r.key()
	i["a"], i["n"] = r.value(), dynamo.Number(int64(r.IntN(5)))
	if r.IntN(4) > 0 {
		i["queue"], i["at_ms"] = dynamo.Text(pick(r, "q1", "q1", "q1", "q2")), dynamo.Number(int64(r.IntN(300)))
	}
	if r.IntN(2) == 0 {
		i["owner_id"] = dynamo.Text(pick(r, "o1", "o2"))
	}
	switch r.IntN(60) {
	case 0:
		i["pk"] = &types.AttributeValueMemberS{}
	case 1:
		i["at_ms"] = dynamo.Text("no number")
	case 2:
		i["a"] = &types.AttributeValueMemberSS{}
	case 3:
		i["a"] = &types.AttributeValueMemberN{Value: "1x"}
	case 4:
		delete(i, "sk")
	}
	return i
}

// A text is an expression with its placeholders.
type text struct {
	expression *string
	names      map[string]string
	values     dynamo.Item
}

// texts draws a condition, perhaps none, and an update.
func (r requests) texts(update bool) (change, condition text) {
	valid := []string{"attribute_exists(#a) AND n < :n", "NOT (#a <> :n OR n >= :n)", "attribute_not_exists(#a) or :n <= n", "n > :n", "#a = :n", "attribute_exists(pk)"}
	invalid := []string{"n > :n AND #a", "n BETWEEN :n", "#a = :n AND #b = :n", "size(#a) > :n", "status = :n"}
	switch r.IntN(12) {
	case 0:
		condition.expression = aws.String(pick(r, invalid...))
	case 1, 2, 3, 4, 5, 6:
		condition.expression = aws.String(pick(r, valid...))
	}
	if update {
		change.expression = aws.String(pick(r, "SET #x = :v", "SET #x = :v, n = if_not_exists(n, :n) + :n", "REMOVE queue, at_ms SET #x = :v", "set n = n - :n, #x = :v remove #a",
			"SET n = :n REMOVE owner_id", "SET at_ms = :n, #x = :v", "SET #x = #a, y = :v"))
		if r.IntN(12) == 0 {
			change.expression = aws.String(pick(r, "ADD #x :v", "SET #x :v", "SET owner_id = :v, owner_id = :n"))
		}
	}
	all := aws.ToString(condition.expression) + aws.ToString(change.expression)
	names := map[string]string{"#a": "a", "#x": pick(r, "x", "x", "x", "a", "n", "sk", "owner_id")}
	values := dynamo.Item{":v": r.value(), ":n": dynamo.Number(int64(r.IntN(300)))}
	wrong := pick(r, append(make([]string, 50), ":v", ":n")...) // is defined exactly if it is not used
	maps.DeleteFunc(names, func(name, _ string) bool { return !strings.Contains(all, name) })
	maps.DeleteFunc(values, func(name string, _ types.AttributeValue) bool { return strings.Contains(all, name) == (name == wrong) })
	if len(names) > 0 {
		change.names, condition.names = names, names
	}
	if len(values) > 0 {
		change.values, condition.values = values, values
	}
	return change, condition
}

func (r requests) returned() types.ReturnValuesOnConditionCheckFailure {
	return pick(r, "", types.ReturnValuesOnConditionCheckFailureAllOld, types.ReturnValuesOnConditionCheckFailureNone)
}

func (r requests) write(table *string) (w types.TransactWriteItem) {
	_, c := r.texts(false)
	switch r.IntN(6) {
	case 0:
		if c.expression == nil { // the SDK's client does not send that
			c = text{aws.String("attribute_exists(pk)"), nil, nil}
		}
		w.ConditionCheck = &types.ConditionCheck{TableName: table, Key: r.key(), ConditionExpression: c.expression, ExpressionAttributeNames: c.names,
			ExpressionAttributeValues: c.values, ReturnValuesOnConditionCheckFailure: r.returned()}
	case 1:
		w.Delete = &types.Delete{TableName: table, Key: r.key(), ConditionExpression: c.expression, ExpressionAttributeNames: c.names,
			ExpressionAttributeValues: c.values, ReturnValuesOnConditionCheckFailure: r.returned()}
	case 2, 3:
		w.Put = &types.Put{TableName: table, Item: r.item(), ConditionExpression: c.expression, ExpressionAttributeNames: c.names,
			ExpressionAttributeValues: c.values, ReturnValuesOnConditionCheckFailure: r.returned()}
	default:
		change, c := r.texts(true)
		w.Update = &types.Update{TableName: table, Key: r.key(), UpdateExpression: change.expression, ConditionExpression: c.expression,
			ExpressionAttributeNames: c.names, ExpressionAttributeValues: c.values, ReturnValuesOnConditionCheckFailure: r.returned()}
	}
	return w
}

func (r requests) query(table *string) any {
	in := &dynamodb.QueryInput{TableName: table, ScanIndexForward: pick[*bool](r, nil, aws.Bool(true), aws.Bool(false)), ConsistentRead: pick[*bool](r, nil, aws.Bool(false))}
	operator := pick(r, "=", "<", "<=", ">", ">=")
	switch r.IntN(3) {
	case 0:
		in.KeyConditionExpression = aws.String(pick(r, "pk = :p AND sk "+operator+" :n", "sk "+operator+" :n and pk = :p", "pk > :p"))
		in.ExpressionAttributeValues = dynamo.Item{":p": r.key()["pk"], ":n": dynamo.Number(int64(r.IntN(40) - 10))}
	case 1:
		in.IndexName, in.KeyConditionExpression = aws.String("due"), aws.String("queue = :p AND at_ms "+operator+" :n")
		in.ExpressionAttributeValues = dynamo.Item{":p": dynamo.Text(pick(r, "q1", "q2", "none")), ":n": dynamo.Number(int64(r.IntN(300)))}
	default:
		in.IndexName, in.KeyConditionExpression = aws.String(pick(r, "by_owner", "by_owner", "missing")), aws.String("owner_id = :p")
		in.ExpressionAttributeValues = dynamo.Item{":p": dynamo.Text(pick(r, "o1", "o2"))}
	}
	if r.IntN(2) == 0 {
		in.Limit = aws.Int32(int32(r.IntN(20)))
	}
	if r.IntN(3) == 0 {
		in.ExclusiveStartKey = r.next[aws.ToString(in.IndexName)]
	}
	return in
}

func (r requests) scan(table *string) any {
	in := &dynamodb.ScanInput{TableName: table, IndexName: pick[*string](r, nil, aws.String("due")), Limit: pick[*int32](r, nil, aws.Int32(7))}
	if r.IntN(3) == 0 {
		in.ExclusiveStartKey = r.next[aws.ToString(in.IndexName)]
	}
	if r.IntN(3) == 0 {
		in.Segment, in.TotalSegments = aws.Int32(int32(r.IntN(4))), aws.Int32(3)
	}
	return in
}

// draw draws a request.
func (r requests) draw(table *string) any {
	if r.IntN(100) == 0 {
		table = aws.String("missing")
	}
	switch r.IntN(10) {
	case 0:
		return &dynamodb.GetItemInput{TableName: table, Key: r.key(), ConsistentRead: pick[*bool](r, nil, aws.Bool(true))}
	case 1, 2:
		return r.query(table)
	case 3:
		return r.scan(table)
	case 4, 5:
		in := &dynamodb.TransactWriteItemsInput{}
		for range 1 + r.IntN(4) {
			in.TransactItems = append(in.TransactItems, r.write(table))
		}
		if r.IntN(3) == 0 {
			in.ClientRequestToken = aws.String("token" + strconv.Itoa(r.IntN(300)))
		}
		return in
	}
	return alone(r.write(table))
}

// alone is a write that is no transaction.
func alone(w types.TransactWriteItem) any {
	switch p, u, d := w.Put, w.Update, w.Delete; {
	case p != nil:
		return &dynamodb.PutItemInput{TableName: p.TableName, Item: p.Item, ConditionExpression: p.ConditionExpression, ExpressionAttributeNames: p.ExpressionAttributeNames,
			ExpressionAttributeValues: p.ExpressionAttributeValues, ReturnValuesOnConditionCheckFailure: p.ReturnValuesOnConditionCheckFailure}
	case u != nil:
		return &dynamodb.UpdateItemInput{TableName: u.TableName, Key: u.Key, UpdateExpression: u.UpdateExpression, ConditionExpression: u.ConditionExpression,
			ExpressionAttributeNames: u.ExpressionAttributeNames, ExpressionAttributeValues: u.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: u.ReturnValuesOnConditionCheckFailure}
	case d != nil:
		return &dynamodb.DeleteItemInput{TableName: d.TableName, Key: d.Key, ConditionExpression: d.ConditionExpression, ExpressionAttributeNames: d.ExpressionAttributeNames,
			ExpressionAttributeValues: d.ExpressionAttributeValues, ReturnValuesOnConditionCheckFailure: d.ReturnValuesOnConditionCheckFailure}
	}
	return &dynamodb.GetItemInput{TableName: w.ConditionCheck.TableName, Key: w.ConditionCheck.Key}
}

// onWire does a request through the SDK's client.
func onWire(ctx context.Context, client *dynamodb.Client, in any) (any, error) {
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		return client.GetItem(ctx, in)
	case *dynamodb.PutItemInput:
		return client.PutItem(ctx, in)
	case *dynamodb.UpdateItemInput:
		return client.UpdateItem(ctx, in)
	case *dynamodb.DeleteItemInput:
		return client.DeleteItem(ctx, in)
	case *dynamodb.QueryInput:
		return client.Query(ctx, in)
	case *dynamodb.ScanInput:
		return client.Scan(ctx, in)
	}
	return client.TransactWriteItems(ctx, in.(*dynamodb.TransactWriteItemsInput))
}

// refusal is what a caller sees of an error.
func refusal(err error) (out []any) {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		out = append(out, e.ErrorCode(), e.ErrorMessage())
	}
	if e, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		out = append(out, e.Item)
	}
	if e, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		out = append(out, e.CancellationReasons)
	}
	return out
}

// Do answers every request as the wire does, and leads to the same items and changes.
func TestDoAsOnWire(t *testing.T) {
	t.Parallel()
	ours(t)
	quick, slow := dynamotest.New(), dynamotest.New()
	client, in := dynamotest.Client(slow.Start(t)), schema("t")
	_, err := client.CreateTable(t.Context(), in)
	if _, err2 := quick.Do(dynamotest.RequestOf(in)); err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	const seed = 1
	r := requests{rand.New(rand.NewPCG(seed, 0)), map[string]dynamo.Item{}}
	codes := map[string]int{}
	for n := range 2000 {
		in := r.draw(in.TableName)
		if n < 1000 {
			in = &dynamodb.PutItemInput{TableName: aws.String("t"), Item: r.item()}
		}
		got, err := quick.Do(dynamotest.RequestOf(in))
		want, err2 := onWire(t.Context(), client, in)
		if diff := cmp.Diff(refusal(err), refusal(err2), exported); diff != "" || (err == nil) != (err2 == nil) {
			t.Fatalf("request %d, %T, got - want +: %v, %v\n%s", n, in, err, err2, diff)
		}
		if err == nil && !same(got, want) {
			t.Fatalf("request %d, %T, got - want +:\n%s", n, in, cmp.Diff(got, want, exported))
		}
		if found, ok := want.(*dynamodb.QueryOutput); ok && err == nil && found.LastEvaluatedKey != nil {
			r.next[aws.ToString(in.(*dynamodb.QueryInput).IndexName)] = found.LastEvaluatedKey
		}
		codes[fmt.Sprintf("%T %s", in, code(err))]++
	}
	sameChanges(t, quick, slow)
	for kind, n := range codes {
		t.Log(n, kind)
	}
	if len(codes) < 18 {
		t.Errorf("only %d kinds of outcomes", len(codes))
	}
	checkOrder(t, quick)
}

// sameChanges compares the streams.
func sameChanges(t *testing.T, quick, slow *dynamotest.Server) {
	t.Helper()
	got, err := quick.Feed(t.Context(), "t", 0)
	want, err2 := slow.Feed(t.Context(), "t", 0)
	if err != nil || err2 != nil || len(got) != len(want) {
		t.Fatalf("%d and %d changes, %v, %v", len(got), len(want), err, err2)
	}
	typed, err := quick.Changes("t", 0, len(got)+1)
	if err != nil || len(typed) != len(got) {
		t.Fatalf("%d typed changes, %v", len(typed), err)
	}
	for n := range got {
		if change(got[n]) != change(want[n]) || change(typed[n].Record()) != change(want[n]) {
			t.Fatalf("change %d: got %s\nwant %s", n, change(got[n]), change(want[n]))
		}
	}
}

// checkOrder compares queries, page by page in both directions, with a plain sort of what a scan finds.
func checkOrder(t *testing.T, server *dynamotest.Server) {
	t.Helper()
	out, err := server.Do(dynamotest.RequestOf(&dynamodb.ScanInput{TableName: aws.String("t")}))
	if err != nil {
		t.Fatal(err)
	}
	text := func(i dynamo.Item, name string) string {
		v, _ := i[name].(*types.AttributeValueMemberS)
		return v.Value
	}
	number := func(i dynamo.Item, name string) int {
		n, _ := strconv.Atoi(i[name].(*types.AttributeValueMemberN).Value)
		return n
	}
	var want []string
	queued := slices.DeleteFunc(out.(*dynamodb.ScanOutput).Items, func(i dynamo.Item) bool {
		return i["queue"] == nil || i["at_ms"] == nil || text(i, "queue") != "q1"
	})
	slices.SortFunc(queued, func(a, b dynamo.Item) int {
		if n := number(a, "at_ms") - number(b, "at_ms"); n != 0 {
			return n
		}
		if n := strings.Compare(text(a, "pk"), text(b, "pk")); n != 0 {
			return n
		}
		return number(a, "sk") - number(b, "sk")
	})
	name := func(i dynamo.Item) string { return fmt.Sprint(number(i, "at_ms"), text(i, "pk"), number(i, "sk")) }
	for _, i := range queued {
		want = append(want, name(i))
	}
	for _, forward := range []bool{true, false} {
		var got []string
		in := new(dynamo.Expression).Equal("queue", dynamo.Text("q1")).Query("t", "due")
		in.Limit, in.ScanIndexForward = aws.Int32(13), &forward
		for more := true; more; more = in.ExclusiveStartKey != nil {
			out, err := server.Do(dynamotest.RequestOf(in))
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range out.(*dynamodb.QueryOutput).Items {
				got = append(got, name(i))
			}
			in.ExclusiveStartKey = out.(*dynamodb.QueryOutput).LastEvaluatedKey
		}
		if !forward {
			slices.Reverse(got)
		}
		if diff := cmp.Diff(got, want); diff != "" || len(want) < 257 {
			t.Errorf("%d in order, forward %t, got - want +:\n%s", len(want), forward, diff)
		}
	}
}

// What is stored changes neither with the request nor with an answer.
func TestDoSharesNothing(t *testing.T) {
	t.Parallel()
	server := dynamotest.New()
	do := func(in any) any {
		out, err := server.Do(dynamotest.RequestOf(in))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	in := schema("t")
	do(in)
	key := func() dynamo.Item { return dynamo.Item{"pk": dynamo.Text("p"), "sk": dynamo.Number(1)} }
	made := func() dynamo.Item {
		item := key()
		item["b"], item["s"] = dynamo.Bytes([]byte("abc")), dynamo.Texts([]string{"x", "y"})
		item["l"] = &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: dynamo.Item{"n": dynamo.Number(1)}}}}
		return item
	}
	spoil := func(item dynamo.Item) {
		item["b"].(*types.AttributeValueMemberB).Value[0] = 'X'
		item["s"].(*types.AttributeValueMemberSS).Value[0] = "X"
		item["l"].(*types.AttributeValueMemberL).Value[0].(*types.AttributeValueMemberM).Value["n"].(*types.AttributeValueMemberN).Value = "9"
		delete(item, "pk")
	}
	get := func() dynamo.Item {
		return do(&dynamodb.GetItemInput{TableName: in.TableName, Key: key()}).(*dynamodb.GetItemOutput).Item
	}
	item, want := made(), made()
	do(&dynamodb.PutItemInput{TableName: in.TableName, Item: item})
	spoil(item)
	spoil(get())
	changes, err := server.Changes("t", 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	spoil(changes[0].NewImage())
	for _, got := range []dynamo.Item{get(), changes[0].NewImage()} {
		if diff := cmp.Diff(got, want, exported); diff != "" || len(got) != 5 {
			t.Errorf("got - want +:\n%s", diff)
		}
	}
}

// A parameter that dynamotest does not support ends the program.
func TestUnknownParameter(t *testing.T) {
	t.Parallel()
	for _, in := range []any{
		&dynamodb.GetItemInput{TableName: aws.String("t"), ProjectionExpression: aws.String("a")},
		&dynamodb.PutItemInput{TableName: aws.String("t"), ReturnValues: types.ReturnValueAllOld},
		&dynamodb.UpdateItemInput{TableName: aws.String("t"), ReturnValues: types.ReturnValueAllNew},
		&dynamodb.DeleteItemInput{TableName: aws.String("t"), ReturnValues: types.ReturnValueAllOld},
		&dynamodb.QueryInput{TableName: aws.String("t"), FilterExpression: aws.String("a = b")},
		&dynamodb.ScanInput{TableName: aws.String("t"), Select: types.SelectCount},
		&dynamodb.TransactWriteItemsInput{ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal},
		&dynamodb.CreateTableInput{TableName: aws.String("t"), DeletionProtectionEnabled: aws.Bool(true)},
		&dynamodb.PutItemInput{TableName: aws.String("t"), Item: dynamo.Item{"a": &types.AttributeValueMemberNS{}}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T: no panic", in)
				}
			}()
			dynamotest.RequestOf(in)
		}()
	}
	if r := dynamotest.RequestOf(&dynamodb.DescribeTableInput{}); r != nil {
		t.Errorf("DescribeTable is for the wire, got %v", r)
	}
}
