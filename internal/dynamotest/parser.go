package dynamotest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// placeholders are the maps that a request's expressions share.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html
type placeholders struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]value
}

// expressions reads the expressions of one request and notes which placeholders they use.
type expressions struct {
	placeholders
	used map[string]bool
}

func (p placeholders) expressions() *expressions {
	return &expressions{placeholders: p, used: map[string]bool{}}
}

// finish refuses placeholders that no expression used, as the service does.
func (e *expressions) finish() {
	refuseUnused(e, "ExpressionAttributeNames", e.ExpressionAttributeNames)
	refuseUnused(e, "ExpressionAttributeValues", e.ExpressionAttributeValues)
}

func refuseUnused[V any](e *expressions, parameter string, given map[string]V) {
	if given != nil && len(given) == 0 {
		refuse("%s must not be empty", parameter)
	}
	left := slices.DeleteFunc(slices.Sorted(maps.Keys(given)), func(name string) bool { return e.used[name] })
	if len(left) > 0 {
		refuse("Value provided in %s unused in expressions: keys: {%s}", parameter, strings.Join(left, ", "))
	}
}

// A parser reads one expression by recursive descent.
type parser struct {
	*expressions
	tokens    []token  // that are left; the last is the end
	heads     []string // first element of every path that was read
	lastGroup [2]int   // how many tokens were left where the last group in parentheses began and ended
}

// read parses the text of a request's parameter by a rule that must consume all of it. It does nothing without a text.
// It returns the attributes that the expression mentions.
func (e *expressions) read(parameter string, text *string, rule func(*parser)) []string {
	if text == nil {
		return nil
	}
	p := &parser{expressions: e}
	failure := attempt(func() {
		if len(*text) > 4<<10 {
			refuse("Expression size has exceeded the maximum allowed size;")
		}
		p.tokens = lex(*text)
		rule(p)
		if p.tokens[0] != "" {
			p.unexpected()
		}
	})
	if failure != nil {
		refuse("Invalid %s: %s", parameter, failure.message)
	}
	return p.heads
}

func (p *parser) unexpected() {
	if p.tokens[0] == "" {
		refuse("Syntax error; token: <EOF>")
	}
	refuse("Syntax error; token: %q, before: %q", p.tokens[0], p.tokens[1])
}

func (p *parser) take() token {
	if p.tokens[0] == "" {
		p.unexpected()
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// accept takes the next token if it is the symbol or, in any case of letters, the keyword.
func (p *parser) accept(text string) bool {
	if !strings.EqualFold(string(p.tokens[0]), text) {
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

// path reads a document path: a, #a, a.b, a[0].b.
func (p *parser) path() path {
	steps := path{{name: p.name()}}
	for {
		switch {
		case p.accept("."):
			steps = append(steps, step{name: p.name()})
		case p.accept("["):
			n, err := strconv.Atoi(string(p.tokens[0]))
			if err != nil || !p.tokens[0].isIndex() {
				p.unexpected()
			}
			p.take()
			p.expect("]")
			steps = append(steps, step{index: n})
		default:
			p.heads = append(p.heads, steps[0].name)
			return steps
		}
	}
}

func (p *parser) name() string {
	t := p.tokens[0]
	switch {
	case t.isPlaceholder('#'):
		name, ok := p.ExpressionAttributeNames[string(t)]
		if !ok || name == "" {
			refuse("An expression attribute name used in the document path is not defined; attribute name: %s", t)
		}
		p.used[string(t)] = true
		p.take()
		return name
	case !t.isWord():
		p.unexpected()
	case t.isReserved():
		refuse("Attribute name is a reserved keyword; reserved keyword: %s", t)
	}
	return string(p.take())
}

// literal reads a :value.
func (p *parser) literal() literal {
	t := p.tokens[0]
	if !t.isPlaceholder(':') {
		p.unexpected()
	}
	v, ok := p.ExpressionAttributeValues[string(t)]
	if !ok {
		refuse("An expression attribute value used in expression is not defined; attribute value: %s", t)
	}
	p.used[string(t)] = true
	p.take()
	return literal{v}
}

// call reads the name and the opening parenthesis of a function, if that is what comes next.
func (p *parser) call() (function string, ok bool) {
	if !p.tokens[0].isWord() || p.tokens[1] != "(" {
		return "", false
	}
	function = string(p.take())
	p.take()
	return function, true
}
