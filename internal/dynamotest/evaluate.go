package dynamotest

import (
	"slices"
	"strconv"
	"strings"
)

// A condition holds for an item, or not. What an item lacks makes a comparison false, except <>.
type condition interface{ holds(item) bool }

// An operand has a value in an item, or none.
type operand interface{ resolve(item) (value, bool) }

type (
	either     struct{ a, b condition }
	both       struct{ a, b condition }
	not        struct{ c condition }
	group      struct{ condition } // what stood in parentheses
	comparison struct {
		operator    string
		left, right operand
	}
	between struct{ v, low, high operand }
	oneOf   struct {
		v    operand
		list []operand
	}
	exists  struct{ p path }
	hasType struct {
		v    operand
		kind string
	}
	beginsWith struct{ v, prefix operand }
	contains   struct{ v, part operand }

	literal struct{ value }
	size    struct{ of operand }
)

func (l literal) resolve(item) (value, bool) { return l.value, true }

func (p path) resolve(i item) (value, bool) { return p.in(value{kind: "M", m: i}) }

func (s size) resolve(i item) (value, bool) {
	v, ok := s.of.resolve(i)
	if !ok {
		return value{}, false
	}
	n := 0
	switch v.kind {
	case "S", "B":
		n = len(v.text)
	case "SS", "NS", "BS":
		n = len(v.set)
	case "L":
		n = len(v.list)
	case "M":
		n = len(v.m)
	default:
		return value{}, false
	}
	return value{kind: "N", text: strconv.Itoa(n)}, true
}

func (e either) holds(i item) bool { return e.a.holds(i) || e.b.holds(i) }
func (b both) holds(i item) bool   { return b.a.holds(i) && b.b.holds(i) }
func (n not) holds(i item) bool    { return !n.c.holds(i) }

func (c comparison) holds(i item) bool {
	left, okLeft := c.left.resolve(i)
	right, okRight := c.right.resolve(i)
	if !okLeft || !okRight {
		return c.operator == "<>"
	}
	switch c.operator {
	case "=":
		return left.equal(right)
	case "<>":
		return !left.equal(right)
	}
	order, ok := left.compare(right)
	if !ok {
		return false
	}
	switch c.operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order >= 0
	}
}

func (b between) holds(i item) bool {
	return comparison{">=", b.v, b.low}.holds(i) && comparison{"<=", b.v, b.high}.holds(i)
}

func (o oneOf) holds(i item) bool {
	return slices.ContainsFunc(o.list, func(x operand) bool { return comparison{"=", o.v, x}.holds(i) })
}

func (e exists) holds(i item) bool {
	_, ok := e.p.resolve(i)
	return ok
}

func (h hasType) holds(i item) bool {
	v, ok := h.v.resolve(i)
	return ok && v.kind == h.kind
}

func (b beginsWith) holds(i item) bool {
	v, okV := b.v.resolve(i)
	prefix, okP := b.prefix.resolve(i)
	text := v.kind == "S" || v.kind == "B"
	return okV && okP && text && v.kind == prefix.kind && strings.HasPrefix(v.text, prefix.text)
}

func (c contains) holds(i item) bool {
	v, okV := c.v.resolve(i)
	part, okP := c.part.resolve(i)
	if !okV || !okP {
		return false
	}
	switch v.kind {
	case "S", "B":
		return v.kind == part.kind && strings.Contains(v.text, part.text)
	case "SS", "NS", "BS":
		return v.kind[:1] == part.kind && slices.Contains(v.set, part.text)
	case "L":
		return slices.ContainsFunc(v.list, part.equal)
	}
	return false
}
