package dynamotest

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

const (
	maxTransactItems = 100
	maxTransactBytes = 4 << 20
	tokenLife        = 10 * time.Minute
)

type transactItem struct {
	Put            *putItem
	Update         *updateItem
	Delete         *deleteItem
	ConditionCheck *deleteItem
}

// A done transaction is remembered by its token: the same request again succeeds without effect, another is refused.
type done struct {
	digest [sha256.Size]byte
	at     time.Time
}

// transactWriteItems writes all items or none.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
func (s *Server) transactWriteItems(in struct {
	TransactItems      []json.RawMessage
	ClientRequestToken string
}) (any, error) {
	if n := len(in.TransactItems); n < 1 || n > maxTransactItems {
		return nil, invalid("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d and greater than or equal to 1", maxTransactItems)
	}
	if len(in.ClientRequestToken) > 36 {
		return nil, invalid("1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: " +
			"Member must have length less than or equal to 36")
	}
	digest := digestOf(in.TransactItems)
	if seen, err := s.seen(in.ClientRequestToken, digest); seen || err != nil {
		return struct{}{}, err
	}
	writes, err := s.prepareAll(in.TransactItems)
	if err != nil {
		return nil, err
	}
	if err := s.runAll(writes); err != nil {
		return nil, err
	}
	if in.ClientRequestToken != "" {
		s.done[in.ClientRequestToken] = done{digest, s.now()}
	}
	return struct{}{}, nil
}

// digestOf does not depend on the order in which a client wrote the members of an object.
func digestOf(items []json.RawMessage) [sha256.Size]byte {
	parsed := make([]any, len(items))
	for n, raw := range items {
		_ = json.Unmarshal(raw, &parsed[n]) // it is valid: it was part of a larger text
	}
	canonical, _ := json.Marshal(parsed)
	return sha256.Sum256(canonical)
}

func (s *Server) seen(token string, digest [sha256.Size]byte) (bool, error) {
	for t, d := range s.done {
		if s.now().Sub(d.at) >= tokenLife {
			delete(s.done, t)
		}
	}
	d, ok := s.done[token]
	if ok && d.digest != digest {
		return true, &apiError{code: "IdempotentParameterMismatchException", message: "The request uses the same " +
			"client token as a previous, but non-identical request."}
	}
	return ok, nil
}

// prepareAll checks the items one by one and that no two write the same item.
func (s *Server) prepareAll(items []json.RawMessage) ([]write, error) {
	type target struct {
		table *table
		key   string
	}
	writes, targets := make([]write, len(items)), map[target]bool{}
	for n, raw := range items {
		var in transactItem
		if err := decode(raw, &in); err != nil {
			return nil, err
		}
		w, err := s.prepare(in)
		if err != nil {
			return nil, err
		}
		writes[n] = w
		if w.bad != nil {
			continue
		}
		at := target{w.table, w.table.encode(w.key)}
		if targets[at] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		targets[at] = true
	}
	return writes, nil
}

func (s *Server) prepare(in transactItem) (w write, err error) {
	kinds := 0
	if in.Put != nil {
		w, err = s.preparePut(*in.Put)
		kinds++
	}
	if in.Update != nil {
		if in.Update.UpdateExpression == nil {
			return w, invalid("The UpdateExpression of a transaction's Update is missing")
		}
		w, err = s.prepareUpdate(*in.Update)
		kinds++
	}
	if in.Delete != nil {
		w, err = s.prepareDelete(*in.Delete)
		kinds++
	}
	if in.ConditionCheck != nil {
		if in.ConditionCheck.ConditionExpression == nil {
			return w, invalid("The ConditionExpression of a transaction's ConditionCheck is missing")
		}
		w, err = s.prepareCheck(*in.ConditionCheck)
		kinds++
	}
	if kinds != 1 {
		return w, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	return w, err
}

// runAll stores all outcomes if every write passes; otherwise it says for each why it did not.
func (s *Server) runAll(writes []write) error {
	type outcome struct{ old, updated item }
	outcomes, reasons, total := make([]outcome, len(writes)), make([]reason, len(writes)), 0
	for n, w := range writes {
		old, updated, err := w.plan()
		outcomes[n], reasons[n] = outcome{old, updated}, reason{Code: "None"}
		total += updated.bytes()
		if failed, ok := errors.AsType[*apiError](err); ok {
			reasons[n] = reason{Code: "ValidationError", Message: failed.message}
			if failed.code == "ConditionalCheckFailedException" {
				reasons[n].Code, reasons[n].Item = "ConditionalCheckFailed", failed.item
			}
		}
	}
	if slices.ContainsFunc(reasons, func(r reason) bool { return r.Code != "None" }) {
		return cancelled(reasons)
	}
	if total > maxTransactBytes {
		return invalid("Member must have size less than or equal to %d bytes: aggregate size of the transaction's items",
			maxTransactBytes)
	}
	for n, w := range writes {
		if w.next != nil {
			s.store(w.table, outcomes[n].old, outcomes[n].updated, false)
		}
	}
	return nil
}
