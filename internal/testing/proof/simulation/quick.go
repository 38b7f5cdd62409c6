package simulation

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"procore-connect/internal/invariants"
)

// Item is an item of a table, or its key.
type Item = map[string]types.AttributeValue

// quickTables stand in for dynamotest where schedules are tried by the ten thousand: the
// SDK's client hands them its requests before it makes text of them, which is several
// times faster. They know what internal/platform/dynamo writes. [Exploration.Repeats]
// compares them with dynamotest.
type quickTables map[string]*quickTable

// quickTable is one table.
type quickTable struct {
	keys    []string            // the key's attributes
	indexes map[string][]string // those of each index
	rows    map[string]Item     // by place; an item is never changed, only replaced
}

func newQuickTables(schemas []*dynamodb.CreateTableInput) quickTables {
	q := quickTables{}
	for _, s := range schemas {
		t := &quickTable{keys: attributes(s.KeySchema), indexes: map[string][]string{}, rows: map[string]Item{}}
		for _, i := range s.GlobalSecondaryIndexes {
			t.indexes[*i.IndexName] = attributes(i.KeySchema)
		}
		q[*s.TableName] = t
	}
	return q
}

func attributes(schema []types.KeySchemaElement) (names []string) {
	for _, k := range schema {
		names = append(names, *k.AttributeName)
	}
	return names
}

func keySchema(schema []types.KeySchemaElement) (all []map[string]any) {
	for _, k := range schema {
		all = append(all, map[string]any{"AttributeName": *k.AttributeName, "KeyType": string(k.KeyType)})
	}
	return all
}

// quickClient returns an SDK client whose requests go to the quick tables in the world of
// their context.
func quickClient() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{Region: "us-east-1", Retryer: aws.NopRetryer{}, Credentials: aws.AnonymousCredentials{}},
		func(o *dynamodb.Options) {
			o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error { return s.Initialize.Add(quick{}, middleware.Before) })
		})
}

type quick struct{}

// ID names the middleware.
func (quick) ID() string { return "quick tables" }

// HandleInitialize answers a request.
func (quick) HandleInitialize(ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	if err := ctx.Err(); err != nil { // the client does not send it
		return middleware.InitializeOutput{}, middleware.Metadata{}, &aws.RequestCanceledError{Err: err}
	}
	t := worldOf(ctx).Tables
	operation := strings.TrimSuffix(reflect.TypeOf(in.Parameters).Elem().Name(), "Input")
	out, err := pass(ctx, t, operation, call[any]{
		apply:    func(by string) (any, error) { return t.quick.do(t, by, in.Parameters) },
		fail:     func(code string) (any, error) { return nil, quickFailure(code) },
		mentions: func(text string) bool { return mentioned(in.Parameters, text) },
	})
	return middleware.InitializeOutput{Result: out}, middleware.Metadata{}, err
}

func quickFailure(code string) error {
	if code == "TransactionCanceledException" {
		e := &types.TransactionCanceledException{}
		for _, code := range []string{"TransactionConflict", "None"} {
			e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: &code})
		}
		return e
	}
	return &smithy.GenericAPIError{Code: code, Message: "as the schedule requires"}
}

// write is one write, or the check of a condition.
type write struct {
	table     string
	key       Item
	condition *string
	names     map[string]string
	values    Item
	allOld    bool // a failed condition reports the item
	next      func(old Item) Item
}

// do does a request.
func (q quickTables) do(t *Tables, by string, in any) (any, error) {
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		return &dynamodb.GetItemOutput{Item: q[*in.TableName].get(in.Key)}, nil
	case *dynamodb.ScanInput:
		return &dynamodb.ScanOutput{Items: q[*in.TableName].all()}, nil
	case *dynamodb.QueryInput:
		return &dynamodb.QueryOutput{Items: q[*in.TableName].query(in)}, nil
	case *dynamodb.PutItemInput:
		return &dynamodb.PutItemOutput{}, single(q.write(t, by, types.TransactWriteItem{Put: &types.Put{TableName: in.TableName, Item: in.Item,
			ConditionExpression: in.ConditionExpression, ExpressionAttributeNames: in.ExpressionAttributeNames,
			ExpressionAttributeValues:           in.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure}}))
	case *dynamodb.UpdateItemInput:
		return &dynamodb.UpdateItemOutput{}, single(q.write(t, by, types.TransactWriteItem{Update: &types.Update{TableName: in.TableName, Key: in.Key,
			UpdateExpression: in.UpdateExpression, ConditionExpression: in.ConditionExpression,
			ExpressionAttributeNames: in.ExpressionAttributeNames, ExpressionAttributeValues: in.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure}}))
	case *dynamodb.DeleteItemInput:
		return &dynamodb.DeleteItemOutput{}, single(q.write(t, by, types.TransactWriteItem{Delete: &types.Delete{TableName: in.TableName, Key: in.Key,
			ConditionExpression: in.ConditionExpression, ExpressionAttributeNames: in.ExpressionAttributeNames,
			ExpressionAttributeValues:           in.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure}}))
	case *dynamodb.TransactWriteItemsInput:
		if e := q.write(t, by, in.TransactItems...); e != nil {
			return nil, e
		}
		return &dynamodb.TransactWriteItemsOutput{}, nil
	}
	panic("quick tables do not know " + reflect.TypeOf(in).String())
}

