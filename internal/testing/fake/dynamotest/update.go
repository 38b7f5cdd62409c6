package dynamotest

import "maps"

// An update is a parsed update expression: the new value of each attribute, nil to remove it.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
type update map[string]*node

// update reads an update expression: SET and REMOVE, each at most once, in either order. ADD and DELETE are not
// supported.
func (p *parser) update(text *string) update {
	u := update{}
	p.read("UpdateExpression", text, func() {
		set := p.clause("SET", u)
		p.clause("REMOVE", u)
		if !set {
			p.clause("SET", u)
		}
		if len(u) == 0 {
			p.unexpected()
		}
	})
	return u
}

func (p *parser) clause(keyword string, u update) bool {
	if !p.accept(keyword) {
		return false
	}
	for more := true; more; more = p.accept(",") {
		name := p.name().name
		if _, twice := u[name]; twice {
			p.refuse("Two document paths overlap with each other; must remove or rewrite one of these paths; path: [%s]", name)
		}
		u[name] = nil
		if keyword == "SET" {
			p.expect("=")
			u[name] = new(p.sum())
		}
	}
	return true
}

func (p *parser) sum() node {
	n := p.operandOr()
	if p.tokens[0] == "+" || p.tokens[0] == "-" {
		n = node{op: p.take(), args: []node{n, p.operandOr()}}
	}
	return n
}

// operandOr reads an operand, or if_not_exists with an attribute and what stands in for it.
func (p *parser) operandOr() node {
	if p.tokens[0] != ifNotExists {
		return p.operand()
	}
	n := node{op: p.take()}
	p.expect("(")
	name := p.name()
	p.expect(",")
	n.args = []node{name, p.operand()}
	p.expect(")")
	return n
}

const ifNotExists = "if_not_exists"

// eval computes the new value from the item before the update.
func (n node) eval(old item) value {
	if n.op == ifNotExists {
		if v, ok := n.args[0].in(old); ok {
			return v
		}
		n = n.args[1]
	}
	if len(n.args) > 0 {
		a, b := n.args[0].eval(old), n.args[1].eval(old)
		if a.N == nil || b.N == nil {
			refuse("An operand in the update expression has an incorrect data type")
		}
		return value{N: new(a.N.plus(*b.N, n.op))}
	}
	v, ok := n.in(old)
	if !ok {
		refuse("The provided expression refers to an attribute that does not exist in the item")
	}
	return v
}

// apply returns the item after the update. If there was no item, the update starts from the key.
func (u update) apply(old, key item) item {
	updated := maps.Clone(key)
	maps.Copy(updated, old)
	for name, n := range u {
		if n == nil {
			delete(updated, name)
		} else {
			updated[name] = n.eval(old)
		}
	}
	return updated
}
