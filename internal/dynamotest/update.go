package dynamotest

import (
	"maps"
	"slices"
)

// An update is a parsed update expression.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
type update struct {
	actions []action
	paths   []path
}

// An action changes what is at one path. It sees the item as it was before the whole update.
type action struct {
	path   path
	remove bool
	value  func(old item) (*value, error) // nil pointer removes
}

// update reads an update expression: each clause at most once, in any order.
func (e *expressions) update(text *string) (u update, err error) {
	clauses := map[string]func(*parser) action{
		"SET": (*parser).set, "REMOVE": (*parser).remove, "ADD": (*parser).add, "DELETE": (*parser).delete,
	}
	_, err = e.read("UpdateExpression", text, func(p *parser) {
		seen := map[string]bool{}
		for more := true; more; {
			more = false
			for keyword, clause := range clauses {
				if !p.accept(keyword) {
					continue
				}
				if seen[keyword] {
					p.fail("The %q section can only be used once in an update expression;", keyword)
				}
				seen[keyword], more = true, true
				u.actions = append(u.actions, clause(p))
				for p.accept(",") {
					u.actions = append(u.actions, clause(p))
				}
			}
		}
		for _, a := range u.actions {
			u.paths = append(u.paths, a.path)
		}
		if err := checkOverlap(u.paths); err != nil {
			panic(err)
		}
	})
	return u, err
}

func (p *parser) set() action {
	target := p.path()
	p.expect("=")
	left := p.updateOperand()
	for _, operator := range []string{"+", "-"} {
		if p.accept(operator) {
			return action{path: target, value: arithmetic(operator, left, p.updateOperand())}
		}
	}
	return action{path: target, value: func(old item) (*value, error) { return left(old) }}
}

func (p *parser) remove() action {
	return action{path: p.path(), remove: true, value: func(item) (*value, error) { return nil, nil }}
}

func (p *parser) add() action {
	target, v := p.path(), p.literal()
	p.needKind("ADD", v, "N", "SS", "NS", "BS")
	return action{path: target, value: func(old item) (*value, error) {
		have, ok := target.resolve(old)
		switch {
		case !ok:
			return &v.value, nil
		case have.kind != v.kind:
			return nil, wrongType()
		case v.kind == "N":
			return sum(have, v.value, 1)
		}
		have.set = slices.Concat(have.set, v.set)
		slices.Sort(have.set)
		have.set = slices.Compact(have.set)
		return &have, nil
	}}
}

func (p *parser) delete() action {
	target, v := p.path(), p.literal()
	p.needKind("DELETE", v, "SS", "NS", "BS")
	return action{path: target, value: func(old item) (*value, error) {
		have, ok := target.resolve(old)
		if !ok {
			return nil, nil
		}
		if have.kind != v.kind {
			return nil, wrongType()
		}
		have.set = slices.DeleteFunc(slices.Clone(have.set), func(s string) bool { return slices.Contains(v.set, s) })
		if len(have.set) == 0 {
			return nil, nil // there are no empty sets
		}
		return &have, nil
	}}
}

// An expression is what stands on the right of SET's equals sign.
type expression func(old item) (*value, error)

// updateOperand reads a path, a value, if_not_exists or list_append.
func (p *parser) updateOperand() expression {
	if p.tokens[0].kind == valueToken {
		v := p.literal().value
		return func(item) (*value, error) { return &v, nil }
	}
	function, ok := p.call()
	if !ok {
		source := p.path()
		return func(old item) (*value, error) {
			if v, ok := source.resolve(old); ok {
				return &v, nil
			}
			return nil, invalid("The provided expression refers to an attribute that does not exist in the item")
		}
	}
	switch function {
	case "if_not_exists":
		source := p.path()
		p.expect(",")
		other := p.updateOperand()
		p.expect(")")
		return func(old item) (*value, error) {
			if v, ok := source.resolve(old); ok {
				return &v, nil
			}
			return other(old)
		}
	case "list_append":
		head := p.updateOperand()
		p.expect(",")
		tail := p.updateOperand()
		p.expect(")")
		return listAppend(head, tail)
	}
	p.known(function)
	p.fail("The function is not allowed in an update expression; function: %s", function)
	return nil
}

func listAppend(head, tail expression) expression {
	return func(old item) (*value, error) {
		a, err := head(old)
		if err != nil {
			return nil, err
		}
		b, err := tail(old)
		if err != nil {
			return nil, err
		}
		if a.kind != "L" || b.kind != "L" {
			return nil, wrongType()
		}
		return &value{kind: "L", list: append(append([]value{}, a.list...), b.list...)}, nil
	}
}

func arithmetic(operator string, left, right expression) expression {
	return func(old item) (*value, error) {
		a, err := left(old)
		if err != nil {
			return nil, err
		}
		b, err := right(old)
		if err != nil {
			return nil, err
		}
		if a.kind != "N" || b.kind != "N" {
			return nil, wrongType()
		}
		if operator == "-" {
			return sum(*a, *b, -1)
		}
		return sum(*a, *b, 1)
	}
}

func sum(a, b value, sign int64) (*value, error) {
	text, err := mustNumber(a.text).add(mustNumber(b.text), sign)
	return &value{kind: "N", text: text}, err
}

func wrongType() error {
	return invalid("An operand in the update expression has an incorrect data type")
}

// apply returns the item after the update. List elements are removed last and from the end, so that an index in the
// expression means the element it meant before.
func (u update) apply(old item) (item, error) {
	updated := value{kind: "M", m: maps.Clone(old)}
	var removals []path
	for _, a := range u.actions {
		v, err := a.value(old)
		if err != nil {
			return nil, err
		}
		if v == nil {
			removals = append(removals, a.path)
			continue
		}
		var ok bool
		if updated, ok = a.path.replace(updated, v); !ok {
			return nil, badPath()
		}
	}
	slices.SortFunc(removals, func(p, q path) int { return q[len(q)-1].index - p[len(p)-1].index })
	for _, p := range removals {
		var ok bool
		if updated, ok = p.replace(updated, nil); !ok {
			return nil, badPath()
		}
	}
	return updated.m, nil
}

func badPath() error {
	return invalid("The document path provided in the update expression is invalid for update")
}
