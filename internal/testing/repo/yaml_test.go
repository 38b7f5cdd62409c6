package repo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// A node of template.yaml is a string, a list, a *mapping or a tagged.
type (
	node any
	list = []node

	mapping struct {
		keys   []string
		values map[string]node
	}

	// tagged is a value after one of CloudFormation's tags, such as !Ref X.
	tagged struct {
		tag   string // without !
		value node
	}
)

// parseYAML reads one document. A scalar is its text, whatever its type. What CloudFormation does not read as
// it is written is an error: an alias, a key without a value, and one key twice.
func parseYAML(text string) (node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return nil, err
	}
	if document.Kind != yaml.DocumentNode {
		return nil, fmt.Errorf("an empty document")
	}
	return convert(document.Content[0])
}

func convert(y *yaml.Node) (node, error) {
	n, err := untagged(y)
	if tag, ok := strings.CutPrefix(y.Tag, "!"); ok && !strings.HasPrefix(tag, "!") {
		n = tagged{tag, n}
	}
	return n, err
}

func untagged(y *yaml.Node) (node, error) {
	switch {
	case y.Kind == yaml.MappingNode:
		return convertMapping(y)
	case y.Kind == yaml.SequenceNode:
		var all list
		for _, item := range y.Content {
			n, err := convert(item)
			if err != nil {
				return nil, err
			}
			all = append(all, n)
		}
		return all, nil
	case y.Kind != yaml.ScalarNode || y.Anchor != "" || y.Tag == "!!null":
		return nil, fmt.Errorf("line %d: an alias, an anchor or no value", y.Line)
	}
	return y.Value, nil
}

func convertMapping(y *yaml.Node) (*mapping, error) {
	m := &mapping{values: make(map[string]node)}
	for i := 0; i < len(y.Content); i += 2 {
		key := y.Content[i]
		if _, twice := m.values[key.Value]; twice || key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: key %q for the second time, or not a text", key.Line, key.Value)
		}
		n, err := convert(y.Content[i+1])
		if err != nil {
			return nil, err
		}
		m.keys = append(m.keys, key.Value)
		m.values[key.Value] = n
	}
	return m, nil
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
i: !GetAtt Role.Arn
j: !Select [0, !Split ["/", !GetAtt [Api, Url]]]
k: !And [!Condition C, true]
`)
	want := &mapping{[]string{"a", "b", "c", "d", "e", "f", "g", "i", "j", "k"}, map[string]node{
		"a": "1",
		"b": list{&mapping{[]string{"x", "y"}, map[string]node{"x": tagged{"Ref", "Y"}, "y": "#, ]"}}, "z"},
		"c": tagged{"If", list{"P", tagged{"Not", list{tagged{"Equals", list{tagged{"Ref", "Q"}, ""}}}}, "k: v"}},
		"d": tagged{"Sub", list{"${A}/b", &mapping{[]string{"A"}, map[string]node{"A": "https://x#y"}}}},
		"e": "one: [ two",
		"f": list(nil),
		"g": tagged{"Sub", `{"h": "${A}"}`},
		"i": tagged{"GetAtt", "Role.Arn"},
		"j": tagged{"Select", list{"0", tagged{"Split", list{"/", tagged{"GetAtt", list{"Api", "Url"}}}}}},
		"k": tagged{"And", list{tagged{"Condition", "C"}, "true"}},
	}}
	if d := cmp.Diff(got, node(want), cmp.AllowUnexported(mapping{}, tagged{})); d != "" || err != nil {
		t.Errorf("error %v (-got +want):\n%s", err, d)
	}
	for _, bad := range []string{
		"", "a: 1\na: 2", "a:\n\tb: 1", "a: &x 1\nb: *x", "a: [b", "a: 'b", "a:\nb: 1", "a: 1\n  b: 2", "a: 'b' c", "a: [b, ~]", "? [a]\n: 1",
	} {
		if got, err := parseYAML(bad); err == nil {
			t.Errorf("%q = %v, want an error", bad, got)
		}
	}
}
