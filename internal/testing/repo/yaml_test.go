package repo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A node of template.yaml is a string, a list, a *mapping or a tagged.
type (
	node any
	list = []node

	mapping struct {
		keys   []string
		values map[string]node
	}

	// tagged is a value after a tag, such as !Ref X.
	tagged struct {
		tag   string // without !
		value node
	}
)

// parseYAML reads the part of YAML in which template.yaml is written: blocks of mappings and lists, plain and quoted
// scalars, >- texts, [a, b] and tags. Whatever else it meets is an error, so nothing is misread.
func parseYAML(text string) (n node, err error) {
	p := &yamlParser{lines: strings.Split(text, "\n")}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("line %d: %v", p.at+1, r)
		}
	}()
	n = p.block(0)
	if _, rest := p.peek(); rest != "" {
		panic("indentation of no block: " + rest)
	}
	return n, nil
}

type yamlParser struct {
	lines []string
	at    int
}

// peek gives the next line that is not blank, with its indentation; "" is the end.
func (p *yamlParser) peek() (indent int, text string) {
	for ; p.at < len(p.lines); p.at++ {
		line := p.lines[p.at]
		text = strings.TrimLeft(line, " ")
		if text != "" && text[0] != '#' {
			if strings.ContainsRune(line, '\t') {
				panic("a tab")
			}
			return len(line) - len(text), uncomment(text)
		}
	}
	return 0, ""
}

// uncomment cuts a comment off, outside of quotes.
func uncomment(s string) string {
	quote := byte(0)
	for i := range len(s) {
		switch {
		case quote != 0:
			if s[i] == quote {
				quote = 0
			}
		case (s[i] == '"' || s[i] == '\'') && (i == 0 || strings.IndexByte(" [,", s[i-1]) >= 0):
			quote = s[i]
		case s[i] == '#' && s[i-1] == ' ':
			return strings.TrimRight(s[:i], " ")
		}
	}
	return strings.TrimRight(s, " ")
}

func (p *yamlParser) block(indent int) node {
	if _, text := p.peek(); text == "-" || strings.HasPrefix(text, "- ") {
		return p.list(indent)
	}
	return p.mapping(indent)
}

func (p *yamlParser) list(indent int) list {
	var all list
	for {
		in, text := p.peek()
		if in != indent || !strings.HasPrefix(text, "- ") {
			return all
		}
		item := strings.TrimLeft(text[2:], " ")
		if _, _, ok := cutKey(item); !ok {
			p.at++
			all = append(all, p.value(item, indent))
			continue
		}
		inner := indent + len(text) - len(item)
		p.lines[p.at] = strings.Repeat(" ", inner) + item
		all = append(all, p.mapping(inner))
	}
}

func (p *yamlParser) mapping(indent int) *mapping {
	m := &mapping{values: make(map[string]node)}
	for {
		in, text := p.peek()
		if in != indent || text == "" {
			return m
		}
		key, rest, ok := cutKey(text)
		if !ok {
			panic("not of the form key: value: " + text)
		}
		if _, twice := m.values[key]; twice {
			panic("key " + key + " for the second time")
		}
		p.at++
		m.keys = append(m.keys, key)
		m.values[key] = p.value(rest, indent)
	}
}

// cutKey cuts key: value; a value in quotes or brackets is none.
func cutKey(s string) (key, rest string, ok bool) {
	if strings.HasPrefix(s, `"`) || strings.HasPrefix(s, "'") || strings.HasPrefix(s, "[") || strings.HasPrefix(s, "!") {
		return "", "", false
	}
	if key, ok = strings.CutSuffix(s, ":"); ok && !strings.Contains(key, ": ") {
		return key, "", true
	}
	key, rest, ok = strings.Cut(s, ": ")
	return key, strings.TrimSpace(rest), ok
}

