package dynamotest

import (
	"slices"
	"strings"
)

// condition reads a condition expression. It returns nil without a text.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
func (p *parser) condition(text *string) (condition *node) {
	p.read("ConditionExpression", text, func() { condition = new(p.or()) })
	return condition
}

// Precedence: OR, AND, NOT, comparison.
func (p *parser) or() node  { return p.chain("OR", p.and) }
func (p *parser) and() node { return p.chain("AND", p.not) }

func (p *parser) chain(operator string, operand func() node) node {
	n := operand()
	for p.accept(operator) {
		n = node{op: operator, args: []node{n, operand()}}
	}
	return n
}

func (p *parser) not() node {
	if p.accept("NOT") {
		return node{op: "NOT", args: []node{p.not()}}
	}
	if p.accept("(") {
		n := p.or()
		p.expect(")")
		return n
	}
	if p.tokens[0] == "attribute_exists" || p.tokens[0] == "attribute_not_exists" {
		function := p.take()
		p.expect("(")
		n := node{op: function, args: []node{p.name()}}
		p.expect(")")
		return n
	}
	left := p.operand()
	if !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, p.tokens[0]) {
		p.unexpected() // also for BETWEEN, IN and other functions, which are not supported
	}
	return node{op: p.take(), args: []node{left, p.operand()}}
}

// holds reports whether a condition holds for an item, which may be nil. A missing attribute makes every comparison
// false, except <>.
func (n node) holds(i item) bool {
	switch n.op {
	case "OR":
		return n.args[0].holds(i) || n.args[1].holds(i)
	case "AND":
		return n.args[0].holds(i) && n.args[1].holds(i)
	case "NOT":
		return !n.args[0].holds(i)
	}
	left, ok := n.args[0].in(i)
	if len(n.args) == 1 {
		return ok == (n.op == "attribute_exists")
	}
	right, there := n.args[1].in(i)
	order, ordered := left.compare(right)
	switch {
	case !ok || !there:
		return n.op == "<>"
	case n.op == "=" || n.op == "<>":
		return left.equal(right) == (n.op == "=")
	}
	return ordered && strings.IndexByte(n.op, "<=>"[order+1]) >= 0
}

// precedes reports whether an item of the partition is before all that a key condition selects.
func (n node) precedes(i item) bool {
	switch n.op {
	case "AND":
		return n.args[0].precedes(i) || n.args[1].precedes(i)
	case ">", ">=":
		return !n.holds(i)
	case "=":
		left, _ := n.args[0].in(i)
		right, _ := n.args[1].in(i)
		order, _ := left.compare(right)
		return order < 0
	}
	return false
}

// keyCondition reads an equality on the index's partition key and, perhaps, one condition on its sort key, in either
// order. It returns the condition and the partition's key.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
func (p *parser) keyCondition(t *table, x *index, text *string) (condition node, partition string) {
	if text == nil {
		refuse("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	p.read("KeyConditionExpression", text, func() { condition = p.or() })
	parts, operators := []node{condition}, []string{"="}
	if condition.op == "AND" {
		parts = condition.args
	}
	if parts[len(parts)-1].args[0].name == x.names[0] {
		slices.Reverse(parts)
	}
	for n, part := range parts {
		if n == x.parts || part.args[0].name != x.names[n] || !slices.Contains(operators, part.op) ||
			part.args[1].value.kind() != t.types[x.names[n]] {
			refuse("Query condition missed key schema element %s, or is not supported, or has another type", x.names[0])
		}
		operators = []string{"=", "<", "<=", ">", ">="}
	}
	return condition, parts[0].args[1].value.text()
}
