package dynamotest

import "slices"

// A keyParser reads a key condition expression.
type keyParser struct {
	*parser
	table *table
	index index
	seen  map[string]bool // the parts of the key that have a condition
}

// keyCondition reads an equality on the index's partition key and, perhaps, one condition on its sort key, in either
// order.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
func (e *expressions) keyCondition(t *table, x index, text *string) (c condition) {
	seen := map[string]bool{}
	e.read("KeyConditionExpression", text, func(p *parser) { c = keyParser{p, t, x, seen}.all() })
	if !seen[x.hash] {
		refuse("Query condition missed key schema element: %s", x.hash)
	}
	return c
}

func (p keyParser) all() condition {
	c := p.part()
	for p.accept("AND") {
		a, b := c, p.part()
		c = func(i item) bool { return a(i) && b(i) }
	}
	return c
}

func (p keyParser) part() condition {
	if p.accept("(") {
		return p.group(p.all)
	}
	function, called := p.call()
	if called && function != "begins_with" {
		refuse("Query key condition not supported: %s", function)
	}
	key := p.path()
	name := key[0].name
	if len(key) > 1 || !slices.Contains(p.index.keys(), name) || p.seen[name] {
		refuse("Query key condition not supported, or more than one for a key: %s", name)
	}
	p.seen[name] = true
	if p.index.hash == name {
		p.expect("=")
		return comparison("=", key, p.of(name))
	}
	switch {
	case called:
		p.expect(",")
		c := beginsWith(key, p.of(name))
		p.expect(")")
		return c
	case p.accept("BETWEEN"):
		low := p.of(name)
		p.expect("AND")
		return between(key, low, p.of(name))
	case p.tokens[0] == "<>":
		p.unexpected()
	}
	return comparison(p.comparator(), key, p.of(name))
}

// of reads a value of the key attribute's type.
func (p keyParser) of(name string) literal {
	v := p.literal()
	if v.kind != p.table.types[name] {
		refuse("Condition parameter type does not match schema type: %s", name)
	}
	return v
}
