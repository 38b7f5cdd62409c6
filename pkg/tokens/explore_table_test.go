package tokens

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"procore-connect/internal/testing/proof/invariants"
)

// quickTables stand in for dynamotest where schedules are tried by the ten
// thousand: the SDK's client gives them its requests before it makes text of
// them, which is several times faster. They know just the expressions that this
// package writes. TestExploreRepeats holds them against dynamotest.
type quickTables map[string]map[string]row

// A row is never changed, only replaced.
type row = map[string]types.AttributeValue

// quickClient is an SDK client whose requests go to the quick tables of the run
// in their context.
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
	x := ctx.Value(runKey{}).(*run)
	operation := strings.TrimSuffix(reflect.TypeOf(in.Parameters).Elem().Name(), "Input")
	out, err := pass(ctx, x, operation, call[any]{
		apply:  func(by string) (any, error) { return x.quick.do(x, by, in.Parameters) },
		fail:   func(code string) (any, error) { return nil, quickFailure(code) },
		claims: func(r invariants.Row) bool { return claims(in.Parameters, r) },
	})
	return middleware.InitializeOutput{Result: out}, middleware.Metadata{}, err
}

func quickFailure(code string) error {
	if code == "TransactionCanceledException" {
		return cancelledBy("TransactionConflict", "None")
	}
	return &smithy.GenericAPIError{Code: code, Message: "as the schedule wants it"}
}

func cancelledBy(codes ...string) *types.TransactionCanceledException {
	e := &types.TransactionCanceledException{}
	for _, code := range codes {
		e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: aws.String(code)})
	}
	return e
}

// claims says that a request is the claim that the row shows, or reads it.
func claims(in any, r invariants.Row) bool {
	switch in := in.(type) {
	case *dynamodb.TransactWriteItemsInput:
		u := in.TransactItems[0].Update
		return u != nil && text(u.ExpressionAttributeValues[":attempt"]) == r.Attempt
	case *dynamodb.GetItemInput:
		return text(in.Key["company_id"]) == r.CompanyID
	}
	return false
}

