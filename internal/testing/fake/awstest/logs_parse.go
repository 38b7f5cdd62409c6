package awstest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// query is a query of Logs Insights.
type query struct {
	filter condition
	limit  int
}

// fields are what Logs Insights discovers in a line: its text, and the attributes of its JSON object, as text.
type fields map[string]string

// condition reports whether a line is one that a filter chooses.
type condition func(fields) bool

// fieldsOf returns the fields of a line. Attributes of attributes are not discovered here.
func fieldsOf(message string) fields {
	f := fields{"@message": message}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(message), &object) != nil {
		return f
	}
	for name, value := range object {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		f[name] = text
	}
	return f
}

var (
	queryForm = regexp.MustCompile(`^fields @timestamp, @log, @logStream, @message \| filter (.+) \| sort @timestamp asc \| limit (\d+)$`)
	name      = regexp.MustCompile(`^[A-Za-z_]+$`)
	token     = regexp.MustCompile(`^\s*("[^"\\]*"|[\w.@]+|[=(),\[\]])`)
)

// parseQuery reads a query of the one form that the operator's command makes:
//
//	fields @timestamp, @log, @logStream, @message | filter CONDITION | sort @timestamp asc | limit 100
//
// A condition is @message like "text", name in ["text", "text"], name = 5678, or several in parentheses with and or or
// between them. Texts have no quote and no backslash.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Filter.html
func parseQuery(text string) (query, error) {
	parts := queryForm.FindStringSubmatch(text)
	if parts == nil {
		return query{}, malformed("not fields, filter, sort and limit as this stand-in knows them")
	}
	limit, err := strconv.Atoi(parts[2])
	if err != nil || limit < 1 || limit > maxQueryResults {
		return query{}, malformed("limit is not between 1 and %d", maxQueryResults)
	}
	p := &parser{rest: parts[1]}
	c := p.condition()
	if p.err == nil && strings.TrimSpace(p.rest) != "" {
		p.fail("the end")
	}
	return query{c, limit}, p.err
}

func malformed(format string, args ...any) error {
	return errorf("MalformedQueryException", "unexpected symbol found: "+format, args...)
}

// parser reads a condition. Its first error remains.
type parser struct {
	rest string
	err  error
}

func (p *parser) fail(want string) {
	if p.err == nil {
		p.err = malformed("%.60q where %s was expected", p.rest, want)
	}
}

// next returns the next token, or nothing if the rest does not begin with one.
func (p *parser) next() string {
	found := token.FindStringSubmatch(p.rest)
	if found == nil || p.err != nil {
		return ""
	}
	p.rest = p.rest[len(found[0]):]
	return found[1]
}

func (p *parser) expect(want string) {
	before := p.rest
	if p.next() != want {
		p.rest = before
		p.fail(want)
	}
}

// text reads a text in quotes.
func (p *parser) text() string {
	before := p.rest
	t := p.next()
	if !strings.HasPrefix(t, `"`) {
		p.rest = before
		p.fail("a text in quotes")
		return ""
	}
	return t[1 : len(t)-1]
}

func (p *parser) condition() condition {
	if strings.HasPrefix(strings.TrimSpace(p.rest), "(") {
		return p.several()
	}
	attribute := p.next()
	switch operator := p.next(); {
	case attribute == "@message" && operator == "like":
		text := p.text()
		return func(f fields) bool { return strings.Contains(f["@message"], text) }
	case operator == "in" && name.MatchString(attribute):
		texts := p.texts()
		return func(f fields) bool { v, ok := f[attribute]; return ok && slices.Contains(texts, v) }
	case operator == "=" && name.MatchString(attribute):
		number := p.next()
		if _, err := strconv.ParseInt(number, 10, 64); err != nil {
			p.fail("a number")
		}
		return func(f fields) bool { return f[attribute] == number }
	}
	p.fail(fmt.Sprintf("a comparison after %.30q", attribute))
	return nil
}

// texts reads texts in brackets.
func (p *parser) texts() []string {
	p.expect("[")
	all := []string{p.text()}
	for p.err == nil {
		switch p.next() {
		case ",":
			all = append(all, p.text())
		case "]":
			return all
		default:
			p.fail(", or ]")
		}
	}
	return all
}

// several reads conditions in parentheses, with the same word between all of them.
func (p *parser) several() condition {
	p.expect("(")
	all, word := []condition{p.condition()}, ""
	for p.err == nil {
		switch next := p.next(); {
		case next == ")":
			return join(all, word)
		case (next == "and" || next == "or") && (word == "" || word == next):
			word = next
			all = append(all, p.condition())
		default:
			p.fail("and, or, or )")
		}
	}
	return nil
}

func join(all []condition, word string) condition {
	return func(f fields) bool {
		holds := func(c condition) bool { return c(f) }
		if word == "or" {
			return slices.ContainsFunc(all, holds)
		}
		return !slices.ContainsFunc(all, func(c condition) bool { return !c(f) })
	}
}
