package connections

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/tokens"
)

// Company returns all connections of a company.
func (s *Store) Company(ctx context.Context, companyID int64) iter.Seq2[Connection, error] {
	return s.company(ctx, companyID, nil)
}

// company returns the connections of a company, the service account's first. limit is how
// many are read at once; nil: as many as storage returns.
func (s *Store) company(ctx context.Context, companyID int64, limit *int32) iter.Seq2[Connection, error] {
	partition := s.Row(Key{CompanyID: companyID}.holder(), "")["company"]
	in := new(dynamo.Expression).Equal("company", partition).Query(s.Table, "")
	in.ConsistentRead, in.Limit = aws.Bool(true), limit
	return func(yield func(Connection, error) bool) {
		for c, err := range dynamo.Query(ctx, s.DB, "connections: those of a company", in, s.read) {
			failed := err != nil && c.Principal == "" // the query, and not a row of another package
			if (failed || isPrincipal(c.Principal)) && !yield(c, err) {
				return
			}
		}
	}
}

// All returns the connections of all companies. It reads the whole table: it is for a person who asks, not for a schedule.
// A row that cannot be read is an error beside the others. Rows of the environment itself, such as the accounts of calls of its
// users, are no connections: see [Store.Row].
func (s *Store) All(ctx context.Context) iter.Seq2[Connection, error] {
	const elsewhere tokens.Principal = "of no company of this environment"
	read := func(c *Connection, item dynamo.Item) error {
		if !s.owns(item) {
			c.Principal = elsewhere
			return nil
		}
		return s.read(c, item)
	}
	return func(yield func(Connection, error) bool) {
		for c, err := range dynamo.Scan(ctx, s.DB, "connections: all", s.Table, read) {
			failed := err != nil && c.Principal == "" // the scan, and not a row of another package
			if (failed || isPrincipal(c.Principal)) && !yield(c, err) {
				return
			}
		}
	}
}

// Suspects returns the connections for which a person may have to act: disconnected ones, paused ones, and those whose
// webhook needs an administrator. What their grants need is not known here. It reads an index of their keys alone, for a
// person who asks; one that changed a moment ago may be missing.
func (s *Store) Suspects(ctx context.Context) iter.Seq2[Key, error] {
	in := new(dynamo.Expression).Equal("needs", dynamo.Text(s.needs())).Query(s.Table, "needs")
	return dynamo.Query(ctx, s.DB, "connections: those that may need a person", in, s.readKey)
}

// Listed returns what a list shows of the connections of a shard (0 to Shards-1) that have not ended, without their
// transitions and checks. It reads an index, for a person who asks; one that changed a moment ago may be as it was.
func (s *Store) Listed(ctx context.Context, shard int) iter.Seq2[Connection, error] {
	in := new(dynamo.Expression).Equal("listed", dynamo.Text(s.listed(shard))).Query(s.Table, "listed")
	return dynamo.Query(ctx, s.DB, "connections: the list", in, func(c *Connection, item dynamo.Item) error {
		err := s.read(c, item)
		c.Rev = 1 // the index has none, so that most writes do not write to it, and 0 is a row that does not exist
		return err
	})
}

// listed is a partition of the index. There are several, so that they are read at once, and no single one has all writes.
func (s *Store) listed(shard int) string {
	return fmt.Sprintf("%s#%d", s.Tokens.Environment.Name, shard)
}

// suspect reports whether a person may have to act. A pause that is over counts until the user connects again.
func (c Connection) suspect() bool {
	return c.State == Disconnected || c.State == Connected && (c.Webhooks == WebhooksNeedsAdmin || !c.PausedUntil.IsZero())
}

// needs is the partition of the index.
func (s *Store) needs() string { return s.Tokens.Environment.Name + "#person" }

