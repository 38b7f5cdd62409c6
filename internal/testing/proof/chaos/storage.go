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

	"procore-connect/internal/invariants"
)

// storage is DynamoDB, with a record of all writes of grants. The record is
// complete, because the faults happen between it and the processes.
type storage struct {
	w       *world
	backend http.Handler
	table   string // of grants
	ledger  string

	mu     sync.Mutex
	writes map[string][]*write // by row
}

// write is one confirmed write of a grant.
type write struct {
	row  invariants.Row
	sent time.Time // when the request arrived; it may be delivered late
	at   time.Time
	p    *process // nil: the driver

	restored bool // from a backup, not by the protocol
}

func newStorage(w *world, backend http.Handler) *storage {
	return &storage{w: w, backend: backend, table: w.names.Grants, ledger: w.names.Spends, writes: map[string][]*write{}}
}

// update is how this project writes a grant: an UpdateItem that sets or removes
// every attribute.
type update struct {
	TableName                 string
	Key                       invariants.Item
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues invariants.Item
}

// transaction begins with the write of a grant.
type transaction struct {
	TransactItems []struct {
		Update *update
		Put    *struct{ TableName string }
		Delete *struct{ TableName string }
	}
}

// row returns the grant after the update.
func (u *update) row() (invariants.Row, error) {
	i := maps.Clone(u.Key)
	for _, name := range u.ExpressionAttributeNames {
		if v, ok := u.ExpressionAttributeValues[":"+name]; ok {
			i[name] = v
		}
	}
	return invariants.RowOf(i)
}

// handlerFor returns DynamoDB as one process sees it. Nil is the driver, which meets no faults.
func (s *storage) handlerFor(p *process) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := time.Now()
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil || p != nil && p.isCut(false) {
			abort(r)
		}
		op, row, what := s.decode(r, body)
		if p != nil && !s.requestFaults(p, w, r, op, what) {
			return
		}
		k := newHeldAnswer()
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.backend.ServeHTTP(k, r)
		if row != nil && k.status == http.StatusOK {
			s.record(&write{row: *row, sent: sent, at: time.Now(), p: p})
		}
		if s.w.onPut != nil && op == "PutItem" {
			s.w.onPut(body, k)
		}
		if p != nil {
			s.answerFaults(p, r, what)
		}
		k.send(w, false)
	})
}

// decode returns the operation, the row that it writes if any, and what the write
// means.
func (s *storage) decode(r *http.Request, body []byte) (op string, row *invariants.Row, what string) {
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
	if u == nil || u.TableName != s.table || !invariants.IsGrant(u.Key) {
		return op, nil, ""
	}
	read, err := u.row()
	if err != nil {
		s.w.violation("a write cannot be decoded: %v", err)
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

func (s *storage) record(w *write) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes[w.row.Key()] = append(s.writes[w.row.Key()], w)
}

// requestFaults may delay, lose or refuse a request. It reports whether the request continues to the table.
func (s *storage) requestFaults(p *process, w http.ResponseWriter, r *http.Request, op, what string) bool {
	if what != "" {
		s.w.maybeHit(p, what+" arrives")
	}
	if s.w.calm.Load() || op == "" {
		return true
	}
	d := s.w.dice
	switch n := d.n(120 * s.w.rare); {
	case what != "" && n < 2:
		// This may be after the process has timed out or ended: the request is already on its way.
		s.w.network.add("DynamoDB " + what + " delivered late")
		s.w.wait(s.w.ctx, d.between(time.Second, maxClaim+5*time.Second))
	case n == 2:
		s.w.network.add("DynamoDB request lost")
		abort(r)
	case n == 3:
		s.w.network.add("DynamoDB busy or failing")
		answerError(w, pick(d, []string{"InternalServerError", "ThrottlingException", "ProvisionedThroughputExceededException"}))
		return false
	case n < 6:
		s.w.network.add("DynamoDB slow")
		s.w.wait(r.Context(), d.between(20*time.Millisecond, time.Second))
	}
	return true
}

// answerFaults may lose an answer.
func (s *storage) answerFaults(p *process, r *http.Request, what string) {
	if what != "" {
		s.w.maybeHit(p, what+" was done")
	}
	n := 120 * s.w.rare
	if what != "" {
		n = 25 * s.w.rare // a lost answer matters most after a write
	}
	if !s.w.calm.Load() && s.w.dice.oneIn(n) {
		s.w.network.add("DynamoDB answer lost")
		abort(r)
	}
}

// answerError answers with one of the service's errors.
func answerError(w http.ResponseWriter, code string) {
	status := http.StatusBadRequest
	if code == "InternalServerError" {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"chaos test"}`, code)
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
