package dynamotest

import "slices"

// A request writes one item, on its own or in a transaction.
type request struct {
	TableName                           string
	Item                                item    // of a Put
	Key                                 item    // of the others
	UpdateExpression                    *string // of an Update
	ConditionExpression                 *string
	ReturnValuesOnConditionCheckFailure string
	placeholders
}

// A write is a request that has passed every check that does not depend on stored items.
type write struct {
	*request
	kind      string // Put, Update, Delete or ConditionCheck
	table     *table
	given     item        // the key, or the item that contains it
	condition *expression // nil without one
	update    *expression // nil without one

	old, updated item // set by plan; nil for no item
}

func (s *Server) prepare(kind string, in *request) *write {
	w := &write{request: in, kind: kind, table: s.table(in.TableName), given: in.Key}
	put, returned := kind == "Put", in.ReturnValuesOnConditionCheckFailure
	if put {
		w.given = in.Item
	}
	if put != (in.Item != nil) || put == (in.Key != nil) || in.UpdateExpression != nil && kind != "Update" {
		refuse("%s takes other parameters of Item, Key and UpdateExpression", kind)
	}
	if returned != "" && returned != "NONE" && returned != "ALL_OLD" {
		refuse("ReturnValuesOnConditionCheckFailure set to invalid value: %s", returned)
	}
	if kind == "ConditionCheck" && in.ConditionExpression == nil {
		refuse("1 validation error detected: Value null at 'transactItems.member.conditionCheck.conditionExpression' failed to " +
			"satisfy constraint: Member must not be null")
	}
	w.update = updateOf(in.UpdateExpression)
	w.condition = conditionOf("ConditionExpression", in.ConditionExpression)
	w.check(w.update, w.condition)
	changed := w.update.changes(&w.placeholders)
	w.table.checkContent(w.given)
	for _, name := range w.table.primary().names {
		if slices.Contains(changed, name) {
			refuse("One or more parameter values were invalid: Cannot update attribute %s. "+
				"This attribute is part of the key", name)
		}
	}
	return w
}

// plan finds out what the write would do, without doing it.
func (w *write) plan() {
	w.table.checkKeys(w.given, w.kind != "Put")
	w.old = w.table.find(w.given)
	if w.condition != nil && !w.condition.condition.holds(w.old, &w.placeholders) {
		failure := &apiError{Code: "ConditionalCheckFailedException", Message: "The conditional request failed"}
		if w.ReturnValuesOnConditionCheckFailure == "ALL_OLD" {
			failure.Item = w.old
		}
		panic(failure)
	}
	switch w.kind {
	case "ConditionCheck":
		w.updated = w.old
	case "Update":
		w.updated = w.update.apply(w.old, w.given, &w.placeholders)
		w.table.checkContent(w.updated)
		w.table.checkKeys(w.updated, false)
	default:
		w.updated = w.Item // nil for Delete
	}
}

// writeItem makes the operation for a kind of write:
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html
func writeItem(kind string) operation {
	return op(func(s *Server, in request) struct{} { return s.writeItem(kind, &in) })
}

func (s *Server) writeItem(kind string, in *request) struct{} {
	w := s.prepare(kind, in)
	w.plan()
	w.table.replace(w.old, w.updated)
	return struct{}{}
}

type getItem struct {
	TableName      string
	Key            item
	ConsistentRead bool
}

type foundItem struct {
	Item item `json:",omitzero"`
}

// getItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html
//
// Every read is consistent, even if it does not ask for that.
func (s *Server) getItem(in getItem) foundItem {
	t := s.table(in.TableName)
	t.checkContent(in.Key)
	t.checkKeys(in.Key, true)
	return foundItem{t.find(in.Key)}
}
