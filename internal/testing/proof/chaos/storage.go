//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/testing/proof/invariants"
)

// storage is DynamoDB behind a record of all writes of connections. The record
// is complete, because the faults are on this side of it.
type storage struct {
	w       *world
	backend http.Handler
	table   string // of connections
	ledger  string

	mu     sync.Mutex
	writes map[string][]*write // by row
}

// write is one confirmed write of a connection.
type write struct {
	row  invariants.Row
	sent time.Time // when the request arrived, which may be delivered late
	at   time.Time
	p    *process // nil: the driver

	restored bool // from a backup: not of the protocol
}

func newStorage(w *world, backend http.Handler) *storage {
	return &storage{w: w, backend: backend, table: w.names.Connections, ledger: w.names.Spends, writes: map[string][]*write{}}
}

// update is what this project writes of a connection: an UpdateItem that sets
// or removes every attribute.
type update struct {
	TableName                 string
	Key                       invariants.Item
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues invariants.Item
}

// transaction is a claim or its release, by the write that goes with it.
type transaction struct {
	TransactItems []struct {
		Update *update
		Put    *struct{ TableName string }
		Delete *struct{ TableName string }
	}
}

// row is the connection as the update leaves it.
func (u *update) row() (invariants.Row, error) {
	i := maps.Clone(u.Key)
	for _, name := range u.ExpressionAttributeNames {
		if v, ok := u.ExpressionAttributeValues[":"+name]; ok {
			i[name] = v
		}
	}
	return invariants.RowOf(i)
}

// of is DynamoDB as one process sees it; nil is the driver, whom nothing happens to.
func (s *storage) of(p *process) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := time.Now()
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil || p != nil && p.isCut(false) {
			abort(r)
		}
		op, row, what := s.understand(r, body)
		if p != nil && !s.before(p, w, r, op, what) {
			return
		}
		k := keep()
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.backend.ServeHTTP(k, r)
		if row != nil && k.status == http.StatusOK {
			s.note(&write{row: *row, sent: sent, at: time.Now(), p: p})
		}
		if s.w.wrote != nil && op == "PutItem" {
			s.w.wrote(body, k)
		}
		if p != nil {
			s.after(p, r, what)
		}
		k.send(w, false)
	})
}

// understand gives the operation, the row that it writes, if it does, and what
// that means.
func (s *storage) understand(r *http.Request, body []byte) (op string, row *invariants.Row, what string) {
	_, op, _ = strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var u *update
	switch op {
	case "UpdateItem":
		u = &update{}
		if json.Unmarshal(body, u) != nil {
			u = nil
		}
	case "PutItem":
		return op, nil, "delivery"
	case "TransactWriteItems":
		var t transaction
		if json.Unmarshal(body, &t) == nil && len(t.TransactItems) > 0 {
			u = t.TransactItems[0].Update
		}
	}
	if u == nil || u.TableName != s.table {
		return op, nil, ""
	}
	read, err := u.row()
	if err != nil {
		s.w.fault("a write is not understood: %v", err)
		return op, nil, ""
	}
	switch {
	case read.Claimed():
		what = "claim"
	case read.LastAttempt != "" && read.Attempt == "" && op == "UpdateItem" && read.State == "active":
		what = "store"
	}
	return op, &read, what
}

func (s *storage) note(w *write) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes[w.row.Key()] = append(s.writes[w.row.Key()], w)
}

// before is what may happen on the way to the table; false: it ends there.
func (s *storage) before(p *process, w http.ResponseWriter, r *http.Request, op, what string) bool {
	if what != "" {
		s.w.moment(p, what+" arrives")
	}
	if s.w.calm.Load() || op == "" {
		return true
	}
	d := s.w.dice
	switch n := d.n(120 * s.w.rare); {
	case what != "" && n < 2:
		// Also after the process has given up, or is gone: the request is on its way.
		s.w.network.add("DynamoDB " + what + " delivered late")
		s.w.wait(s.w.ctx, d.between(time.Second, claimLife+5*time.Second))
	case n == 2:
		s.w.network.add("DynamoDB request lost")
		abort(r)
	case n == 3:
		s.w.network.add("DynamoDB busy or failing")
		refuse(w, pick(d, []string{"InternalServerError", "ThrottlingException", "ProvisionedThroughputExceededException"}))
		return false
	case n < 6:
		s.w.network.add("DynamoDB slow")
		s.w.wait(r.Context(), d.between(20*time.Millisecond, time.Second))
	}
	return true
}

// after is what may happen on the way back.
func (s *storage) after(p *process, r *http.Request, what string) {
	if what != "" {
		s.w.moment(p, what+" was done")
	}
	n := 120 * s.w.rare
	if what != "" {
		n = 25 * s.w.rare // a lost answer matters most where something was written
	}
	if !s.w.calm.Load() && s.w.dice.one(n) {
		s.w.network.add("DynamoDB answer lost")
		abort(r)
	}
}

// refuse answers with an error of the service.
func refuse(w http.ResponseWriter, code string) {
	status := http.StatusBadRequest
	if code == "InternalServerError" {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"as chaos wants it"}`, code)
}

// scan reads a whole table.
func (w *world) scan(ctx context.Context, table string) ([]invariants.Item, error) {
	var all []invariants.Item
	in := &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)}
	for pages := dynamodb.NewScanPaginator(w.store.DB, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, m := range page.Items {
			all = append(all, invariants.ItemOf(m))
		}
	}
	return all, nil
}