// single is the failed condition of a write that is no transaction.
func single(e *types.TransactionCanceledException) error {
	if e == nil {
		return nil
	}
	return &types.ConditionalCheckFailedException{Item: e.CancellationReasons[0].Item}
}

func writeOf(w types.TransactWriteItem) write {
	const all = types.ReturnValuesOnConditionCheckFailureAllOld
	switch p, u, d, c := w.Put, w.Update, w.Delete, w.ConditionCheck; {
	case p != nil:
		return write{*p.TableName, p.Item, p.ConditionExpression, p.ExpressionAttributeNames, p.ExpressionAttributeValues,
			p.ReturnValuesOnConditionCheckFailure == all, func(Item) Item { return maps.Clone(p.Item) }}
	case u != nil:
		return write{*u.TableName, u.Key, u.ConditionExpression, u.ExpressionAttributeNames, u.ExpressionAttributeValues,
			u.ReturnValuesOnConditionCheckFailure == all, func(old Item) Item { return updated(u, old) }}
	case d != nil:
		return write{*d.TableName, d.Key, d.ConditionExpression, d.ExpressionAttributeNames, d.ExpressionAttributeValues,
			d.ReturnValuesOnConditionCheckFailure == all, func(Item) Item { return nil }}
	default:
		return write{*c.TableName, c.Key, c.ConditionExpression, c.ExpressionAttributeNames, c.ExpressionAttributeValues,
			c.ReturnValuesOnConditionCheckFailure == all, nil}
	}
}

// write does all writes, or none if a condition fails.
func (q quickTables) write(t *Tables, by string, all ...types.TransactWriteItem) *types.TransactionCanceledException {
	failed := false
	reasons := make([]types.CancellationReason, len(all))
	writes := make([]write, len(all))
	seen := map[string]bool{}
	for i := range all {
		w := writeOf(all[i])
		writes[i] = w
		place := q[w.table].place(w.key)
		if seen[w.table+" "+place] {
			panic("a transaction has two operations on " + place)
		}
		seen[w.table+" "+place] = true
		old := q[w.table].rows[place]
		reasons[i].Code = aws.String("None")
		if !holds(w.condition, w.names, w.values, old) {
			failed = true
			reasons[i] = types.CancellationReason{Code: aws.String("ConditionalCheckFailed")}
			if w.allOld {
				reasons[i].Item = old
			}
		}
	}
	if failed {
		return &types.TransactionCanceledException{CancellationReasons: reasons}
	}
	written := map[string][]Item{}
	for _, w := range writes {
		if w.next == nil {
			continue
		}
		place := q[w.table].place(w.key)
		next := w.next(q[w.table].rows[place])
		if next == nil {
			delete(q[w.table].rows, place)
			continue
		}
		q[w.table].rows[place] = next
		written[w.table] = append(written[w.table], next)
	}
	for _, table := range t.names {
		for _, item := range written[table] {
			if t.OnWrite != nil {
				t.OnWrite(by, table, invariants.ItemOf(item))
			}
		}
	}
	return nil
}

// place is a key as text.
func (t *quickTable) place(key Item) string {
	var s []string
	for _, name := range t.keys {
		s = append(s, text(key[name]))
	}
	return strings.Join(s, "/")
}

func (t *quickTable) get(key Item) Item { return t.rows[t.place(key)] }

func (t *quickTable) all() (items []Item) {
	for _, place := range slices.Sorted(maps.Keys(t.rows)) {
		items = append(items, t.rows[place])
	}
	return items
}

// query answers with all items in one page, whatever the limit is.
func (t *quickTable) query(in *dynamodb.QueryInput) (items []Item) {
	keys := t.keys
	if in.IndexName != nil {
		keys = t.indexes[*in.IndexName]
	}
	for _, item := range t.all() {
		if has(item, keys) && holds(in.KeyConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues, item) {
			items = append(items, item)
		}
	}
	slices.SortStableFunc(items, func(a, b Item) int { return compare(a[keys[len(keys)-1]], b[keys[len(keys)-1]]) })
	return items
}

func has(item Item, keys []string) bool {
	return !slices.ContainsFunc(keys, func(name string) bool { return item[name] == nil })
}

