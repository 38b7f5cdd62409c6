package dynamotest

import (
	"slices"
	"strconv"
	"strings"
)

// An operand has a value in an item, or none.
type operand interface{ resolve(item) (value, bool) }

// A literal is a :value, the same in every item.
type literal struct{ value }

// A size is what size(...) is of its operand.
type size struct{ of operand }

func kinds() []string { return []string{"S", "N", "B", "SS", "NS", "BS", "BOOL", "NULL", "L", "M"} }

func (l literal) resolve(item) (value, bool) { return l.value, true }

func (p path) resolve(i item) (value, bool) { return p.in(value{kind: "M", m: i}) }

func (s size) resolve(i item) (value, bool) {
	v, ok := s.of.resolve(i)
	n := len(v.text) + len(v.set) + len(v.list) + len(v.m) // a value has but one of them
	return value{kind: "N", text: strconv.Itoa(n)}, ok && v.kind != "N" && v.kind != "BOOL" && v.kind != "NULL"
}

// operand reads a path, a value or size(...).
func (p *parser) operand() operand {
	if p.tokens[0].isPlaceholder(':') {
		return p.literal()
	}
	function, ok := p.call()
	if !ok {
		return p.path()
	}
	if function != "size" {
		refuse("Invalid function name, or the function is not allowed to be used this way; function: %s", function)
	}
	of := p.operand()
	p.expect(")")
	needKind("size", of, "S", "B", "SS", "NS", "BS", "L", "M")
	return size{of}
}

// operands reads a list of at most 100 up to the closing parenthesis.
func (p *parser) operands() []operand {
	list := []operand{p.operand()}
	for !p.accept(")") {
		p.expect(",")
		list = append(list, p.operand())
	}
	if len(list) > 100 {
		refuse("Invalid operand count: more than 100")
	}
	return list
}

// needKind refuses a literal of a kind that the operator cannot take; of a path nothing is known yet.
func needKind(operator string, o operand, kinds ...string) {
	if l, ok := o.(literal); ok && !slices.Contains(kinds, l.kind) {
		refuse("Incorrect operand type for operator or function; operator or function: %s, operand type: %s",
			operator, l.kind)
	}
}

func needDistinct(operator string, a, b operand) {
	x, okX := a.(path)
	y, okY := b.(path)
	if okX && okY && slices.Equal(x, y) {
		refuse("The first operand must be distinct from the remaining operands for this operator or function; "+
			"operator: %s", operator)
	}
}

// holds compares. What an item lacks makes every comparison false, except <>.
func holds(operator string, a, b operand, i item) bool {
	left, okLeft := a.resolve(i)
	right, okRight := b.resolve(i)
	if !okLeft || !okRight {
		return operator == "<>"
	}
	order, ordered := left.compare(right)
	switch operator {
	case "=":
		return left.equal(right)
	case "<>":
		return !left.equal(right)
	case "<":
		return ordered && order < 0
	case "<=":
		return ordered && order <= 0
	case ">":
		return ordered && order > 0
	default:
		return ordered && order >= 0
	}
}

func beginsWith(v, prefix operand) condition {
	needKind("begins_with", v, "S", "B")
	needKind("begins_with", prefix, "S", "B")
	needDistinct("begins_with", v, prefix)
	return func(i item) bool {
		a, okA := v.resolve(i)
		b, okB := prefix.resolve(i)
		return okA && okB && a.kind == b.kind && (a.kind == "S" || a.kind == "B") && strings.HasPrefix(a.text, b.text)
	}
}

func contains(whole, part operand, i item) bool {
	v, okV := whole.resolve(i)
	w, okW := part.resolve(i)
	switch {
	case !okV || !okW:
		return false
	case v.kind == "S" || v.kind == "B":
		return v.kind == w.kind && strings.Contains(v.text, w.text)
	case v.kind == "L":
		return slices.ContainsFunc(v.list, w.equal)
	}
	return v.set != nil && v.kind[:1] == w.kind && slices.Contains(v.set, w.text)
}
