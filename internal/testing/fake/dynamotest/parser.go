package dynamotest

import (
	"maps"
	"slices"
	"strings"
)

// placeholders are the maps that a request's expressions share.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html
type placeholders struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]value
}

// A parser reads the expressions of one request, one after the other, by recursive descent.
type parser struct {
	placeholders
	used      map[string]bool // placeholders
	parameter string          // the parameter whose text is read
	tokens    []string        // those that are left of it; the last is the end
}

// A node is a parsed expression.
type node struct {
	op    string // an operator, a function, or "name" or "value" for an operand
	name  string // the attribute, if op is "name"
	value value  // if op is "value"
	args  []node
}

// in returns the operand's value in an item, if it has one there.
func (n node) in(i item) (v value, ok bool) {
	if n.op == "value" {
		return n.value, true
	}
	v, ok = i[n.name]
	return v, ok
}

func (p placeholders) parser() *parser { return &parser{placeholders: p, used: map[string]bool{}} }

// read parses a parameter by a rule that must consume all of its text. Without a text it does nothing.
func (p *parser) read(parameter string, text *string, rule func()) {
	if text == nil {
		return
	}
	p.parameter, p.tokens = parameter, lex(*text)
	rule()
	if p.tokens[0] != "" {
		p.unexpected()
	}
}

// finish refuses placeholders that no expression used, as the service does.
func (p *parser) finish() {
	names, values := p.ExpressionAttributeNames, p.ExpressionAttributeValues
	if names != nil && len(names) == 0 || values != nil && len(values) == 0 {
		refuse("ExpressionAttributeNames and ExpressionAttributeValues must not be empty")
	}
	for _, name := range slices.AppendSeq(slices.Collect(maps.Keys(names)), maps.Keys(values)) {
		if !p.used[name] {
			refuse("Value provided in ExpressionAttributeNames or ExpressionAttributeValues unused in expressions: keys: {%s}", name)
		}
	}
}

func (p *parser) refuse(format string, args ...any) {
	refuse("Invalid "+p.parameter+": "+format, args...)
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

// operand reads a :value or an attribute's name.
func (p *parser) operand() node {
	t := p.tokens[0]
	if !strings.HasPrefix(t, ":") {
		return p.name()
	}
	v := p.ExpressionAttributeValues[t]
	if v.kind() == "" {
		p.refuse("An expression attribute value used in expression is not defined; attribute value: %s", t)
	}
	p.used[p.take()] = true
	return node{op: "value", value: v}
}

func (p *parser) name() node {
	t := p.tokens[0]
	name := p.ExpressionAttributeNames[t]
	switch {
	case strings.HasPrefix(t, "#") && name == "":
		p.refuse("An expression attribute name used in the document path is not defined; attribute name: %s", t)
	case strings.HasPrefix(t, "#"):
		p.used[t] = true
	case !isWord(t):
		p.unexpected()
	case p.tokens[1] == "(":
		p.refuse("Invalid function name, or one that dynamotest does not support here; function: %s", t)
	case isReserved(t):
		p.refuse("Attribute name is a reserved keyword; reserved keyword: %s", t)
	default:
		name = t
	}
	p.take()
	return node{op: "name", name: name}
}
