package dynamotest

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// placeholders are the maps that a request's expressions share.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html
type placeholders struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues item
}

// attribute returns the attribute that a token of an expression names.
func (p *placeholders) attribute(token string) string {
	if token[0] == '#' {
		return p.ExpressionAttributeNames[token]
	}
	return token
}

// An expression is a parsed text. It has the text's placeholders, not what they stand for, so that it serves every request
// with this text.
type expression struct {
	parameter    string // the request's
	condition    *node  // of a condition
	assignments  []assignment
	placeholders []string
}

// A node is a part of an expression.
type node struct {
	op    string // an operator, a function, or "name" or "value" for an operand
	token string // of an operand
	args  []*node
}

// in returns the operand's value in an item, if it has one there.
func (n *node) in(i item, p *placeholders) (v value, ok bool) {
	if n.op == "value" {
		return n.value(p), true
	}
	v, ok = i[p.attribute(n.token)]
	return v, ok
}

// value returns the operand's value, or one without a kind if the operand is an attribute.
func (n *node) value(p *placeholders) value {
	if n.op != "value" {
		return value{}
	}
	return p.ExpressionAttributeValues[n.token]
}

// names reports whether the operand is this attribute.
func (n *node) names(attribute string, p *placeholders) bool {
	return n.op == "name" && p.attribute(n.token) == attribute
}

// check refuses placeholders that are not defined, and those that no expression used, as the service does.
func (p *placeholders) check(all ...*expression) {
	names, values := p.ExpressionAttributeNames, p.ExpressionAttributeValues
	if names != nil && len(names) == 0 || values != nil && len(values) == 0 {
		refuse("ExpressionAttributeNames and ExpressionAttributeValues must not be empty")
	}
	used := 0
	for n, e := range all {
		if e != nil {
			e.defined(p)
			used += e.more(all[:n])
		}
	}
	if used < len(names)+len(values) {
		refuse("Value provided in ExpressionAttributeNames or ExpressionAttributeValues unused in expressions: %v, %v",
			slices.Sorted(maps.Keys(names)), slices.Sorted(maps.Keys(values)))
	}
}

// more returns how many placeholders the expression has besides those of others.
func (e *expression) more(others []*expression) int {
	n := 0
	for _, name := range e.placeholders {
		if !slices.ContainsFunc(others, func(o *expression) bool { return o != nil && slices.Contains(o.placeholders, name) }) {
			n++
		}
	}
	return n
}

// defined refuses placeholders that are not defined.
func (e *expression) defined(p *placeholders) {
	for _, name := range e.placeholders {
		switch {
		case name[0] == '#' && p.ExpressionAttributeNames[name] == "":
			refuse("Invalid %s: An expression attribute name used in the document path is not defined; attribute name: %s", e.parameter, name)
		case name[0] == ':' && p.ExpressionAttributeValues[name].kind == "":
			refuse("Invalid %s: An expression attribute value used in expression is not defined; attribute value: %s", e.parameter, name)
		}
	}
}

// parsed has the expressions that were read. A program has few texts; a test that makes many has them read again.
var parsed = struct {
	sync.Mutex
	expressions map[[2]string]*expression // by parameter and text
}{expressions: map[[2]string]*expression{}}

const maxParsed = 10_000

// parse reads a parameter by a rule that must consume all of its text. Without a text it returns nil.
func parse(parameter string, text *string, rule func(*parser)) *expression {
	if text == nil {
		return nil
	}
	parsed.Lock()
	defer parsed.Unlock()
	key := [2]string{parameter, *text}
	if e := parsed.expressions[key]; e != nil {
		return e
	}
	p := &parser{expression: expression{parameter: parameter}, tokens: lex(*text)}
	rule(p)
	if p.tokens[0] != "" {
		p.unexpected()
	}
	if len(parsed.expressions) == maxParsed {
		clear(parsed.expressions)
	}
	parsed.expressions[key] = &p.expression
	return &p.expression
}

// A parser reads an expression by recursive descent.
type parser struct {
	expression expression
	tokens     []string // those that are left; the last is the end
}

func (p *parser) refuse(format string, args ...any) {
	refuse("Invalid "+p.expression.parameter+": "+format, args...)
}

func (p *parser) unexpected() {
	p.refuse("Syntax error; token: %q, remaining tokens: %q", p.tokens[0], p.tokens)
}

func (p *parser) take() string {
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// accept takes the next token if it is the symbol or, in upper or lower case, the keyword. It reports whether it did.
func (p *parser) accept(text string) bool {
	if !strings.EqualFold(p.tokens[0], text) {
		return false
	}
	p.take()
	return true
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.unexpected()
	}
}

// placeholder takes a #name or a :value.
func (p *parser) placeholder() string {
	t := p.take()
	if !slices.Contains(p.expression.placeholders, t) {
		p.expression.placeholders = append(p.expression.placeholders, t)
	}
	return t
}

// operand reads a :value or an attribute's name.
func (p *parser) operand() *node {
	if !strings.HasPrefix(p.tokens[0], ":") {
		return p.name()
	}
	return &node{op: "value", token: p.placeholder()}
}

func (p *parser) name() *node {
	t := p.tokens[0]
	switch {
	case strings.HasPrefix(t, "#"):
		return &node{op: "name", token: p.placeholder()}
	case !isWord(t):
		p.unexpected()
	case p.tokens[1] == "(":
		p.refuse("Invalid function name, or one that dynamotest does not support here; function: %s", t)
	case isReserved(t):
		p.refuse("Attribute name is a reserved keyword; reserved keyword: %s", t)
	}
	return &node{op: "name", token: p.take()}
}
