package restore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// CopyState is whether a copy can be read.
type CopyState string

// The states of a copy.
const (
	CopyMissing CopyState = "missing"
	CopyMaking  CopyState = "making" // DynamoDB makes it
	CopyReady   CopyState = "ready"
)

// Copy is a table as another one was at a time.
type Copy struct {
	Table string    `json:"table"` // of which it is a copy
	Name  string    `json:"name"`
	State CopyState `json:"state"`
}

// copyName is the name of a copy. The same table and time have the same name, so that the command finds what an interrupted
// one has made. docs/policies/operator-restore.json allows only such names.
func copyName(table string, at time.Time) string {
	return table + "-restored-" + at.UTC().Format("20060102T150405Z")
}

// WindowError means that there is no backup of a table for the time.
type WindowError struct {
	Table            string
	Earliest, Latest time.Time // of the backups that there are; zero: the table has none
}

func (e *WindowError) Error() string {
	if e.Earliest.IsZero() {
		return fmt.Sprintf("table %s has no point-in-time recovery, so that there is no backup of it", e.Table)
	}
	return fmt.Sprintf("table %s can be restored to a time from %s to %s", e.Table, e.Earliest.UTC().Format(time.RFC3339), e.Latest.UTC().Format(time.RFC3339))
}

// Copies returns the copies of the tables as far as they exist. The error is a [*WindowError] if one is missing and cannot
// be made.
func (r *Restorer) Copies(ctx context.Context) (all []Copy, err error) {
	for _, table := range r.tables() {
		c := Copy{Table: table, Name: copyName(table, r.At)}
		if c.State, err = r.state(ctx, c); err != nil {
			return nil, err
		}
		if c.State == CopyMissing {
			if err := r.recoverable(ctx, table); err != nil {
				return nil, err
			}
		}
		all = append(all, c)
	}
	return all, nil
}

func (r *Restorer) tables() []string {
	return []string{r.Connections.Tokens.Grants, r.Connections.Table}
}

// state describes a copy. A table with its name that is no such copy is an error: its rows would be taken for a backup's, and
// it would be deleted in the end.
func (r *Restorer) state(ctx context.Context, c Copy) (CopyState, error) {
	out, err := r.db().DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &c.Name})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return CopyMissing, nil
	}
	if err != nil {
		return "", fmt.Errorf("table %s cannot be described: %w", c.Name, err)
	}
	source, err := r.db().DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &c.Table})
	if err != nil {
		return "", fmt.Errorf("table %s cannot be described: %w", c.Table, err)
	}
	s := out.Table.RestoreSummary
	if s == nil || aws.ToString(s.SourceTableArn) != aws.ToString(source.Table.TableArn) || aws.ToTime(s.RestoreDateTime).Unix() != r.At.Unix() {
		return "", fmt.Errorf("table %s exists, and is no copy of %s at %s: delete or rename nothing, and find out who made it", c.Name, c.Table, r.At.UTC().Format(time.RFC3339))
	}
	switch out.Table.TableStatus {
	case types.TableStatusActive:
		return CopyReady, nil
	case types.TableStatusCreating:
		return CopyMaking, nil
	}
	return "", fmt.Errorf("table %s is %s", c.Name, out.Table.TableStatus)
}

// recoverable returns an error unless a table can be restored to the time.
func (r *Restorer) recoverable(ctx context.Context, table string) error {
	out, err := r.db().DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &table})
	if err != nil {
		return fmt.Errorf("the backups of table %s cannot be described: %w", table, err)
	}
	p := out.ContinuousBackupsDescription.PointInTimeRecoveryDescription
	if p == nil || p.PointInTimeRecoveryStatus != types.PointInTimeRecoveryStatusEnabled {
		return &WindowError{Table: table}
	}
	earliest, latest := aws.ToTime(p.EarliestRestorableDateTime), aws.ToTime(p.LatestRestorableDateTime)
	if r.At.Before(earliest) || r.At.After(latest) {
		return &WindowError{table, earliest, latest}
	}
	return nil
}

// Make begins to make the copies that are missing. They have no indexes, which would make them later, and no one reads.
func (r *Restorer) Make(ctx context.Context, copies []Copy) error {
	for _, c := range copies {
		if c.State != CopyMissing {
			continue
		}
		_, err := r.db().RestoreTableToPointInTime(ctx, &dynamodb.RestoreTableToPointInTimeInput{
			SourceTableName: &c.Table, TargetTableName: &c.Name, RestoreDateTime: &r.At, GlobalSecondaryIndexOverride: []types.GlobalSecondaryIndex{},
		})
		if _, exists := errors.AsType[*types.TableAlreadyExistsException](err); err != nil && !exists { // an answer was lost, or another operator makes it
			return fmt.Errorf("table %s cannot be copied: %w", c.Table, err)
		}
	}
	return nil
}

const (
	// pollEvery is how often a copy is described that is being made.
	pollEvery = 30 * time.Second
	// unseenFor is how long a new table may not be described yet.
	//
	// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
	unseenFor = 2 * time.Minute
)

// Wait returns when all copies can be read. say is called while it waits, with how long it has.
func (r *Restorer) Wait(ctx context.Context, say func(waited time.Duration)) error {
	began := r.Clock.Now()
	for {
		waited, ready := r.Clock.Now().Sub(began), true
		for _, table := range r.tables() {
			c := Copy{Table: table, Name: copyName(table, r.At)}
			state, err := r.state(ctx, c)
			if err != nil {
				return err
			}
			if state == CopyMissing && waited > unseenFor {
				return fmt.Errorf("table %s was deleted while it was being made", c.Name)
			}
			ready = ready && state == CopyReady
		}
		if ready {
			return nil
		}
		say(waited)
		if err := r.Clock.Sleep(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// Discard deletes the copies, and only tables that are the copies.
func (r *Restorer) Discard(ctx context.Context) error {
	for _, table := range r.tables() {
		c := Copy{Table: table, Name: copyName(table, r.At)}
		state, err := r.state(ctx, c)
		if err != nil {
			return err
		}
		if state == CopyMissing {
			continue
		}
		if _, err := r.db().DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &c.Name}); err != nil {
			return fmt.Errorf("the copy %s was not deleted: %w", c.Name, err)
		}
	}
	return nil
}
