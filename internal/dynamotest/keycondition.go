package dynamotest

import "slices"

// keyCondition reads an equality on the index's partition key and, perhaps, one condition on its sort key, in either
// order.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
func (e *expressions) keyCondition(t *table, x index, text *string) (c condition) {
	seen := map[string]bool{}
	e.read("KeyConditionExpression", text, func(p *parser) {
		c = p.keyPart(t, x, seen)
		for p.accept("AND") {
			a, b := c, p.keyPart(t, x, seen)
			c = func(i item) bool { return a(i) && b(i) }
		}
	})
	if !seen[x.hash] {
		refuse("Query condition missed key schema element: %s", x.hash)
	}
	return c
}

func (p *parser) keyPart(t *table, x index, seen map[string]bool) condition {
	if p.accept("(") {
		c := p.keyPart(t, x, seen)
		p.expect(")")
		return c
	}
	function, called := p.call()
	if called && function != "begins_with" {
		refuse("Query key condition not supported: %s", function)
	}
	key := p.path()
	name := key[0].name
	value := func() literal {
		v := p.literal()
		if v.kind != t.types[name] {
			refuse("Condition parameter type does not match schema type: %s", name)
		}
		return v
	}
	if len(key) > 1 || !slices.Contains(x.keys(), name) || seen[name] {
		refuse("Query key condition not supported, or more than one for a key: %s", name)
	}
	seen[name] = true
	if x.hash == name {
		p.expect("=")
		return comparison("=", key, value())
	}
	switch {
	case called:
		p.expect(",")
		c := beginsWith(key, value())
		p.expect(")")
		return c
	case p.accept("BETWEEN"):
		low := value()
		p.expect("AND")
		return between(key, low, value())
	case p.tokens[0] == "<>":
		p.unexpected()
	}
	return comparison(p.comparator(), key, value())
}
