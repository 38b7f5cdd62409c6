// Package restore brings rows of the tables Grants and Connections back from their backups, for an operator.
//
// It makes a copy of each table as it was at a time, and puts those rows of the copies into the tables that are missing
// there. A row that exists is newer, and remains as it is. The ledger of sent refresh tokens is never restored: it is what
// makes a restored pair harmless, because it knows which were sent.
//
// Three steps can each be interrupted and repeated: [Restorer.Make] with [Restorer.Wait], [Restorer.Put], and
// [Restorer.Discard]. [Restorer.Compare] says before what Put would do.
package restore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// Restorer restores rows as they were at a time. Connections, whose grants are restored too, and At must be set.
type Restorer struct {
	Connections *connections.Store
	At          time.Time // in whole seconds
	Clock       procore.Clock
}

func (r *Restorer) db() *dynamodb.Client { return r.Connections.DB }

// row is what is read of a row of either table.
type row struct {
	item    dynamo.Item
	key     string // of the row, as text
	company int64  // of a row of Connections
	of      tokens.Principal
	ended   bool // a connection that has ended
	covered bool // the company's hook reports changes, so that they are reconciled
	own     bool // it is of the environment, and not of the moment
}

// kind reads the rows of a table.
type kind struct {
	table string
	read  func(*row, dynamo.Item) error
}

// grants reads the rows of Grants. The breaker and the heartbeats are of their moment, and a function writes them again: an
// open breaker of last week would stop all refreshes of today.
func (r *Restorer) grants() kind {
	return kind{r.Connections.Tokens.Grants, func(one *row, item dynamo.Item) error {
		err := dynamo.Decode(item, func(f *dynamo.Fields) {
			f.Require("grant")
			f.Text("grant", &one.key)
		})
		name, ours := strings.CutPrefix(one.key, r.environment())
		one.item, one.of = item, tokens.Principal(name)
		one.own = ours && (one.of == tokens.App || strings.HasPrefix(name, "user#"))
		return err
	}}
}

// connections reads the rows of Connections that belong to a company: its connections, and what is kept beside them of its
// webhook and its reconciliation. The calls of an hour, the brake and the heartbeat are of their moment.
func (r *Restorer) connections() kind {
	return kind{r.Connections.Table, func(one *row, item dynamo.Item) error {
		company, state, since := "", "", time.Time{}
		err := dynamo.Decode(item, func(f *dynamo.Fields) {
			f.Require("company", "principal")
			f.Text("company", &company)
			f.Text("principal", (*string)(&one.of))
		})
		_ = dynamo.Decode(item, func(f *dynamo.Fields) { f.Text("state", &state) }) // one that cannot be read has not ended
		_ = dynamo.Decode(item, func(f *dynamo.Fields) { f.Millis("since_ms", &since) })
		one.item, one.key = item, company+" "+string(one.of)
		one.ended = connections.State(state) == connections.Ended
		one.covered = one.of == webhook && !since.IsZero()
		name, ours := strings.CutPrefix(company, r.environment())
		var bad error
		one.company, bad = strconv.ParseInt(name, 10, 64)
		one.own = ours && bad == nil
		return err
	}}
}

// environment is the beginning of the keys of all rows of the environment. A stack whose environment was changed has rows of
// the former one, which no function reads.
func (r *Restorer) environment() string { return r.Connections.Tokens.Environment.Name + "#" }

// webhook is the sort key of the row of a company's hook, which internal/webhook/provision owns.
const webhook tokens.Principal = "webhook"

// isUser reports whether the row is a user's grant, or a connection by one.
func (one *row) isUser() bool { return strings.HasPrefix(string(one.of), "user#") }

// segments is how many parts of a copy are read, and put, at once.
const segments = 16

// scan reads a part of a table, or of its copy, and calls f with each row. An error of f ends it.
func (r *Restorer) scan(ctx context.Context, table string, part, of int32, k kind, f func(*row) error) error {
	in := &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)}
	if of > 1 {
		in.Segment, in.TotalSegments = &part, &of
	}
	for p := dynamodb.NewScanPaginator(r.db(), in); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("table %s cannot be read: %w", table, err)
		}
		for _, item := range page.Items {
			var one row
			if err := k.read(&one, item); err != nil {
				return fmt.Errorf("table %s has a row that cannot be read: %w", table, err)
			}
			if err := f(&one); err != nil {
				return err
			}
		}
	}
	return nil
}