// owns reports whether a row is of a company in the store's environment. A row without a company is, and one whose id is
// damaged, so that they are reported.
func (s *Store) owns(item dynamo.Item) bool {
	var company string
	err := dynamo.Decode(item, func(f *dynamo.Fields) { f.Text("company", &company) })
	id, ours := strings.CutPrefix(company, s.Tokens.Environment.Name+"#")
	return err != nil || company == "" || ours && !isPartition(id)
}

// isPartition reports whether a part of a key names a partition of the environment, which has letters alone, and no company.
func isPartition(id string) bool {
	return id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz") == ""
}

// isPrincipal reports whether a row of a company is a connection. Packages that keep
// something beside the connections have other sort keys; see [Store.Row].
func isPrincipal(p tokens.Principal) bool {
	return p == tokens.App || strings.HasPrefix(string(p), "user#")
}

// ForCompany returns the connection that serves a company's work: the service account's,
// else that of the user who connected last and whose grant works. It considers a hundred
// connections at a time, so it reads all of a larger company only if none of them works.
// Then the error is that of the connection nearest to working, or matches ErrNotFound.
func (s *Store) ForCompany(ctx context.Context, companyID int64) (Connection, error) {
	var nearest Connection
	var failed, unread error
	for some, err := range s.batches(ctx, companyID) {
		unread = cmp.Or(unread, err)
		slices.SortStableFunc(some, byUse)
		for _, c := range some {
			err := s.Works(ctx, c)
			if err == nil {
				return c, nil
			}
			if failed == nil || byUse(c, nearest) < 0 {
				nearest, failed = c, err
			}
		}
	}
	return Connection{}, cmp.Or(unread, failed, error(&Error{Key: Key{CompanyID: companyID}, Decision: ErrNotFound}))
}

// batch is how many connections are considered at a time.
const batch = 100

// batches returns the connections of a company, some at a time. A row that cannot be read
// is an error beside the others.
func (s *Store) batches(ctx context.Context, companyID int64) iter.Seq2[[]Connection, error] {
	return func(yield func([]Connection, error) bool) {
		var some []Connection
		var unread error
		for c, err := range s.company(ctx, companyID, aws.Int32(batch)) {
			if err != nil {
				unread = err
				continue
			}
			if some = append(some, c); len(some) < batch {
				continue
			}
			if !yield(some, unread) {
				return
			}
			some = nil
		}
		yield(some, unread)
	}
}

// byUse compares two connections of a company: the one that serves its work rather than
// the other one comes first.
func byUse(a, b Connection) int {
	return cmp.Or(cmp.Compare(a.rank(), b.rank()), b.ConnectedAt.Compare(a.ConnectedAt))
}

func (c Connection) rank() int {
	switch {
	case c.State == Connected && c.Principal == tokens.App:
		return 0
	case c.State == Connected:
		return 1
	case c.State == Disconnected:
		return 2
	}
	return 3
}

// Works returns nil if the connection serves calls, and else the error that a call would
// return: its own or that of its grant.
func (s *Store) Works(ctx context.Context, c Connection) error {
	if err := c.unusable(s.now()); err != nil || c.Principal == tokens.App {
		return err
	}
	g, err := s.Tokens.Grant(ctx, c.Principal)
	if err != nil {
		return unserved(c.Key, err)
	}
	return c.served(g)
}

// WorksBy is Works for a caller that has read the grant. nil: there is none.
func (s *Store) WorksBy(c Connection, g *tokens.Grant) error {
	if err := c.unusable(s.now()); err != nil || c.Principal == tokens.App {
		return err
	}
	if g == nil {
		return &Error{Key: c.Key, Decision: tokens.ErrReauthorize, Reason: noGrant}
	}
	return c.served(*g)
}

// served returns nil if the grant serves the connection.
func (c Connection) served(g tokens.Grant) error {
	if err := g.Err(); err != nil {
		return unserved(c.Key, err)
	}
	if !g.HeldBy(c.holder()) {
		return &Error{Key: c.Key, Decision: tokens.ErrReauthorize, Reason: notHeld}
	}
	return nil
}
