package dynamotest

import "slices"

// checkKeyCondition checks that the key condition is an equality on the partition key and at most one condition on
// the sort key, and that the filter leaves the key alone.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
func (c cursor) checkKeyCondition() error {
	conditions, seen := map[string]condition{}, 0
	for _, part := range conjuncts(c.key) {
		name, ok := c.keyOf(part)
		if !ok {
			return invalid("Query key condition not supported")
		}
		if _, again := conditions[name]; again {
			return invalid("KeyConditionExpressions must only contain one condition per key")
		}
		conditions[name] = part
		seen++
	}
	equality, ok := conditions[c.index.hash].(comparison)
	if !ok {
		if conditions[c.index.hash] == nil {
			return invalid("Query condition missed key schema element: %s", c.index.hash)
		}
		return invalid("Query key condition not supported")
	}
	if equality.operator != "=" {
		return invalid("Query key condition not supported")
	}
	if _, ok := conditions[c.index.sort]; seen == 2 && !ok {
		return invalid("Query condition missed key schema element: %s", c.index.sort)
	}
	return nil
}

// conjuncts takes ANDs apart.
func conjuncts(c condition) []condition {
	switch c := c.(type) {
	case group:
		return conjuncts(c.condition)
	case both:
		return append(conjuncts(c.a), conjuncts(c.b)...)
	}
	return []condition{c}
}

// keyOf returns the attribute that one condition compares with values of the attribute's type.
func (c cursor) keyOf(part condition) (name string, ok bool) {
	var left operand
	var right []operand
	switch k := part.(type) {
	case comparison:
		left, right, ok = k.left, []operand{k.right}, k.operator != "<>"
	case between:
		left, right, ok = k.v, []operand{k.low, k.high}, true
	case beginsWith:
		left, right, ok = k.v, []operand{k.prefix}, true
	}
	p, isPath := left.(path)
	if !ok || !isPath || len(p) != 1 {
		return "", false
	}
	return p[0].name, !slices.ContainsFunc(right, func(o operand) bool {
		l, ok := o.(literal)
		return !ok || slices.Contains(c.index.keys(), p[0].name) && l.kind != c.table.types[p[0].name]
	})
}