// text is a text or a number.
func text(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

// compare orders numbers and texts.
func compare(a, b types.AttributeValue) int {
	x, isNumber := a.(*types.AttributeValueMemberN)
	y, areNumbers := b.(*types.AttributeValueMemberN)
	if !isNumber || !areNumbers {
		return cmp.Compare(text(a), text(b))
	}
	m, err := strconv.ParseInt(x.Value, 10, 64)
	n, err2 := strconv.ParseInt(y.Value, 10, 64)
	if err != nil || err2 != nil {
		panic("quick tables do not know the numbers " + x.Value + " and " + y.Value)
	}
	return cmp.Compare(m, n)
}

// holds reports whether a condition holds on the item.
func holds(condition *string, names map[string]string, values, old Item) bool {
	if condition == nil {
		return true
	}
	for term := range strings.SplitSeq(*condition, " AND ") {
		one := false
		if alternatives, ok := strings.CutPrefix(term, "("); ok {
			term = strings.TrimSuffix(alternatives, ")")
		}
		for alternative := range strings.SplitSeq(term, " OR ") {
			one = one || holdsTerm(alternative, names, values, old)
		}
		if !one {
			return false
		}
	}
	return true
}

func holdsTerm(term string, names map[string]string, values, old Item) bool {
	if name, ok := strings.CutPrefix(term, "attribute_not_exists("); ok {
		return old[named(strings.TrimSuffix(name, ")"), names)] == nil
	}
	parts := strings.Fields(term)
	if len(parts) != 3 || values[parts[2]] == nil {
		panic("quick tables do not know the condition " + term)
	}
	have, want := old[named(parts[0], names)], values[parts[2]]
	if parts[1] == "=" {
		return reflect.DeepEqual(have, want)
	}
	if have == nil || reflect.TypeOf(have) != reflect.TypeOf(want) {
		return false
	}
	switch c := compare(have, want); parts[1] {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	}
	panic("quick tables do not know the condition " + term)
}

func named(name string, names map[string]string) string {
	if full, ok := names[name]; ok {
		return full
	}
	panic("quick tables do not know " + name)
}

// updated is the item after an update.
func updated(u *types.Update, old Item) Item {
	next := maps.Clone(u.Key)
	maps.Copy(next, old)
	set, remove, _ := strings.Cut(" "+*u.UpdateExpression, " REMOVE ")
	for _, one := range assignments(strings.TrimPrefix(set, " SET ")) {
		name, value, _ := strings.Cut(one, " = ")
		next[named(name, u.ExpressionAttributeNames)] = evaluated(u, value, old)
	}
	for _, one := range assignments(remove) {
		delete(next, named(one, u.ExpressionAttributeNames))
	}
	return next
}

// assignments splits a list whose elements may have arguments.
func assignments(list string) (all []string) {
	for one := range strings.SplitSeq(strings.TrimSpace(list), ", ") {
		if n := len(all) - 1; n >= 0 && strings.Count(all[n], "(") > strings.Count(all[n], ")") {
			all[n] += ", " + one
		} else if one != "" {
			all = append(all, one)
		}
	}
	return all
}

// evaluated is the value of ":v", "if_not_exists(#a, :v)" or "if_not_exists(#a, :v) + :w".
func evaluated(u *types.Update, value string, old Item) types.AttributeValue {
	value, increment, adds := strings.Cut(value, " + ")
	v := u.ExpressionAttributeValues[value]
	if arguments, ok := strings.CutPrefix(value, "if_not_exists("); ok {
		name, otherwise, _ := strings.Cut(strings.TrimSuffix(arguments, ")"), ", ")
		if v = old[named(name, u.ExpressionAttributeNames)]; v == nil {
			v = u.ExpressionAttributeValues[otherwise]
		}
	}
	if v == nil {
		panic("quick tables do not know the value " + value)
	}
	if !adds {
		return v
	}
	m, err := strconv.ParseInt(text(v), 10, 64)
	n, err2 := strconv.ParseInt(text(u.ExpressionAttributeValues[increment]), 10, 64)
	if err != nil || err2 != nil {
		panic("quick tables do not know the sum " + value + " + " + increment)
	}
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(m+n, 10)}
}

// mentioned reports whether a request's keys and values contain the text.
func mentioned(in any, want string) bool {
	contains := func(items ...Item) bool {
		for _, item := range items {
			for _, v := range item {
				if text(v) == want {
					return true
				}
			}
		}
		return false
	}
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		return contains(in.Key)
	case *dynamodb.PutItemInput:
		return contains(in.Item, in.ExpressionAttributeValues)
	case *dynamodb.UpdateItemInput:
		return contains(in.Key, in.ExpressionAttributeValues)
	case *dynamodb.DeleteItemInput:
		return contains(in.Key, in.ExpressionAttributeValues)
	case *dynamodb.TransactWriteItemsInput:
		return slices.ContainsFunc(in.TransactItems, func(w types.TransactWriteItem) bool {
			x := writeOf(w)
			return contains(x.key, x.values)
		})
	}
	return false
}
