package dynamo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Get reads an item, strongly consistent. It returns nil without an error if there is none.
func Get(ctx context.Context, db *dynamodb.Client, table string, key Item) (Item, error) {
	out, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// Query pages through a query. An item that read refuses is an error in its place and does not end the rest; what names
// the query in the error of a page, which does.
func Query[T any](ctx context.Context, db *dynamodb.Client, what string, in *dynamodb.QueryInput, read func(*T, Item) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for p := dynamodb.NewQueryPaginator(db, in); p.HasMorePages(); {
			page, err := p.NextPage(ctx)
			if err != nil {
				yield(*new(T), fmt.Errorf("%s: %w", what, err))
				return
			}
			for _, item := range page.Items {
				var t T
				err := read(&t, item)
				if !yield(t, err) {
					return
				}
			}
		}
	}
}

// Scan pages through a whole table, strongly consistent, as Query does through a query.
func Scan[T any](ctx context.Context, db *dynamodb.Client, what, table string, read func(*T, Item) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		in := &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)}
		for p := dynamodb.NewScanPaginator(db, in); p.HasMorePages(); {
			page, err := p.NextPage(ctx)
			if err != nil {
				yield(*new(T), fmt.Errorf("%s: %w", what, err))
				return
			}
			for _, item := range page.Items {
				var t T
				err := read(&t, item)
				if !yield(t, err) {
					return
				}
			}
		}
	}
}

// Write makes a single write.
func Write(ctx context.Context, db *dynamodb.Client, w types.TransactWriteItem) (err error) {
	switch u, p, d := w.Update, w.Put, w.Delete; {
	case u != nil:
		_, err = db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: u.TableName, Key: u.Key, UpdateExpression: u.UpdateExpression, ConditionExpression: u.ConditionExpression,
			ExpressionAttributeNames: u.ExpressionAttributeNames, ExpressionAttributeValues: u.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: u.ReturnValuesOnConditionCheckFailure,
		})
	case p != nil:
		_, err = db.PutItem(ctx, &dynamodb.PutItemInput{TableName: p.TableName, Item: p.Item, ConditionExpression: p.ConditionExpression,
			ExpressionAttributeNames: p.ExpressionAttributeNames, ExpressionAttributeValues: p.ExpressionAttributeValues})
	default:
		_, err = db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: d.TableName, Key: d.Key, ConditionExpression: d.ConditionExpression,
			ExpressionAttributeNames: d.ExpressionAttributeNames, ExpressionAttributeValues: d.ExpressionAttributeValues})
	}
	return err
}

// Transact makes all of the writes or none.
func Transact(ctx context.Context, db *dynamodb.Client, all ...types.TransactWriteItem) error {
	_, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: all})
	return err
}

// Reasons are why storage refused writes: one for each write of a transaction, or one for a single write.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
type Reasons []types.CancellationReason

const conditionFailed = "ConditionalCheckFailed"

// Refused returns the reasons of an error. It reports false for an error after which the writes may have been made.
func Refused(err error) (Reasons, bool) {
	if one, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return Reasons{{Code: aws.String(conditionFailed), Item: one.Item}}, true
	}
	if many, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return many.CancellationReasons, true
	}
	return nil, false
}

// ConditionFailed reports whether an error is the failed condition of a single write, or of a transaction's first one.
func ConditionFailed(err error) bool {
	r, _ := Refused(err)
	return r.Failed(0)
}

// Code returns the code of a write's reason, empty if there is none.
func (r Reasons) Code(i int) string {
	if i >= len(r) {
		return ""
	}
	return aws.ToString(r[i].Code)
}

// Failed reports whether the condition of a write failed.
func (r Reasons) Failed(i int) bool { return r.Code(i) == conditionFailed }

// Conflicted reports whether a write met another transaction, which may be over by now.
func (r Reasons) Conflicted() bool {
	return slices.ContainsFunc(r, func(c types.CancellationReason) bool { return aws.ToString(c.Code) == "TransactionConflict" })
}

// AnyFailed reports whether the condition of one of n writes, from this one on, failed.
func (r Reasons) AnyFailed(from, n int) bool {
	for i := from; i < from+n; i++ {
		if r.Failed(i) {
			return true
		}
	}
	return false
}
