package dynamotest

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// A Request is an operation as the SDK's client has it, before it makes text of it. It shares no memory with what it was
// made of.
type Request struct {
	Operation string

	in      any       // the operation's parameters
	refused *apiError // a value is not valid
}

// A single is the request of one write that is no transaction.
type single struct {
	kind string
	*request
}

// RequestOf returns the request of an operation's input. It knows CreateTable and the operations on items, and returns nil
// for others. It panics if a parameter is not supported.
func RequestOf(in any) *Request {
	r := &Request{}
	r.refused = attempt(func() { r.Operation, r.in = untyped(in) })
	if r.in == nil && r.refused == nil {
		return nil
	}
	return r
}

func untyped(in any) (operation string, parameters any) {
	switch in := in.(type) {
	case *dynamodb.CreateTableInput:
		return "CreateTable", createTableOf(in)
	case *dynamodb.GetItemInput:
		return "GetItem", getItemOf(in)
	case *dynamodb.PutItemInput:
		return "PutItem", single{"Put", putOf(in)}
	case *dynamodb.UpdateItemInput:
		return "UpdateItem", single{"Update", updateItemOf(in)}
	case *dynamodb.DeleteItemInput:
		return "DeleteItem", single{"Delete", deleteOf(in)}
	case *dynamodb.TransactWriteItemsInput:
		return "TransactWriteItems", transactionOf(in)
	case *dynamodb.QueryInput:
		return "Query", queryOf(in)
	case *dynamodb.ScanInput:
		return "Scan", scanOf(in)
	}
	return "", nil
}

// Do does a request without the wire, which is many times faster, and answers as the SDK's client does. The answer shares
// no memory with what is stored. No interceptor sees the request.
func (s *Server) Do(r *Request) (out any, err error) {
	failure := r.refused
	if failure == nil {
		failure = s.locked(func() { out = s.typed(r.in) })
	}
	if err := s.sync(); err != nil {
		return nil, &smithy.GenericAPIError{Code: "InternalServerError", Message: err.Error()}
	}
	if failure != nil {
		return nil, failure.typed()
	}
	return out, nil
}

// written makes the answer of a write.
var written = map[string]func() any{
	"Put":    func() any { return &dynamodb.PutItemOutput{} },
	"Update": func() any { return &dynamodb.UpdateItemOutput{} },
	"Delete": func() any { return &dynamodb.DeleteItemOutput{} },
}

func (s *Server) typed(in any) any {
	switch in := in.(type) {
	case createTable:
		s.createTable(in)
		return &dynamodb.CreateTableOutput{}
	case getItem:
		return &dynamodb.GetItemOutput{Item: typedItem(s.getItem(in).Item)}
	case single:
		s.writeItem(in.kind, in.request)
		return written[in.kind]()
	case query:
		p := s.query(in)
		return &dynamodb.QueryOutput{Items: listOf(p.Items, typedItem), Count: p.count(), ScannedCount: p.count(),
			LastEvaluatedKey: typedItem(p.LastEvaluatedKey)}
	case scan:
		p := s.scan(in)
		return &dynamodb.ScanOutput{Items: listOf(p.Items, typedItem), Count: p.count(), ScannedCount: p.count(),
			LastEvaluatedKey: typedItem(p.LastEvaluatedKey)}
	default:
		s.transactWriteItems(in.(transactWriteItems))
		return &dynamodb.TransactWriteItemsOutput{}
	}
}

func (p page) count() int32 { return int32(p.Count) }

// only panics if a request has parameters besides those that were set to zero, which is how the caller lists what it supports.
func only(rest any) {
	if v := reflect.ValueOf(rest); !v.IsZero() {
		panic(fmt.Sprintf("dynamotest does not support a parameter of %T: %+v", rest, rest))
	}
}

func getItemOf(in *dynamodb.GetItemInput) getItem {
	rest := *in
	rest.TableName, rest.Key, rest.ConsistentRead = nil, nil, nil
	only(rest)
	return getItem{*in.TableName, storedItem(in.Key), aws.ToBool(in.ConsistentRead)}
}

