package connections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/tokens"
)

// Store keeps connections and calls Procore for their companies. DB, Table and Tokens
// must be set. It is for use by any number of goroutines; do not copy it.
type Store struct {
	DB     *dynamodb.Client
	Table  string
	Tokens *tokens.Store // its environment, clock and randomness are the store's too

	Log *slog.Logger // nil: slog.Default

	memory   memory
	accounts sync.Map // by company id, the user of the service account
}

func (s *Store) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}

// now returns the time as the table stores it, to the millisecond.
func (s *Store) now() time.Time { return s.Tokens.Clock.Now().Truncate(time.Millisecond) }

// Row returns the key of a row of a company, or of another partition that belongs to the
// environment, whose name has small letters alone. Packages that keep something beside the connections have their own rows.
func (s *Store) Row(partition, sort string) dynamo.Item {
	return dynamo.Item{"company": dynamo.Text(s.Tokens.Environment.Name + "#" + partition), "principal": dynamo.Text(sort)}
}

// rows are the rows of the Connections table.
func (s *Store) rows() dynamo.Rows[Connection] {
	return dynamo.Rows[Connection]{
		DB: s.DB, Table: s.Table, Random: s.Tokens.Random, Decode: s.read,
		Encode:   func(c Connection) (key, attributes dynamo.Item) { return s.rowKey(c.Key), s.attributes(c) },
		Revision: func(c *Connection) (*int64, *string) { return &c.Rev, &c.write },
	}
}

func (s *Store) rowKey(k Key) dynamo.Item { return s.Row(k.holder(), string(k.Principal)) }

// attributes returns the row without its key.
func (s *Store) attributes(c Connection) dynamo.Item {
	a := dynamo.Encode(c.fields)
	a["check_shard"], a["installed"], a["needs"], a["listed"] = nil, nil, nil, nil
	if c.State != Ended {
		a["listed"] = dynamo.Text(s.listed(shard(c.CompanyID)))
	}
	if c.suspect() {
		a["needs"] = dynamo.Text(s.needs())
	}
	if c.Principal == tokens.App && c.State != Ended { // an index of those that a list of installations is compared with
		a["installed"] = dynamo.Text(s.installed(c.State))
	}
	if !c.CheckAt.IsZero() { // the index holds only the rows that a schedule has to check
		a["check_shard"] = dynamo.Text(s.partition(c.turn(), shard(c.CompanyID)))
	}
	return a
}

// readKey reads the key of a row of the table or its index.
func (s *Store) readKey(k *Key, item dynamo.Item) error {
	var company string
	err := dynamo.Decode(item, func(f *dynamo.Fields) {
		f.Require("company", "principal")
		f.Text("company", &company)
		f.Text("principal", (*string)(&k.Principal))
	})
	if err == nil {
		id, _ := strings.CutPrefix(company, s.Tokens.Environment.Name+"#")
		k.CompanyID, err = strconv.ParseInt(id, 10, 64)
	}
	if err != nil {
		return fmt.Errorf("connections: row of company %q, %q: %w", company, k.Principal, err)
	}
	return nil
}

// read reads a row.
func (s *Store) read(c *Connection, item dynamo.Item) error {
	if err := s.readKey(&c.Key, item); err != nil {
		return err
	}
	if err := dynamo.Decode(item, c.fields); err != nil {
		return fmt.Errorf("connections: row of %s: %w", c.Key, err)
	}
	return nil
}

// get reads a row, strongly consistent. A missing one has its key alone.
func (s *Store) get(ctx context.Context, k Key) (Connection, error) {
	c, key := Connection{Key: k}, s.rowKey(k)
	item, err := dynamo.Get(ctx, s.DB, s.Table, key)
	if err != nil {
		return c, later(k, "the connection could not be read", err)
	}
	if len(item) > 0 {
		err = s.read(&c, item)
	}
	return c, err
}

// Connection reads a connection, strongly consistent. A missing one is an error that
// matches ErrNotFound.
func (s *Store) Connection(ctx context.Context, k Key) (Connection, error) {
	c, err := s.get(ctx, k)
	if err == nil && c.Rev == 0 {
		err = &Error{Key: k, Decision: ErrNotFound}
	}
	return c, err
}

// changedError means that the row is no longer the one that was read.
type changedError = dynamo.ChangedError[Connection]

// apply makes one step of a connection, again on the newer row when a race was lost.
// step returns false when nothing is to be done.
func (s *Store) apply(ctx context.Context, k Key, step func(Connection) (Connection, bool)) (Connection, error) {
	c, err := s.get(ctx, k)
	if err != nil {
		return c, err
	}
	return s.applyTo(ctx, c, step)
}

// applyTo is apply for a connection that was read.
func (s *Store) applyTo(ctx context.Context, c Connection, step func(Connection) (Connection, bool)) (Connection, error) {
	defer s.memory.forget(c.Key)
	var from Connection
	next, err := s.rows().Apply(ctx, c, func(c Connection) (Connection, bool) {
		from = c
		return step(c)
	})
	switch {
	case errors.As(err, new(*changedError)):
		return next, later(c.Key, "the connection keeps changing", nil)
	case err != nil:
		return next, later(c.Key, "the connection could not be stored", err)
	}
	s.changed(ctx, from, next)
	return next, nil
}

// changed logs a change of the state, and of the reference.
func (s *Store) changed(ctx context.Context, old, next Connection) {
	if old.Reference != next.Reference {
		s.log().LogAttrs(ctx, slog.LevelInfo, "reference changed", slog.Any("", next.Key), slog.String("from", old.Reference), slog.String("to", next.Reference))
	}
	if old.State == next.State {
		return
	}
	level := slog.LevelInfo
	if next.State == Disconnected {
		level = slog.LevelWarn
	}
	s.log().LogAttrs(ctx, level, "connection changed", slog.Any("", next.Key), slog.String("from", string(old.State)),
		slog.String("to", string(next.State)), slog.String("reason", next.Reason))
}

// toSecond returns a time as the table stores it.
func toSecond(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Unix(t.Unix(), 0)
}
