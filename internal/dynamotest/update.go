package dynamotest

import "slices"

// An update is a parsed update expression.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
type update []action

// An action changes what is at one path.
type action struct {
	path  path
	value expression
}

// An expression gives the new value from the item as it was before the whole update; nil removes.
type expression func(old item) *value

// update reads an update expression: each clause at most once, in any order.
func (e *expressions) update(text *string) (u update) {
	clauses := map[string]func(*parser) action{
		"SET": (*parser).set, "REMOVE": (*parser).remove, "ADD": (*parser).add, "DELETE": (*parser).delete,
	}
	e.read("UpdateExpression", text, func(p *parser) {
		for p.tokens[0] != "" {
			keyword := ""
			for k := range clauses {
				if p.accept(k) {
					keyword = k
				}
			}
			clause, ok := clauses[keyword]
			if !ok {
				p.unexpected() // also for a clause that comes a second time
			}
			delete(clauses, keyword)
			u = append(u, clause(p))
			for p.accept(",") {
				u = append(u, clause(p))
			}
		}
		if len(u) == 0 {
			refuse("The expression can not be empty;")
		}
		refuseOverlap(u.paths())
	})
	return u
}

func (u update) paths() []path {
	paths := make([]path, len(u))
	for n, a := range u {
		paths[n] = a.path
	}
	return paths
}

func (p *parser) set() action {
	target := p.path()
	p.expect("=")
	left := p.expression()
	for _, operator := range []string{"+", "-"} {
		if p.accept(operator) {
			right := p.expression()
			return action{target, func(old item) *value {
				a, b := left(old), right(old)
				needType(a.kind == "N" && b.kind == "N")
				return &value{kind: "N", text: addNumbers(a.text, b.text, operator)}
			}}
		}
	}
	return action{target, left}
}

func (p *parser) remove() action { return action{p.path(), func(item) *value { return nil }} }

func (p *parser) add() action {
	target, v := p.path(), p.literal()
	needKind("ADD", v, "N", "SS", "NS", "BS")
	return action{target, func(old item) *value {
		have, ok := target.resolve(old)
		if !ok {
			return &v.value
		}
		needType(have.kind == v.kind)
		if v.kind == "N" {
			have.text = addNumbers(have.text, v.text, "+")
			return &have
		}
		have.set = slices.Concat(have.set, v.set)
		slices.Sort(have.set)
		have.set = slices.Compact(have.set)
		return &have
	}}
}

func (p *parser) delete() action {
	target, v := p.path(), p.literal()
	needKind("DELETE", v, "SS", "NS", "BS")
	return action{target, func(old item) *value {
		have, ok := target.resolve(old)
		if !ok {
			return nil
		}
		needType(have.kind == v.kind)
		have.set = slices.DeleteFunc(slices.Clone(have.set), func(s string) bool { return slices.Contains(v.set, s) })
		if len(have.set) == 0 {
			return nil // there are no empty sets
		}
		return &have
	}}
}

// expression reads a path, a value, if_not_exists or list_append.
func (p *parser) expression() expression {
	if p.tokens[0].isPlaceholder(':') {
		v := p.literal().value
		return func(item) *value { return &v }
	}
	function, ok := p.call()
	if !ok {
		return existing(p.path(), func(item) *value {
			refuse("The provided expression refers to an attribute that does not exist in the item")
			return nil
		})
	}
	switch function {
	case "if_not_exists":
		source := p.path()
		p.expect(",")
		other := p.expression()
		p.expect(")")
		return existing(source, other)
	case "list_append":
		head := p.expression()
		p.expect(",")
		tail := p.expression()
		p.expect(")")
		return func(old item) *value {
			a, b := head(old), tail(old)
			needType(a.kind == "L" && b.kind == "L")
			return &value{kind: "L", list: append(append([]value{}, a.list...), b.list...)}
		}
	}
	refuse("Invalid function name, or the function is not allowed in an update expression; function: %s", function)
	return nil
}

func existing(source path, other expression) expression {
	return func(old item) *value {
		if v, ok := source.resolve(old); ok {
			return &v
		}
		return other(old)
	}
}

func needType(ok bool) {
	if !ok {
		refuse("An operand in the update expression has an incorrect data type")
	}
}

// apply returns the item after the update. List elements are removed last and from the end, so that an index in the
// expression means the element it meant before.
func (u update) apply(old item) item {
	updated := value{kind: "M", m: old}
	var removals []path
	for _, a := range u {
		if v := a.value(old); v != nil {
			updated = a.path.replace(updated, v)
		} else {
			removals = append(removals, a.path)
		}
	}
	slices.SortFunc(removals, func(p, q path) int { return q[len(q)-1].index - p[len(p)-1].index })
	for _, p := range removals {
		updated = p.replace(updated, nil)
	}
	return updated.m
}
