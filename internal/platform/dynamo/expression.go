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
// on no condition. Attributes go by placeholders throughout, so none of them can be a reserved word.
type Expression struct {
	set, remove, conditions []string

	names  map[string]string
	values Item
	old    types.ReturnValuesOnConditionCheckFailure
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

// Increment adds one to a number, which must be there.
func (e *Expression) Increment(name string) *Expression {
	n := e.name(name)
	e.set = append(e.set, n+" = "+n+" + "+e.value(":one", Number(1)))
	return e
}

// Equal requires that the attribute has this value, or that the item lacks it if the value is nil.
func (e *Expression) Equal(name string, v types.AttributeValue) *Expression {
	if v == nil {
		return e.require("attribute_not_exists(" + e.name(name) + ")")
	}
	return e.compare(name, " = ", v)
}

// Absent requires that the item lacks the attribute. Of a key's attribute it requires that there is no item.
func (e *Expression) Absent(name string) *Expression { return e.Equal(name, nil) }

// AbsentOrEqual requires that the attribute has this value if the item has it.
func (e *Expression) AbsentOrEqual(name string, v types.AttributeValue) *Expression {
	n := e.name(name)
	return e.require("(attribute_not_exists(" + n + ") OR " + n + " = " + e.operand(v) + ")")
}

// Less requires that the attribute is less than the value.
func (e *Expression) Less(name string, v types.AttributeValue) *Expression {
	return e.compare(name, " < ", v)
}

// AtLeast requires that the attribute is the value or greater.
func (e *Expression) AtLeast(name string, v types.AttributeValue) *Expression {
	return e.compare(name, " >= ", v)
}

func (e *Expression) compare(name, operator string, v types.AttributeValue) *Expression {
	return e.require(e.name(name) + operator + e.operand(v))
}

// operand returns the placeholder of a condition's value, which differs from that of what the same write sets.
func (e *Expression) operand(v types.AttributeValue) string {
	return e.value(":if"+strconv.Itoa(len(e.conditions)), v)
}

func (e *Expression) require(condition string) *Expression {
	e.conditions = append(e.conditions, condition)
	return e
}

// ReturnOld makes the error of a failed condition contain the item. It costs nothing, but the answer is as large as the
// item.
func (e *Expression) ReturnOld() *Expression {
	e.old = types.ReturnValuesOnConditionCheckFailureAllOld
	return e
}

// update returns the update expression. A write that only creates its item has none.
func (e *Expression) update() *string {
	var clauses []string
	if len(e.set) > 0 {
		clauses = append(clauses, "SET "+strings.Join(e.set, ", "))
	}
	if len(e.remove) > 0 {
		clauses = append(clauses, "REMOVE "+strings.Join(e.remove, ", "))
	}
	return joined(clauses, " ")
}

func (e *Expression) condition() *string { return joined(e.conditions, " AND ") }

func joined(parts []string, by string) *string {
	if len(parts) == 0 {
		return nil
	}
	return aws.String(strings.Join(parts, by))
}

// Update returns the write that updates one item.
func (e *Expression) Update(table string, key Item) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &table, Key: key, UpdateExpression: e.update(), ConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnValuesOnConditionCheckFailure: e.old,
	}}
}

// Put returns the write that puts an item in the place of any other with its key.
func (e *Expression) Put(table string, item Item) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &table, Item: Compact(item), ConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnValuesOnConditionCheckFailure: e.old,
	}}
}

// Delete returns the write that deletes an item.
func (e *Expression) Delete(table string, key Item) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &table, Key: key, ConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnValuesOnConditionCheckFailure: e.old,
	}}
}

// Query returns a query of a table, or of one of its indexes, for the items that meet the condition.
func (e *Expression) Query(table, index string) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{
		TableName: &table, KeyConditionExpression: e.condition(),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	}
	if index != "" {
		in.IndexName = &index
	}
	return in
}
