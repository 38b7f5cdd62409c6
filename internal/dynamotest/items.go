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

// A write is a conditional write of one item. What can be said of the request alone has been checked.
type write struct {
	table     *table
	key       item
	condition condition           // nil for none
	check     func()              // refuses an item, or a key, that does not fit the table
	next      func(old item) item // nil item deletes; nil function only checks
	paths     []path              // what an update touches
	tell      bool                // the old item when the condition fails
}

// write checks the parts that all writes share and reads the condition by the given expressions. key is the key, or the
// item that has it.
func (s *Server) write(in conditional, e *expressions, key item, returns ...string) write {
	w := write{table: s.table(in.TableName), tell: in.ReturnValuesOnConditionCheckFailure == "ALL_OLD"}
	w.condition, _ = e.condition("ConditionExpression", in.ConditionExpression)
	e.finish()
	if in.ReturnValues != "" && in.ReturnValues != "NONE" && !slices.Contains(returns, in.ReturnValues) {
		refuse("Return values set to invalid value: %s", in.ReturnValues)
	}
	if !w.tell && in.ReturnValuesOnConditionCheckFailure != "" && in.ReturnValuesOnConditionCheckFailure != "NONE" {
		refuse("ReturnValuesOnConditionCheckFailure set to invalid value: %s", in.ReturnValuesOnConditionCheckFailure)
	}
	w.table.checkContent(key)
	w.key = key.only(w.table.primary.keys())
	w.check = func() { w.table.checkKey(key) }
	return w
}

func (s *Server) preparePut(in putItem) write {
	w := s.write(in.conditional, in.expressions(), in.Item, "ALL_OLD")
	w.check = func() { w.table.checkItem(in.Item) }
	w.next = func(item) item { return in.Item }
	return w
}

func (s *Server) prepareDelete(in deleteItem) write {
	w := s.write(in.conditional, in.expressions(), in.Key, "ALL_OLD")
	w.next = func(item) item { return nil }
	return w
}

func (s *Server) prepareUpdate(in updateItem) write {
	e := in.expressions()
	u := e.update(in.UpdateExpression)
	w := s.write(in.conditional, e, in.Key, "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW")
	w.paths = u.paths()
	for _, p := range w.paths {
		if slices.Contains(w.table.primary.keys(), p[0].name) {
			refuse("One or more parameter values were invalid: Cannot update attribute %s. "+
				"This attribute is part of the key", p[0].name)
		}
	}
	w.next = func(old item) item {
		if old == nil {
			old = in.Key
		}
		updated := u.apply(old)
		w.table.checkItem(updated)
		return updated
	}
	return w
}

// plan finds what the write would do, without doing it.
func (w write) plan() (old, updated item) {
	w.check()
	old = w.table.items[w.table.encode(w.key)]
	if w.condition != nil && !w.condition(old) {
		failure := &apiError{code: "ConditionalCheckFailedException", message: "The conditional request failed"}
		if w.tell {
			failure.item = old
		}
		panic(failure)
	}
	if w.next == nil {
		return old, old
	}
	return old, w.next(old)
}

// store replaces one item by another, or by none, and tells the feed.
func (s *Server) store(t *table, key, old, updated item, byService bool) {
	if updated == nil {
		delete(t.items, t.encode(key))
	} else {
		t.items[t.encode(key)] = updated
	}
	t.feed.add(s, key, old, updated, byService)
}

// run plans a write, stores its outcome and answers with the attributes that were asked for.
func (s *Server) run(w write, returns string) any {
	old, updated := w.plan()
	s.store(w.table, w.key, old, updated, false)
	attributes := map[string]item{
		"ALL_OLD": old, "ALL_NEW": updated,
		"UPDATED_OLD": projected(old, w.paths), "UPDATED_NEW": projected(updated, w.paths),
	}[returns]
	if len(attributes) == 0 {
		return struct{}{}
	}
	return map[string]any{"Attributes": attributes}
}

// putItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
func (s *Server) putItem(in putItem) any { return s.run(s.preparePut(in), in.ReturnValues) }

// updateItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
func (s *Server) updateItem(in updateItem) any { return s.run(s.prepareUpdate(in), in.ReturnValues) }

// deleteItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html
func (s *Server) deleteItem(in deleteItem) any { return s.run(s.prepareDelete(in), in.ReturnValues) }

// getItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html
//
// Every read is consistent, whether it asks for it or not.
func (s *Server) getItem(in struct {
	TableName            string
	Key                  item
	ConsistentRead       bool
	ProjectionExpression *string
	placeholders
}) any {
	t, e := s.table(in.TableName), in.expressions()
	paths := e.projection(in.ProjectionExpression)
	e.finish()
	t.checkKey(in.Key)
	found, ok := t.items[t.encode(in.Key)]
	if !ok {
		return struct{}{}
	}
	return map[string]any{"Item": projected(found, paths)}
}