// value reads what stands after a key or a dash of this indentation, or below it.
func (p *yamlParser) value(s string, indent int) node {
	switch {
	case s == ">-":
		return p.folded(indent)
	case s != "" && s[0] == '!' && strings.HasSuffix(s, " >-"):
		return tagged{strings.TrimSuffix(s[1:], " >-"), p.folded(indent)}
	case s == "" || s[0] == '!' && !strings.Contains(s, " "):
		in, text := p.peek()
		if in <= indent || text == "" {
			panic("nothing below the key")
		}
		if s == "" {
			return p.block(in)
		}
		return tagged{s[1:], p.block(in)}
	}
	n, rest := inline(s, "")
	if rest != "" {
		panic("not understood: " + rest)
	}
	return n
}

// folded joins the lines below by blanks.
func (p *yamlParser) folded(indent int) string {
	var words []string
	for ; p.at < len(p.lines); p.at++ {
		text := strings.TrimSpace(p.lines[p.at])
		if text == "" || len(p.lines[p.at])-len(strings.TrimLeft(p.lines[p.at], " ")) <= indent {
			break
		}
		words = append(words, text)
	}
	return strings.Join(words, " ")
}

// inline reads one value up to one of the ending characters, and gives what comes after it.
func inline(s, ends string) (n node, rest string) {
	switch s[0] {
	case '!':
		tag, after, ok := strings.Cut(s[1:], " ")
		if !ok {
			panic("a tag without a value: " + s)
		}
		n, rest = inline(after, ends)
		return tagged{tag, n}, rest
	case '[':
		return flow(strings.TrimLeft(s[1:], " "))
	case '"', '\'':
		end := strings.IndexByte(s[1:], s[0])
		if end < 0 || strings.ContainsRune(s[1:end+1], '\\') {
			panic("quotes that do not end, or an escape: " + s)
		}
		return s[1 : end+1], strings.TrimLeft(s[end+2:], " ")
	case '{', '&', '*', '|', '>', '%', '@', '`':
		panic("not used in template.yaml: " + s)
	}
	end := strings.IndexAny(s, ends)
	if end < 0 {
		end = len(s)
	}
	return strings.TrimRight(s[:end], " "), s[end:]
}

func flow(s string) (all list, rest string) {
	for s != "" && s[0] != ']' {
		var n node
		n, s = inline(s, ",]")
		all = append(all, n)
		s = strings.TrimLeft(strings.TrimPrefix(s, ","), " ")
	}
	if s == "" {
		panic("a list without its ]")
	}
	return all, strings.TrimLeft(s[1:], " ")
}

func TestParseYAML(t *testing.T) {
	t.Parallel()
	got, err := parseYAML(`
a: 1 # one
b:
  - x: !Ref Y   
    y: "#, ]"
  - z
c: !If [P, !Not [!Equals [!Ref Q, ""]], 'k: v']
d: !Sub
  - ${A}/b
  - A: https://x#y
e: >-
  one: [
  two

f: []
g: !Sub >-
  {"h":
  "${A}"}
`)
	want := &mapping{[]string{"a", "b", "c", "d", "e", "f", "g"}, map[string]node{
		"a": "1",
		"b": list{&mapping{[]string{"x", "y"}, map[string]node{"x": tagged{"Ref", "Y"}, "y": "#, ]"}}, "z"},
		"c": tagged{"If", list{"P", tagged{"Not", list{tagged{"Equals", list{tagged{"Ref", "Q"}, ""}}}}, "k: v"}},
		"d": tagged{"Sub", list{"${A}/b", &mapping{[]string{"A"}, map[string]node{"A": "https://x#y"}}}},
		"e": "one: [ two",
		"f": list(nil),
		"g": tagged{"Sub", `{"h": "${A}"}`},
	}}
	if d := cmp.Diff(got, node(want), cmp.AllowUnexported(mapping{}, tagged{})); d != "" || err != nil {
		t.Errorf("error %v (-got +want):\n%s", err, d)
	}
	for _, bad := range []string{"a: 1\na: 2", "a:\n\tb: 1", "a: {b: 1}", "a: *b", "a: |\n  b", "a: [b", "a: 'b", "a:\nb: 1", "a: 1\n  b: 2", `a: "\n"`, "a: 'b' c"} {
		if got, err := parseYAML(bad); err == nil {
			t.Errorf("%q = %v, want an error", bad, got)
		}
	}
}
