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

	"procore-connect/internal/testing/proof/invariants"
)

const maxBackups = 20 // of one row

// backup is a row as it was.
type backup map[string]types.AttributeValue

func (p *person) primaryKey() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"company_id": &types.AttributeValueMemberS{Value: strconv.FormatInt(p.key.CompanyID, 10)},
		"principal":  &types.AttributeValueMemberS{Value: string(p.key.Principal)},
	}
}

func (w *world) read(ctx context.Context, p *person) (backup, invariants.Row, error) {
	out, err := w.store.DB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &w.names.Connections, Key: p.primaryKey(), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, invariants.Row{}, err
	}
	r, err := invariants.RowOf(invariants.ItemOf(out.Item))
	return out.Item, r, err
}

// backUp keeps a row that works, for later.
func (w *world) backUp(ctx context.Context, p *person) {
	item, r, err := w.read(ctx, p)
	if err != nil {
		w.fault("%v", err)
		return
	}
	if p.user != 0 && r.State == "active" && !r.Claimed() && len(p.backups) < maxBackups {
		p.backups = append(p.backups, item)
	}
}

// restore puts an old row in the place of the present one, as an operator may:
// most likely its refresh token was sent since, which the ledger alone knows.
func (w *world) restore(ctx context.Context, p *person) {
	if len(p.backups) == 0 {
		return
	}
	_, now, err := w.read(ctx, p)
	if err != nil {
		w.fault("%v", err)
		return
	}
	item := maps.Clone(pick(w.dice, p.backups))
	item["rev"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Rev+1, 10)}
	row, err := invariants.RowOf(invariants.ItemOf(item))
	if err != nil {
		w.fault("%v", err)
		return
	}
	_, err = w.store.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &w.names.Connections, Item: item, ConditionExpression: aws.String("#rev = :rev"),
		ExpressionAttributeNames:  map[string]string{"#rev": "rev"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":rev": &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Rev, 10)}},
	})
	if _, changed := errors.AsType[*types.ConditionalCheckFailedException](err); changed {
		return
	}
	if err != nil {
		w.fault("%v", err)
		return
	}
	w.storage.note(&write{row: row, at: time.Now(), restored: true})
	w.did(deed{what: restored, company: p.key.CompanyID, user: p.user, row: p.row()})
}
