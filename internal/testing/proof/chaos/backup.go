//go:build unix

package main

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/invariants"
)

const maxBackups = 20 // of one row

// backup is an earlier version of a row.
type backup map[string]types.AttributeValue

func (p *person) primaryKey() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"grant": &types.AttributeValueMemberS{Value: p.row()}}
}

func (w *world) read(ctx context.Context, p *person) (backup, invariants.Row, error) {
	out, err := w.store.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &w.names.Grants, Key: p.primaryKey(), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, invariants.Row{}, err
	}
	r, err := invariants.RowOf(invariants.ItemOf(out.Item))
	return out.Item, r, err
}

// backUp saves a working row for a later restore.
func (w *world) backUp(ctx context.Context, p *person) {
	item, r, err := w.read(ctx, p)
	if err != nil {
		w.violation("%v", err)
		return
	}
	if p.user != 0 && r.State == "active" && !r.Claimed() && len(p.backups) < maxBackups {
		p.backups = append(p.backups, item)
	}
}

// restore replaces the row with an old version, as an operator may. Its refresh token
// has most likely been sent since, which only the ledger knows.
func (w *world) restore(ctx context.Context, p *person) {
	if len(p.backups) == 0 {
		return
	}
	_, now, err := w.read(ctx, p)
	if err != nil {
		w.violation("%v", err)
		return
	}
	item := maps.Clone(pick(w.dice, p.backups))
	item["rev"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Rev+1, 10)}
	row, err := invariants.RowOf(invariants.ItemOf(item))
	if err != nil {
		w.violation("%v", err)
		return
	}
	_, err = w.store.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &w.names.Grants, Item: item, ConditionExpression: aws.String("#rev = :rev"),
		ExpressionAttributeNames:  map[string]string{"#rev": "rev"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":rev": &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Rev, 10)}},
	})
	if _, changed := errors.AsType[*types.ConditionalCheckFailedException](err); changed {
		return
	}
	if err != nil {
		w.violation("%v", err)
		return
	}
	w.storage.record(&write{row: row, at: time.Now(), restored: true})
	w.record(action{what: restored, row: p.row()})
}
