// Package tables defines the project's five tables in Go, for the local stack and the tests; template.yaml defines the
// same tables for a deployment. docs/DESIGN.md describes their content.
//
// All are billed on demand. The indexes are sparse: an item is in one only while it has the index's key attributes.
package tables

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// activeWithin is how long Create waits for a table to become ACTIVE.
const activeWithin = time.Minute

// Names are the names under which the tables are created.
type Names struct {
	Grants      string // grant; index due
	Connections string // company, principal; indexes checks, installed, needs, listed
	Spends      string // fingerprint; expires by ttl
	Sessions    string // session; index held; expires by ttl
	Inbox       string // resource, event_id; index by_company; expires by ttl; has a stream
}

// Create creates the tables, waits until they are ACTIVE and turns time to live on. It does not change an existing table,
// so it may be called again, even by several processes at once.
func Create(ctx context.Context, client *dynamodb.Client, names Names) error {
	for _, input := range []*dynamodb.CreateTableInput{
		Grants(names.Grants), Connections(names.Connections), Spends(names.Spends), Sessions(names.Sessions), Inbox(names.Inbox),
	} {
		if err := CreateOne(ctx, client, input); err != nil {
			return err
		}
	}
	for _, name := range []string{names.Spends, names.Sessions, names.Inbox} {
		if err := expire(ctx, client, name); err != nil {
			return fmt.Errorf("tables: time to live of %s: %w", name, err)
		}
	}
	return nil
}

// CreateOne creates a table as [Create] does.
func CreateOne(ctx context.Context, client *dynamodb.Client, input *dynamodb.CreateTableInput) error {
	if err := create(ctx, client, input); err != nil {
		return fmt.Errorf("tables: create %s: %w", *input.TableName, err)
	}
	return nil
}

func create(ctx context.Context, client *dynamodb.Client, input *dynamodb.CreateTableInput) error {
	_, err := client.CreateTable(ctx, input)
	if _, exists := errors.AsType[*types.ResourceInUseException](err); err != nil && !exists {
		return err
	}
	return dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	}).Wait(ctx, &dynamodb.DescribeTableInput{TableName: input.TableName}, activeWithin)
}

// expire turns time to live on. It checks first, because the service refuses to turn it on twice.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
func expire(ctx context.Context, client *dynamodb.Client, name string) error {
	enabled := func() (bool, error) {
		out, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
		if err != nil {
			return false, err
		}
		status := out.TimeToLiveDescription.TimeToLiveStatus
		return status == types.TimeToLiveStatusEnabled || status == types.TimeToLiveStatusEnabling, nil
	}
	if done, err := enabled(); done || err != nil {
		return err
	}
	_, err := client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)},
	})
	if done, _ := enabled(); done {
		return nil // another process may have done it
	}
	return err
}
