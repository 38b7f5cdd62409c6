package dynamotest

import "slices"

// condition reads a condition, filter or key condition expression. Precedence: OR, AND, NOT, comparison.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
func (e *expressions) condition(parameter string, text *string) (c condition, heads []string, err error) {
	heads, err = e.read(parameter, text, func(p *parser) { c = p.or() })
	return c, heads, err
}

func (p *parser) or() condition {
	left := p.and()
	for p.accept("OR") {
		left = either{left, p.and()}
	}
	return left
}

func (p *parser) and() condition {
	left := p.not()
	for p.accept("AND") {
		left = both{left, p.not()}
	}
	return left
}

func (p *parser) not() condition {
	if p.accept("NOT") {
		return not{p.not()}
	}
	return p.primary()
}

// primary reads a group in parentheses, a function or a comparison.
func (p *parser) primary() condition {
	if p.accept("(") {
		inner := p.or()
		p.expect(")")
		if _, ok := inner.(group); ok {
			p.fail("The expression has redundant parentheses;")
		}
		return group{inner}
	}
	if p.tokens[0].text != "size" {
		if function, ok := p.call(); ok {
			return p.function(function)
		}
	}
	left := p.operand()
	switch {
	case p.accept("BETWEEN"):
		low := p.operand()
		p.expect("AND")
		return p.between(left, low, p.operand())
	case p.accept("IN"):
		p.expect("(")
		return oneOf{left, p.operands(")")}
	}
	operator := p.tokens[0].text
	if !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, operator) {
		p.unexpected()
	}
	p.take()
	right := p.operand()
	if operator != "=" && operator != "<>" {
		p.needKind(operator, left, "S", "N", "B")
		p.needKind(operator, right, "S", "N", "B")
	}
	p.needDistinct(operator, left, right)
	return comparison{operator, left, right}
}

// operand reads a path, a value or size(...).
func (p *parser) operand() operand {
	if p.tokens[0].kind == valueToken {
		return p.literal()
	}
	function, ok := p.call()
	if !ok {
		return p.path()
	}
	if function != "size" {
		p.known(function)
		p.fail("The function is not allowed to be used this way in an expression; function: %s", function)
	}
	args := p.arguments(function, 1)
	p.needKind("size", args[0], "S", "B", "SS", "NS", "BS", "L", "M")
	return size{args[0]}
}

// operands reads a list up to the closing symbol.
func (p *parser) operands(closing string) []operand {
	list := []operand{p.operand()}
	for !p.accept(closing) {
		p.expect(",")
		list = append(list, p.operand())
	}
	if len(list) > 100 {
		p.fail("Invalid operand count: more than 100")
	}
	return list
}

func (p *parser) arguments(function string, want int) []operand {
	args := p.operands(")")
	if len(args) != want {
		p.fail("Incorrect number of operands for operator or function; operator or function: %s, "+
			"number of operands: %d", function, len(args))
	}
	return args
}

func (p *parser) known(function string) {
	switch function {
	case "attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size",
		"if_not_exists", "list_append":
	default:
		p.fail("Invalid function name; function: %s", function)
	}
}

func (p *parser) function(function string) condition {
	switch function {
	case "attribute_exists", "attribute_not_exists":
		arg, ok := p.arguments(function, 1)[0].(path)
		if !ok {
			p.fail("Operator or function requires a document path; operator or function: %s", function)
		}
		if function == "attribute_exists" {
			return exists{arg}
		}
		return not{exists{arg}}
	case "attribute_type":
		args := p.arguments(function, 2)
		kind, _ := args[1].resolve(nil)
		if _, ok := args[1].(literal); !ok || kind.kind != "S" {
			p.fail("Incorrect operand type for operator or function; operator or function: attribute_type, "+
				"operand type: %s", kind.kind)
		}
		if !slices.Contains([]string{"S", "N", "B", "SS", "NS", "BS", "BOOL", "NULL", "L", "M"}, kind.text) {
			p.fail("Invalid attribute type name found; type: %s", kind.text)
		}
		return hasType{args[0], kind.text}
	case "begins_with":
		args := p.arguments(function, 2)
		p.needKind(function, args[0], "S", "B")
		p.needKind(function, args[1], "S", "B")
		p.needDistinct(function, args[0], args[1])
		return beginsWith{args[0], args[1]}
	case "contains":
		args := p.arguments(function, 2)
		p.needDistinct(function, args[0], args[1])
		return contains{args[0], args[1]}
	}
	p.known(function)
	p.fail("The function is not allowed to be used this way in an expression; function: %s", function)
	return nil
}

func (p *parser) between(v, low, high operand) condition {
	for _, o := range []operand{v, low, high} {
		p.needKind("BETWEEN", o, "S", "N", "B")
	}
	a, okA := low.(literal)
	b, okB := high.(literal)
	if okA && okB {
		if order, ok := a.compare(b.value); !ok {
			p.fail("The BETWEEN operator requires same data type for lower and upper bounds")
		} else if order > 0 {
			p.fail("The BETWEEN operator requires upper bound to be greater than or equal to lower bound")
		}
	}
	return between{v, low, high}
}

// needKind refuses a literal of a kind that the operator cannot take; of a path nothing is known yet.
func (p *parser) needKind(operator string, o operand, kinds ...string) {
	if l, ok := o.(literal); ok && !slices.Contains(kinds, l.kind) {
		p.fail("Incorrect operand type for operator or function; operator or function: %s, operand type: %s",
			operator, l.kind)
	}
}

func (p *parser) needDistinct(operator string, a, b operand) {
	x, okX := a.(path)
	y, okY := b.(path)
	if okX && okY && slices.Equal(x, y) {
		p.fail("The first operand must be distinct from the remaining operands for this operator or function; "+
			"operator: %s", operator)
	}
}