func putOf(in *dynamodb.PutItemInput) *request {
	rest := *in
	rest.TableName, rest.Item, rest.ConditionExpression, rest.ReturnValuesOnConditionCheckFailure = nil, nil, nil, ""
	rest.ExpressionAttributeNames, rest.ExpressionAttributeValues = nil, nil
	only(rest)
	return &request{*in.TableName, storedItem(in.Item), nil, nil, in.ConditionExpression,
		string(in.ReturnValuesOnConditionCheckFailure), placeholdersOf(in.ExpressionAttributeNames, in.ExpressionAttributeValues)}
}

func updateItemOf(in *dynamodb.UpdateItemInput) *request {
	rest := *in
	rest.TableName, rest.Key, rest.UpdateExpression = nil, nil, nil
	rest.ConditionExpression, rest.ReturnValuesOnConditionCheckFailure = nil, ""
	rest.ExpressionAttributeNames, rest.ExpressionAttributeValues = nil, nil
	only(rest)
	return &request{*in.TableName, nil, storedItem(in.Key), in.UpdateExpression, in.ConditionExpression,
		string(in.ReturnValuesOnConditionCheckFailure), placeholdersOf(in.ExpressionAttributeNames, in.ExpressionAttributeValues)}
}

func deleteOf(in *dynamodb.DeleteItemInput) *request {
	rest := *in
	rest.TableName, rest.Key, rest.ConditionExpression, rest.ReturnValuesOnConditionCheckFailure = nil, nil, nil, ""
	rest.ExpressionAttributeNames, rest.ExpressionAttributeValues = nil, nil
	only(rest)
	return &request{*in.TableName, nil, storedItem(in.Key), nil, in.ConditionExpression,
		string(in.ReturnValuesOnConditionCheckFailure), placeholdersOf(in.ExpressionAttributeNames, in.ExpressionAttributeValues)}
}

func transactionOf(in *dynamodb.TransactWriteItemsInput) transactWriteItems {
	rest := *in
	rest.TransactItems, rest.ClientRequestToken = nil, nil
	only(rest)
	return transactWriteItems{listOf(in.TransactItems, transactItemOf), aws.ToString(in.ClientRequestToken)}
}

func transactItemOf(w types.TransactWriteItem) (out transactItem) {
	if c := w.ConditionCheck; c != nil {
		out.ConditionCheck = &request{*c.TableName, nil, storedItem(c.Key), nil, c.ConditionExpression,
			string(c.ReturnValuesOnConditionCheckFailure), placeholdersOf(c.ExpressionAttributeNames, c.ExpressionAttributeValues)}
	}
	if p := w.Put; p != nil {
		out.Put = &request{*p.TableName, storedItem(p.Item), nil, nil, p.ConditionExpression,
			string(p.ReturnValuesOnConditionCheckFailure), placeholdersOf(p.ExpressionAttributeNames, p.ExpressionAttributeValues)}
	}
	if u := w.Update; u != nil {
		out.Update = &request{*u.TableName, nil, storedItem(u.Key), u.UpdateExpression, u.ConditionExpression,
			string(u.ReturnValuesOnConditionCheckFailure), placeholdersOf(u.ExpressionAttributeNames, u.ExpressionAttributeValues)}
	}
	if d := w.Delete; d != nil {
		out.Delete = &request{*d.TableName, nil, storedItem(d.Key), nil, d.ConditionExpression,
			string(d.ReturnValuesOnConditionCheckFailure), placeholdersOf(d.ExpressionAttributeNames, d.ExpressionAttributeValues)}
	}
	return out
}

func queryOf(in *dynamodb.QueryInput) query {
	rest := *in
	rest.TableName, rest.IndexName, rest.Limit, rest.ConsistentRead, rest.ExclusiveStartKey = nil, nil, nil, nil, nil
	rest.KeyConditionExpression, rest.ScanIndexForward = nil, nil
	rest.ExpressionAttributeNames, rest.ExpressionAttributeValues = nil, nil
	only(rest)
	return query{readMany{*in.TableName, aws.ToString(in.IndexName), intOf(in.Limit), aws.ToBool(in.ConsistentRead), storedItem(in.ExclusiveStartKey)},
		placeholdersOf(in.ExpressionAttributeNames, in.ExpressionAttributeValues), in.KeyConditionExpression, in.ScanIndexForward}
}

