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
	any  bool
}

func (p placeholders) expressions() *expressions {
	return &expressions{placeholders: p, used: map[string]bool{}}
}

// finish refuses placeholders that no expression used, as the service does.
func (e *expressions) finish() error {
	if err := unused("ExpressionAttributeNames", e.any, e.used, e.ExpressionAttributeNames); err != nil {
		return err
	}
	return unused("ExpressionAttributeValues", e.any, e.used, e.ExpressionAttributeValues)
}

func unused[V any](parameter string, expressions bool, used map[string]bool, given map[string]V) error {
	if given == nil {
		return nil
	}
	if !expressions {
		return invalid("%s can only be specified when using expressions", parameter)
	}
	if len(given) == 0 {
		return invalid("%s must not be empty", parameter)
	}
	var left []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !used[name] {
			left = append(left, name)
		}
	}
	if left == nil {
		return nil
	}
	return invalid("Value provided in %s unused in expressions: keys: {%s}", parameter, strings.Join(left, ", "))
}

// A parser reads one expression by recursive descent. A mistake is a panic with an *apiError, which read recovers,
// so that each rule of the grammar reads like the grammar.
type parser struct {
	*expressions
	tokens []token
	text   string
	heads  []string // first element of every path that was read
}

// read parses the text of a request's parameter by a rule that must consume all of it. It does nothing without a text.
func (e *expressions) read(parameter string, text *string, rule func(*parser)) (heads []string, err error) {
	if text == nil {
		return nil, nil
	}
	e.any = true
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *apiError:
			err = invalid("Invalid %s: %s", parameter, r.message)
		default:
			panic(r)
		}
	}()
	if strings.TrimSpace(*text) == "" {
		panic(invalid("The expression can not be empty;"))
	}
	if len(*text) > 4<<10 {
		panic(invalid("Expression size has exceeded the maximum allowed size;"))
	}
	tokens, err := lex(*text)
	if err != nil {
		panic(err)
	}
	p := &parser{expressions: e, tokens: tokens, text: *text}
	rule(p)
	if p.tokens[0].kind != endToken {
		p.unexpected()
	}
	return p.heads, nil
}

func (p *parser) fail(format string, args ...any) { panic(invalid(format, args...)) }

func (p *parser) unexpected() {
	t := p.tokens[0]
	if t.kind == endToken {
		t.text = "<EOF>"
	}
	p.fail("Syntax error; token: %q, near: %q", t.text, p.text[max(0, t.at-8):min(len(p.text), t.at+8)])
}

func (p *parser) take() token {
	t := p.tokens[0]
	if t.kind == endToken {
		p.unexpected()
	}
	p.tokens = p.tokens[1:]
	return t
}

// accept takes the next token if it is the symbol or, in any case of letters, the keyword.
func (p *parser) accept(text string) bool {
	t := p.tokens[0]
	if t.kind != symbolToken && t.kind != wordToken || !strings.EqualFold(t.text, text) {
		return false
	}
	p.tokens = p.tokens[1:]
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
			n, err := strconv.Atoi(p.tokens[0].text)
			if p.take().kind != indexToken || err != nil {
				p.fail("List index is not within the allowable range; index: [%s]", p.text)
			}
			steps = append(steps, step{index: n})
			p.expect("]")
		default:
			p.heads = append(p.heads, steps[0].name)
			return steps
		}
	}
}

func (p *parser) name() string {
	switch t := p.take(); t.kind {
	case nameToken:
		name, ok := p.ExpressionAttributeNames[t.text]
		if !ok {
			p.fail("An expression attribute name used in the document path is not defined; attribute name: %s", t.text)
		}
		p.used[t.text] = true
		return name
	case wordToken:
		if isReserved(t.text) {
			p.fail("Attribute name is a reserved keyword; reserved keyword: %s", t.text)
		}
		return t.text
	default:
		p.tokens = append([]token{t}, p.tokens...)
		p.unexpected()
		return ""
	}
}

// literal reads a :value.
func (p *parser) literal() literal {
	if p.tokens[0].kind != valueToken {
		p.unexpected()
	}
	t := p.take()
	v, ok := p.ExpressionAttributeValues[t.text]
	if !ok {
		p.fail("An expression attribute value used in expression is not defined; attribute value: %s", t.text)
	}
	p.used[t.text] = true
	return literal{v}
}

// call reads the name and the opening parenthesis of a function, if that is what comes next.
func (p *parser) call() (function string, ok bool) {
	if p.tokens[0].kind != wordToken || p.tokens[1].text != "(" {
		return "", false
	}
	function = p.take().text
	p.take()
	return function, true
}
