package dynamotest

import "slices"

// A condition holds for an item, or not.
type condition func(item) bool

// condition reads a condition or filter expression and returns the attributes that it mentions. It is nil without a
// text. Precedence: OR, AND, NOT, comparison.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
func (e *expressions) condition(parameter string, text *string) (c condition, heads []string) {
	heads = e.read(parameter, text, func(p *parser) { c = p.or() })
	return c, heads
}

func (p *parser) or() condition {
	left := p.and()
	for p.accept("OR") {
		a, b := left, p.and()
		left = func(i item) bool { return a(i) || b(i) }
	}
	return left
}

func (p *parser) and() condition {
	left := p.not()
	for p.accept("AND") {
		a, b := left, p.not()
		left = func(i item) bool { return a(i) && b(i) }
	}
	return left
}

func (p *parser) not() condition {
	if p.accept("NOT") {
		return negation(p.not())
	}
	return p.primary()
}

func negation(c condition) condition { return func(i item) bool { return !c(i) } }

// primary reads a group in parentheses, a function or a comparison.
func (p *parser) primary() condition {
	if p.accept("(") {
		return p.group(p.or)
	}
	if p.tokens[0] != "size" {
		if function, ok := p.call(); ok {
			return p.function(function)
		}
	}
	left := p.operand()
	switch {
	case p.accept("BETWEEN"):
		low := p.operand()
		p.expect("AND")
		return between(left, low, p.operand())
	case p.accept("IN"):
		p.expect("(")
		list := p.operands()
		return func(i item) bool {
			return slices.ContainsFunc(list, func(o operand) bool { return holds("=", left, o, i) })
		}
	}
	return comparison(p.comparator(), left, p.operand())
}

// group reads by a rule what follows an opening parenthesis. Two around the same are refused, as on the service.
func (p *parser) group(rule func() condition) condition {
	inside := len(p.tokens)
	c := rule()
	if p.lastGroup == [2]int{inside, len(p.tokens)} {
		refuse("The expression has redundant parentheses;")
	}
	p.expect(")")
	p.lastGroup = [2]int{inside + 1, len(p.tokens)}
	return c
}

func (p *parser) comparator() string {
	if !slices.Contains([]token{"=", "<>", "<", "<=", ">", ">="}, p.tokens[0]) {
		p.unexpected()
	}
	return string(p.take())
}

func comparison(operator string, left, right operand) condition {
	if operator != "=" && operator != "<>" {
		needKind(operator, left, "S", "N", "B")
		needKind(operator, right, "S", "N", "B")
	}
	needDistinct(operator, left, right)
	return func(i item) bool { return holds(operator, left, right, i) }
}

func between(v, low, high operand) condition {
	for _, o := range []operand{v, low, high} {
		needKind("BETWEEN", o, "S", "N", "B")
	}
	a, okA := low.(literal)
	b, okB := high.(literal)
	if okA && okB {
		if order, ok := a.compare(b.value); !ok || order > 0 {
			refuse("The BETWEEN operator requires bounds of the same type, the upper not less than the lower")
		}
	}
	return func(i item) bool { return holds(">=", v, low, i) && holds("<=", v, high, i) }
}

// function reads the arguments of a function that is a condition.
func (p *parser) function(function string) condition {
	args := p.operands()
	need := func(n int) {
		if len(args) != n {
			refuse("Incorrect number of operands for operator or function; operator or function: %s", function)
		}
	}
	switch function {
	case "attribute_exists", "attribute_not_exists":
		need(1)
		if _, ok := args[0].(path); !ok {
			refuse("Operator or function requires a document path; operator or function: %s", function)
		}
		exists := func(i item) bool { _, ok := args[0].resolve(i); return ok }
		if function == "attribute_exists" {
			return exists
		}
		return negation(exists)
	case "attribute_type":
		need(2)
		want, ok := args[1].(literal)
		if !ok || want.kind != "S" || !slices.Contains(kinds(), want.text) {
			refuse("Invalid attribute type name found; operator or function: attribute_type")
		}
		return func(i item) bool { v, ok := args[0].resolve(i); return ok && v.kind == want.text }
	case "begins_with":
		need(2)
		return beginsWith(args[0], args[1])
	case "contains":
		need(2)
		needDistinct(function, args[0], args[1])
		return func(i item) bool { return contains(args[0], args[1], i) }
	}
	refuse("Invalid function name, or the function is not allowed to be used this way; function: %s", function)
	return nil
}
