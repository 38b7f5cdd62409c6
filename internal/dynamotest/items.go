package dynamotest

import "slices"

// conditional is what the requests that write one item have in common.
type conditional struct {
	TableName                           string
	ConditionExpression                 *string
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	placeholders
}

type putItem struct {
	conditional
	Item item
}

type updateItem struct {
	conditional
	Key              item
	UpdateExpression *string
}

type deleteItem struct {
	conditional
	Key item
}

// A write is a conditional write of one item. What can be said without the item's present state has been checked,
// except for bad, which is an error of this item alone when it stands in a transaction.
type write struct {
	table     *table
	key       item
	bad       error
	condition condition
	next      func(old item) (item, error) // nil item deletes; nil function only checks
	paths     []path                       // what an update touches
	tell      bool                         // the old item when the condition fails
}

// write checks the parts that all writes share and reads the condition by the given expressions.
func (s *Server) write(in conditional, e *expressions, key item, returns ...string) (w write, err error) {
	if w.table, err = s.table(in.TableName); err != nil {
		return w, err
	}
	if w.condition, _, err = e.condition("ConditionExpression", in.ConditionExpression); err != nil {
		return w, err
	}
	if err := e.finish(); err != nil {
		return w, err
	}
	if in.ReturnValues != "" && !slices.Contains(returns, in.ReturnValues) {
		return w, invalid("ReturnValues %s is not one of %v", in.ReturnValues, returns)
	}
	switch in.ReturnValuesOnConditionCheckFailure {
	case "", "NONE":
	case "ALL_OLD":
		w.tell = true
	default:
		return w, invalid("ReturnValuesOnConditionCheckFailure is neither ALL_OLD nor NONE")
	}
	w.key = key.only(w.table.primary.keys())
	return w, nil
}

func (s *Server) preparePut(in putItem) (write, error) {
	w, err := s.write(in.conditional, in.expressions(), in.Item, "NONE", "ALL_OLD")
	if err == nil {
		w.bad = w.table.checkItem(in.Item)
		w.next = func(item) (item, error) { return in.Item, nil }
	}
	return w, err
}

func (s *Server) prepareDelete(in deleteItem) (write, error) {
	w, err := s.prepareCheck(in)
	w.next = func(item) (item, error) { return nil, nil }
	return w, err
}

// prepareCheck prepares a transaction's ConditionCheck.
func (s *Server) prepareCheck(in deleteItem) (write, error) {
	w, err := s.write(in.conditional, in.expressions(), in.Key, "NONE", "ALL_OLD")
	if err == nil {
		w.bad = w.table.checkKey(in.Key)
	}
	return w, err
}

func (s *Server) prepareUpdate(in updateItem) (write, error) {
	e := in.expressions()
	u, err := e.update(in.UpdateExpression)
	if err != nil {
		return write{}, err
	}
	w, err := s.write(in.conditional, e, in.Key, "NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW")
	if err != nil {
		return w, err
	}
	for _, p := range u.paths {
		if slices.Contains(w.table.primary.keys(), p[0].name) {
			return w, badValue("Cannot update attribute %s. This attribute is part of the key", p[0].name)
		}
	}
	w.bad, w.paths = w.table.checkKey(in.Key), u.paths
	w.next = func(old item) (item, error) {
		if old == nil {
			old = in.Key
		}
		updated, err := u.apply(old)
		if err != nil {
			return nil, err
		}
		return updated, w.table.checkItem(updated)
	}
	return w, nil
}

// plan finds what the write would do, without doing it.
func (w write) plan() (old, updated item, err error) {
	if w.bad != nil {
		return nil, nil, w.bad
	}
	old = w.table.items[w.table.encode(w.key)]
	if w.condition != nil && !w.condition.holds(old) {
		err := &apiError{code: "ConditionalCheckFailedException", message: "The conditional request failed"}
		if w.tell {
			err.item = old
		}
		return nil, nil, err
	}
	if w.next == nil {
		return old, old, nil
	}
	updated, err = w.next(old)
	return old, updated, err
}

// store replaces one item by another, or by none, and tells the feed.
func (s *Server) store(t *table, old, updated item, byService bool) {
	key := updated
	if updated == nil {
		key = old
	}
	key = key.only(t.primary.keys())
	if updated == nil {
		delete(t.items, t.encode(key))
	} else {
		t.items[t.encode(key)] = updated
	}
	t.feed.add(s, key, old, updated, byService)
}

// run plans a write and stores its outcome.
func (s *Server) run(w write, err error, returns string) (any, error) {
	if err != nil {
		return nil, err
	}
	old, updated, err := w.plan()
	if err != nil {
		return nil, err
	}
	s.store(w.table, old, updated, false)
	var attributes item
	switch returns {
	case "ALL_OLD":
		attributes = old
	case "ALL_NEW":
		attributes = updated
	case "UPDATED_OLD":
		attributes = projected(old, append([]path{}, w.paths...))
	case "UPDATED_NEW":
		attributes = projected(updated, append([]path{}, w.paths...))
	}
	if len(attributes) == 0 {
		return struct{}{}, nil
	}
	return map[string]any{"Attributes": attributes}, nil
}

// putItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
func (s *Server) putItem(in putItem) (any, error) {
	w, err := s.preparePut(in)
	return s.run(w, err, in.ReturnValues)
}

// updateItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (s *Server) updateItem(in updateItem) (any, error) {
	w, err := s.prepareUpdate(in)
	return s.run(w, err, in.ReturnValues)
}

// deleteItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html
func (s *Server) deleteItem(in deleteItem) (any, error) {
	w, err := s.prepareDelete(in)
	return s.run(w, err, in.ReturnValues)
}

// getItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html
//
// Every read is consistent, whether it asks for it or not.
func (s *Server) getItem(in struct {
	TableName                string
	Key                      item
	ConsistentRead           bool
	ProjectionExpression     *string
	ExpressionAttributeNames map[string]string
}) (any, error) {
	t, err := s.table(in.TableName)
	if err != nil {
		return nil, err
	}
	e := placeholders{ExpressionAttributeNames: in.ExpressionAttributeNames}.expressions()
	paths, err := e.projection(in.ProjectionExpression)
	if err != nil {
		return nil, err
	}
	if err := e.finish(); err != nil {
		return nil, err
	}
	if err := t.checkKey(in.Key); err != nil {
		return nil, err
	}
	found, ok := t.items[t.encode(in.Key)]
	if !ok {
		return struct{}{}, nil
	}
	return map[string]any{"Item": projected(found, paths)}, nil
}