func text(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// do does a request.
func (q quickTables) do(x *run, by string, in any) (any, error) {
	switch in := in.(type) {
	case *dynamodb.GetItemInput:
		return &dynamodb.GetItemOutput{Item: q[*in.TableName][place(in.Key)]}, nil
	case *dynamodb.ScanInput:
		out := &dynamodb.ScanOutput{}
		for _, r := range q[*in.TableName] {
			out.Items = append(out.Items, r)
		}
		return out, nil
	case *dynamodb.PutItemInput:
		e := q.write(x, by, types.TransactWriteItem{Put: &types.Put{TableName: in.TableName, Item: in.Item,
			ConditionExpression: in.ConditionExpression, ExpressionAttributeNames: in.ExpressionAttributeNames,
			ExpressionAttributeValues: in.ExpressionAttributeValues}})
		return &dynamodb.PutItemOutput{}, single(e)
	case *dynamodb.UpdateItemInput:
		e := q.write(x, by, types.TransactWriteItem{Update: &types.Update{TableName: in.TableName, Key: in.Key,
			UpdateExpression: in.UpdateExpression, ConditionExpression: in.ConditionExpression,
			ExpressionAttributeNames: in.ExpressionAttributeNames, ExpressionAttributeValues: in.ExpressionAttributeValues}})
		return &dynamodb.UpdateItemOutput{}, single(e)
	case *dynamodb.TransactWriteItemsInput:
		if e := q.write(x, by, in.TransactItems...); e != nil {
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

// write does all writes, or none if a condition fails.
func (q quickTables) write(x *run, by string, all ...types.TransactWriteItem) *types.TransactionCanceledException {
	failed := false
	reasons := make([]types.CancellationReason, len(all))
	next := make([]row, len(all))
	for i, w := range all {
		old := q[table(w)][place(keyOfWrite(w))]
		reasons[i].Code = aws.String("None")
		if !holds(w, old) {
			failed = true
			reasons[i] = types.CancellationReason{Code: aws.String("ConditionalCheckFailed"), Item: old}
		}
		next[i] = outcomeOf(w, old)
	}
	if failed {
		return &types.TransactionCanceledException{CancellationReasons: reasons}
	}
	for i, w := range all {
		at := place(keyOfWrite(w))
		if next[i] == nil {
			delete(q[table(w)], at)
			continue
		}
		q[table(w)][at] = next[i]
		if table(w) == connectionsTable {
			x.observed(by, invariants.ItemOf(next[i]))
		}
	}
	return nil
}

func table(w types.TransactWriteItem) string {
	switch {
	case w.Put != nil:
		return *w.Put.TableName
	case w.Update != nil:
		return *w.Update.TableName
	}
	return *w.Delete.TableName
}

func keyOfWrite(w types.TransactWriteItem) row {
	switch {
	case w.Put != nil:
		return w.Put.Item
	case w.Update != nil:
		return w.Update.Key
	}
	return w.Delete.Key
}

// place is a key as text; a Spends row has the first part only.
func place(key row) string {
	if f := text(key["fingerprint"]); f != "" {
		return f
	}
	return text(key["company_id"]) + "/" + text(key["principal"])
}

// holds says whether the write's condition holds on the row.
func holds(w types.TransactWriteItem, old row) bool {
	var condition *string
	var names map[string]string
	var values row
	switch {
	case w.Put != nil:
		condition, names, values = w.Put.ConditionExpression, w.Put.ExpressionAttributeNames, w.Put.ExpressionAttributeValues
	case w.Update != nil:
		condition, names, values = w.Update.ConditionExpression, w.Update.ExpressionAttributeNames, w.Update.ExpressionAttributeValues
	default:
		condition, names, values = w.Delete.ConditionExpression, w.Delete.ExpressionAttributeNames, w.Delete.ExpressionAttributeValues
	}
	if condition == nil {
		return true
	}
	for term := range strings.SplitSeq(*condition, " AND ") {
		if name, ok := strings.CutPrefix(term, "attribute_not_exists("); ok {
			if old[named(strings.TrimSuffix(name, ")"), names)] != nil {
				return false
			}
			continue
		}
		name, value, ok := strings.Cut(term, " = ")
		if !ok || values[value] == nil {
			panic("quick tables do not know the condition " + term)
		}
		if !reflect.DeepEqual(old[named(name, names)], values[value]) {
			return false
		}
	}
	return true
}

func named(name string, names map[string]string) string {
	if full, ok := names[name]; ok {
		return full
	}
	if strings.ContainsAny(name, "#() ") {
		panic("quick tables do not know " + name)
	}
	return name
}

// outcomeOf is the row after a write.
func outcomeOf(w types.TransactWriteItem, old row) row {
	switch {
	case w.Put != nil:
		return maps.Clone(w.Put.Item)
	case w.Delete != nil:
		return nil
	}
	u := w.Update
	next := maps.Clone(u.Key)
	maps.Copy(next, old)
	set, remove, _ := strings.Cut(" "+*u.UpdateExpression, " REMOVE ")
	for one := range strings.SplitSeq(strings.TrimPrefix(set, " SET "), ", ") {
		if name, value, ok := strings.Cut(one, " = "); ok {
			next[named(name, u.ExpressionAttributeNames)] = u.ExpressionAttributeValues[value]
		}
	}
	for one := range strings.SplitSeq(remove, ", ") {
		delete(next, named(one, u.ExpressionAttributeNames))
	}
	return next
}

// call is one request on its way to either storage.
type call[Out any] struct {
	apply  func(by string) (Out, error)   // does it
	fail   func(code string) (Out, error) // the answer of storage that did nothing
	claims func(r invariants.Row) bool    // its answer tells who holds the claim
}

// pass takes a request through its gate.
func pass[Out any](ctx context.Context, x *run, operation string, c call[Out]) (none Out, err error) {
	var o outcome
	switch {
	case x.outage.Load() && ctx.Value(workerKey{}) != nil:
		if gate(ctx, operation+" in the outage"); x.outage.Load() {
			return c.fail("InternalServerError")
		}
	case operation == "GetItem":
		o = gate(ctx, operation, refused_, crash)
	case operation == "TransactWriteItems":
		o = gate(ctx, operation, refused_, conflict, throttled, lost_, late, crash, crashAfter)
	default:
		o = gate(ctx, operation, refused_, conflict, lost_, late, crash, crashAfter)
	}
	if ctx.Err() != nil && o != lost_ && o != late {
		return none, ctx.Err() // it was not sent any more
	}
	by := workerName(ctx)
	switch o {
	case refused_:
		return c.fail("InternalServerError")
	case throttled:
		return c.fail("ThrottlingException")
	case conflict:
		if operation == "TransactWriteItems" {
			return c.fail("TransactionCanceledException")
		}
		return c.fail("TransactionConflictException")
	case late:
		x.late = append(x.late, func() { _, _ = c.apply(by) })
		x.lateName = append(x.lateName, operation+" of "+by)
		return none, errWire
	}
	answer, err := c.apply(by)
	if o == crashAfter {
		die(ctx)
	}
	if o == lost_ || ctx.Err() != nil {
		return none, errors.Join(errWire, ctx.Err())
	}
	if err == nil {
		x.confirm(ctx, c.claims)
	}
	return answer, err
}
