package dynamotest

import (
	"maps"
	"slices"
)

// An assignment is a part of an update expression: the new value of an attribute.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
type assignment struct {
	token string // the attribute's name or placeholder
	to    *node  // nil: the attribute is removed
}

// updateOf reads an update expression: SET and REMOVE, each at most once, in either order. ADD and DELETE are not
// supported.
func updateOf(text *string) *expression {
	return parse("UpdateExpression", text, func(p *parser) {
		set := p.clause("SET")
		p.clause("REMOVE")
		if !set {
			p.clause("SET")
		}
		if len(p.expression.assignments) == 0 {
			p.unexpected()
		}
	})
}

func (p *parser) clause(keyword string) bool {
	if !p.accept(keyword) {
		return false
	}
	for more := true; more; more = p.accept(",") {
		a := assignment{token: p.name().token}
		if keyword == "SET" {
			p.expect("=")
			a.to = p.sum()
		}
		p.expression.assignments = append(p.expression.assignments, a)
	}
	return true
}

func (p *parser) sum() *node {
	n := p.operandOr()
	if p.tokens[0] == "+" || p.tokens[0] == "-" {
		n = &node{op: p.take(), args: []*node{n, p.operandOr()}}
	}
	return n
}

// operandOr reads an operand, or if_not_exists with an attribute and what stands in for it.
func (p *parser) operandOr() *node {
	if p.tokens[0] != ifNotExists {
		return p.operand()
	}
	n := &node{op: p.take()}
	p.expect("(")
	name := p.name()
	p.expect(",")
	n.args = []*node{name, p.operand()}
	p.expect(")")
	return n
}

const ifNotExists = "if_not_exists"

// changes returns the names of the attributes that an update changes. It refuses one that is assigned twice.
func (e *expression) changes(p *placeholders) []string {
	if e == nil {
		return nil
	}
	names := make([]string, len(e.assignments))
	for n, a := range e.assignments {
		name := p.attribute(a.token)
		if slices.Contains(names[:n], name) {
			refuse("Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path: [%s]", name)
		}
		names[n] = name
	}
	return names
}

// eval computes the new value from the item before the update.
func (n *node) eval(old item, p *placeholders) value {
	if n.op == ifNotExists {
		if v, ok := n.args[0].in(old, p); ok {
			return v
		}
		n = n.args[1]
	}
	if len(n.args) > 0 {
		a, b := n.args[0].eval(old, p), n.args[1].eval(old, p)
		if a.kind != "N" || b.kind != "N" {
			refuse("An operand in the update expression has an incorrect data type")
		}
		return value{kind: "N", text: string(number(a.text).plus(number(b.text), n.op))}
	}
	v, ok := n.in(old, p)
	if !ok {
		refuse("The provided expression refers to an attribute that does not exist in the item")
	}
	return v
}

// apply returns the item after the update. If there was no item, the update starts from the key.
func (e *expression) apply(old, key item, p *placeholders) item {
	updated := maps.Clone(old)
	if old == nil {
		updated = maps.Clone(key)
	}
	if e == nil {
		return updated
	}
	for _, a := range e.assignments {
		if a.to == nil {
			delete(updated, p.attribute(a.token))
		} else {
			updated[p.attribute(a.token)] = a.to.eval(old, p)
		}
	}
	return updated
}