func scanOf(in *dynamodb.ScanInput) scan {
	rest := *in
	rest.TableName, rest.IndexName, rest.Limit, rest.ConsistentRead, rest.ExclusiveStartKey = nil, nil, nil, nil, nil
	rest.Segment, rest.TotalSegments = nil, nil
	only(rest)
	return scan{readMany{*in.TableName, aws.ToString(in.IndexName), intOf(in.Limit), aws.ToBool(in.ConsistentRead), storedItem(in.ExclusiveStartKey)},
		intOf(in.Segment), intOf(in.TotalSegments)}
}

func intOf(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}

func placeholdersOf(names map[string]string, values map[string]types.AttributeValue) placeholders {
	return placeholders{names, storedItem(values)}
}

// storedItem makes an item of the SDK's values, and typedItem is the reverse.
func storedItem(in map[string]types.AttributeValue) item { return itemOf(in, stored) }
func typedItem(i item) map[string]types.AttributeValue   { return mapOf(i, typed) }

func stored(v types.AttributeValue) value {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return value{kind: "S", text: v.Value}
	case *types.AttributeValueMemberN:
		return numberOf(v.Value)
	case *types.AttributeValueMemberB:
		return value{kind: "B", text: string(v.Value)}
	case *types.AttributeValueMemberBOOL:
		return value{kind: "BOOL", text: strconv.FormatBool(v.Value)}
	case *types.AttributeValueMemberNULL:
		return value{kind: "NULL", text: strconv.FormatBool(v.Value)}
	case *types.AttributeValueMemberSS:
		return setOf(v.Value)
	case *types.AttributeValueMemberL:
		return value{kind: "L", more: listOf(v.Value, stored)}
	case *types.AttributeValueMemberM:
		return value{kind: "M", more: storedItem(v.Value)}
	case nil:
		return value{}
	}
	panic(fmt.Sprintf("dynamotest does not support a value of type %T", v))
}

func typed(v value) types.AttributeValue {
	switch v.kind {
	case "S":
		return &types.AttributeValueMemberS{Value: v.text}
	case "N":
		return &types.AttributeValueMemberN{Value: v.text}
	case "B":
		return &types.AttributeValueMemberB{Value: []byte(v.text)}
	case "BOOL":
		return &types.AttributeValueMemberBOOL{Value: v.text == "true"}
	case "NULL":
		return &types.AttributeValueMemberNULL{Value: v.text == "true"}
	case "SS":
		return &types.AttributeValueMemberSS{Value: append([]string(nil), v.more.(set)...)}
	case "L":
		return &types.AttributeValueMemberL{Value: listOf(v.more.([]value), typed)}
	default:
		return &types.AttributeValueMemberM{Value: typedItem(v.more.(item))}
	}
}

// typed returns the error as the SDK's client does.
func (e *apiError) typed() error {
	switch e.Code {
	case "ConditionalCheckFailedException":
		return &types.ConditionalCheckFailedException{Message: &e.Message, Item: typedItem(e.Item)}
	case "TransactionCanceledException":
		return &types.TransactionCanceledException{Message: &e.Message, CancellationReasons: listOf(e.Reasons, reason.typed)}
	case "ResourceNotFoundException":
		return &types.ResourceNotFoundException{Message: &e.Message}
	case "IdempotentParameterMismatchException":
		return &types.IdempotentParameterMismatchException{Message: &e.Message}
	}
	return &smithy.GenericAPIError{Code: e.Code, Message: e.Message}
}

func (r reason) typed() types.CancellationReason {
	out := types.CancellationReason{Code: &r.Code, Item: typedItem(r.Item)}
	if r.Message != "" {
		out.Message = &r.Message
	}
	return out
}
