package dynamo

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Expression is what a write changes and on which condition, or the condition of a query. The zero value changes nothing
// on no condition. Attributes have placeholders throughout, so none of their names can be a reserved word.
type Expression struct {
	set, remove, conditions []string

	names  map[string]string
	values Item
}

// name returns the placeholder of an attribute.
func (e *Expression) name(name string) string {
	if e.names == nil {
		e.names = map[string]string{}
	}
	placeholder := "#" + name
	e.names[placeholder] = name
	return placeholder
}

// value returns the placeholder of a value.
func (e *Expression) value(placeholder string, v types.AttributeValue) string {
	if e.values == nil {
		e.values = Item{}
	}
	e.values[placeholder] = v
	return placeholder
}

// Set sets the attributes, and removes those without a value.
func (e *Expression) Set(attributes Item) *Expression {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if v := attributes[name]; v != nil {
			e.set = append(e.set, e.name(name)+" = "+e.value(":"+name, v))
		} else {
			e.remove = append(e.remove, e.name(name))
		}
	}
	return e
}

// SetAbsent sets those of the attributes that the item lacks.
func (e *Expression) SetAbsent(attributes Item) *Expression {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		n := e.name(name)
		e.set = append(e.set, n+" = if_not_exists("+n+", "+e.value(":"+name, attributes[name])+")")
	}
	return e
}

// Increment adds one to a number, which is zero if it is absent.
func (e *Expression) Increment(name string) *Expression {
	n := e.name(name)
	e.set = append(e.set, n+" = if_not_exists("+n+", "+e.value(":zero", Number(0))+") + "+e.value(":one", Number(1)))
	return e
}

// Equal requires that the attribute has this value, or that the item lacks it if the value is nil.
func (e *Expression) Equal(name string, v types.AttributeValue) *Expression {
	if v == nil {
		return e.Absent(name)
	}
	return e.require(e.compare(name, "=", v))
}

// Absent requires that the item lacks the attribute. For a key's attribute it requires that there is no item.
func (e *Expression) Absent(name string) *Expression { return e.require(e.absent(name)) }

// AbsentOr requires that the item lacks the attribute, or that it compares so with the value.
func (e *Expression) AbsentOr(name, operator string, v types.AttributeValue) *Expression {
	return e.require("(" + e.absent(name) + " OR " + e.compare(name, operator, v) + ")")
}

// Compare requires that the attribute compares so with the value: the operator is =, <, <=, > or >=.
func (e *Expression) Compare(name, operator string, v types.AttributeValue) *Expression {
	return e.require(e.compare(name, operator, v))
}

func (e *Expression) require(condition string) *Expression {
	e.conditions = append(e.conditions, condition)
	return e
}

func (e *Expression) absent(name string) string { return "attribute_not_exists(" + e.name(name) + ")" }

// compare has its own placeholder for the value, because the same write may set the attribute.
func (e *Expression) compare(name, operator string, v types.AttributeValue) string {
	return e.name(name) + " " + operator + " " + e.value(":if"+strconv.Itoa(len(e.conditions)), v)
}

func (e *Expression) condition() *string { return joined("", e.conditions, " AND ") }

// joined returns the parts behind a keyword, nil if there are none.
func joined(keyword string, parts []string, separator string) *string {
	if len(parts) == 0 {
		return nil
	}
	return aws.String(keyword + strings.Join(parts, separator))
}

// Update returns the write that updates an item. The error of its failed condition contains the item.
func (e *Expression) Update(table string, key Item) types.TransactWriteItem {
	update := aws.ToString(joined("SET ", e.set, ", ")) + aws.ToString(joined(" REMOVE ", e.remove, ", "))
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &table, Key: key, UpdateExpression: aws.String(strings.TrimSpace(update)), ConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// Put returns the write that puts an item in the place of any other with its key.
func (e *Expression) Put(table string, item Item) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{TableName: &table, Item: Compact(item), ConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values}}
}

// Delete returns the write that deletes an item.
func (e *Expression) Delete(table string, key Item) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{TableName: &table, Key: key, ConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values}}
}

// Check returns a part of a transaction that writes nothing and requires the condition of an item. The error of its
// failed condition contains the item.
func (e *Expression) Check(table string, key Item) types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &table, Key: key, ConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// Query returns a query of a table, or of one of its indexes, for the items that meet the condition.
func (e *Expression) Query(table, index string) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{TableName: &table, KeyConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values}
	if index != "" {
		in.IndexName = &index
	}
	return in
}
