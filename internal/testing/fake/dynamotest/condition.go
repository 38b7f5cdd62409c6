package dynamotest

import (
	"slices"
	"strings"
)

// conditionOf reads a condition expression. It returns nil without a text.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
func conditionOf(parameter string, text *string) *expression {
	return parse(parameter, text, func(p *parser) { p.expression.condition = p.or() })
}

// Precedence: OR, AND, NOT, comparison.
func (p *parser) or() *node  { return p.chain("OR", p.and) }
func (p *parser) and() *node { return p.chain("AND", p.not) }

func (p *parser) chain(operator string, operand func() *node) *node {
	n := operand()
	for p.accept(operator) {
		n = &node{op: operator, args: []*node{n, operand()}}
	}
	return n
}

func (p *parser) not() *node {
	if p.accept("NOT") {
		return &node{op: "NOT", args: []*node{p.not()}}
	}
	if p.accept("(") {
		n := p.or()
		p.expect(")")
		return n
	}
	if p.tokens[0] == "attribute_exists" || p.tokens[0] == "attribute_not_exists" {
		function := p.take()
		p.expect("(")
		n := &node{op: function, args: []*node{p.name()}}
		p.expect(")")
		return n
	}
	left := p.operand()
	if !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, p.tokens[0]) {
		p.unexpected() // also for BETWEEN, IN and other functions, which are not supported
	}
	return &node{op: p.take(), args: []*node{left, p.operand()}}
}

// holds reports whether a condition holds for an item, which may be nil. A missing attribute makes every comparison
// false, except <>.
func (n *node) holds(i item, p *placeholders) bool {
	switch n.op {
	case "OR":
		return n.args[0].holds(i, p) || n.args[1].holds(i, p)
	case "AND":
		return n.args[0].holds(i, p) && n.args[1].holds(i, p)
	case "NOT":
		return !n.args[0].holds(i, p)
	}
	left, ok := n.args[0].in(i, p)
	if len(n.args) == 1 {
		return ok == (n.op == "attribute_exists")
	}
	right, there := n.args[1].in(i, p)
	switch {
	case !ok || !there:
		return n.op == "<>"
	case n.op == "=" || n.op == "<>":
		return left.equal(right) == (n.op == "=")
	}
	order, ordered := left.compare(right)
	return ordered && strings.IndexByte(n.op, "<=>"[order+1]) >= 0
}

// precedes reports whether an item of the partition is before all that a key condition selects.
func (n *node) precedes(i item, p *placeholders) bool {
	switch n.op {
	case "AND":
		return n.args[0].precedes(i, p) || n.args[1].precedes(i, p)
	case ">", ">=":
		return !n.holds(i, p)
	case "=":
		left, _ := n.args[0].in(i, p)
		right, _ := n.args[1].in(i, p)
		order, _ := left.compare(right)
		return order < 0
	}
	return false
}

// partitionKey returns the partition key that a key condition selects. It refuses all but an equality on the index's
// partition key and, perhaps, one condition on its sort key, in either order.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
func (n *node) partitionKey(t *table, x *index, p *placeholders) string {
	parts, operators := []*node{n}, []string{"="}
	if n.op == "AND" {
		parts = slices.Clone(n.args)
	}
	if parts[len(parts)-1].args[0].names(x.names[0], p) {
		slices.Reverse(parts)
	}
	for at, part := range parts {
		if at == x.parts || !part.args[0].names(x.names[at], p) || !slices.Contains(operators, part.op) ||
			part.args[1].value(p).kind != t.types[x.names[at]] {
			refuse("Query condition missed key schema element %s, or is not supported, or has another type", x.names[0])
		}
		operators = []string{"=", "<", "<=", ">", ">="}
	}
	return parts[0].args[1].value(p).text
}
