package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/pkg/procore"
)

// copies is the table of RFIs. Its key is the company and the RFI.
type copies struct {
	db    *dynamodb.Client
	table string
}

type item = map[string]types.AttributeValue

// handle makes the copy of an RFI as the RFI is now. An event reports only that something
// changed, so one that comes twice, late or by reconciliation needs nothing more.
func (t *copies) handle(ctx context.Context, e procore.Event, c *procore.CompanyClient) error {
	if e.Resource != "RFIs" {
		return nil
	}
	resource, err := c.Read(ctx, e)
	if errors.Is(err, procore.ErrNotFound) { // deleted, or no longer visible to us
		return t.remove(ctx, e)
	}
	if err != nil {
		return err
	}
	var rfi procore.RFI
	if _, err := procore.Unmarshal(resource, &rfi); err != nil {
		return fmt.Errorf("rfi-copy: RFI %s of company %d: %w", e.ResourceID, e.CompanyID, err)
	}
	return t.put(ctx, e, rfi)
}

// put writes a copy, unless a newer one is there. Events of an RFI are handled one after
// the other; the condition is for a call that arrives after its function's time is up.
func (t *copies) put(ctx context.Context, e procore.Event, rfi procore.RFI) error {
	row := key(e)
	row["project"] = text(strconv.FormatInt(e.ProjectID, 10))
	row["subject"] = text(rfi.Subject)
	row["status"] = text(rfi.Status)
	row["updated_at"] = text(rfi.UpdatedAt.UTC().Format("2006-01-02T15:04:05.000000Z")) // one length, so that texts compare as times do
	_, err := t.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                 &t.table,
		Item:                      row,
		ConditionExpression:       aws.String("attribute_not_exists(rfi) OR updated_at <= :now"),
		ExpressionAttributeValues: item{":now": row["updated_at"]},
	})
	if _, newer := errors.AsType[*types.ConditionalCheckFailedException](err); newer {
		return nil
	}
	return failed(e, err)
}

// remove deletes a copy, if there is one.
func (t *copies) remove(ctx context.Context, e procore.Event) error {
	_, err := t.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &t.table, Key: key(e)})
	return failed(e, err)
}

func key(e procore.Event) item {
	return item{"company": text(strconv.FormatInt(e.CompanyID, 10)), "rfi": text(string(e.ResourceID))}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// failed adds to a storage error what it happened to.
func failed(e procore.Event, err error) error {
	if err != nil {
		err = fmt.Errorf("rfi-copy: the copy of RFI %s of company %d: %w", e.ResourceID, e.CompanyID, err)
	}
	return err
}
