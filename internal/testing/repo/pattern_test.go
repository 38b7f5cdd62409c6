package repo

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// matches reports whether an event matches a pattern of EventBridge. It knows the operators that template.yaml uses:
// texts, exists and anything-but. Another operator is an error.
//
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
func matches(pattern, event any) (bool, error) {
	switch p := pattern.(type) {
	case map[string]any:
		e, _ := event.(map[string]any)
		for key, inner := range p {
			if ok, err := matches(inner, e[key]); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case []any:
		for _, condition := range p {
			if ok, err := holds(condition, event); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	return false, fmt.Errorf("a pattern's leaf is a list, not %v", pattern)
}

func holds(condition, value any) (bool, error) {
	c, isOperator := condition.(map[string]any)
	switch {
	case !isOperator:
		return condition == value, nil
	case len(c) == 1 && c["exists"] == true:
		if _, inner := value.(map[string]any); inner {
			return false, errors.New("exists is for a leaf")
		}
		return value != nil, nil
	case len(c) == 1 && c["anything-but"] != nil:
		others, _ := c["anything-but"].([]any)
		return value != nil && !slices.Contains(others, value), nil // an absent value does not match
	}
	return false, fmt.Errorf("operator %v is unknown here", c)
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return m
}

// pipe is a pipe of template.yaml: its filters, and the template of its messages.
type pipe struct {
	t        *testing.T
	patterns []map[string]any
	input    string
}

func pipeOf(t *testing.T, name string) *pipe {
	t.Helper()
	p := &pipe{t: t}
	properties := get(template(t), "Resources", name, "Properties")
	for _, f := range items(get(properties, "SourceParameters", "FilterCriteria", "Filters")) {
		p.patterns = append(p.patterns, object(t, text(get(f, "Pattern"))))
	}
	if len(p.patterns) == 0 {
		t.Fatalf("%s has no filter", name)
	}
	p.input = text(get(properties, "TargetParameters", "InputTemplate"))
	return p
}

// placeholder is a value of the record in a template. A text has quotation marks around it, a list has none.
//
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html
var placeholder = regexp.MustCompile(`"?<\$\.([A-Za-z_.]+)>"?`)

// message returns the pipe's message for a record, and reports whether there is one. A value that the record lacks is an
// empty text, as AWS documents it. What a pipe does with a list that is absent, AWS does not document.
func (p *pipe) message(record map[string]any) (string, bool) {
	p.t.Helper()
	through := false
	for _, pattern := range p.patterns {
		ok, err := matches(pattern, record)
		if err != nil {
			p.t.Fatal(err)
		}
		through = through || ok
	}
	if !through {
		return "", false
	}
	return placeholder.ReplaceAllStringFunc(p.input, func(s string) string {
		var at any = record
		for key := range strings.SplitSeq(placeholder.FindStringSubmatch(s)[1], ".") {
			m, _ := at.(map[string]any)
			at = m[key]
		}
		switch at := at.(type) {
		case nil:
			if !strings.HasPrefix(s, `"`) && s != p.input {
				p.t.Fatalf("%s is absent and has no quotation marks", s)
			}
			return strings.Repeat(`"`, strings.Count(s, `"`))
		case []any:
			if strings.Contains(s, `"`) {
				p.t.Fatalf("%s is a list and has quotation marks", s)
			}
			list, err := json.Marshal(at)
			if err != nil {
				p.t.Fatal(err)
			}
			return string(list)
		}
		if s != p.input && strings.Count(s, `"`) != 2 {
			p.t.Fatalf("%s is a text without quotation marks", s)
		}
		return strings.Replace(s, strings.Trim(s, `"`), at.(string), 1)
	}), true
}

func TestMatches(t *testing.T) {
	t.Parallel()
	const event = `{"a":{"b":"x"},"c":"y","l":["x"]}`
	for _, tt := range []struct {
		pattern string
		want    bool
	}{
		{`{"a":{"b":["x"]}}`, true},
		{`{"a":{"b":["z","x"]},"c":["y"]}`, true},
		{`{"a":{"b":["x"]},"c":["x"]}`, false},
		{`{"a":{"b":["z"]}}`, false},
		{`{"a":{"b":[{"anything-but":["z"]}]}}`, true},
		{`{"a":{"b":[{"anything-but":["x","z"]}]}}`, false},
		{`{"a":{"absent":[{"anything-but":["z"]}]}}`, false},
		{`{"a":{"b":[{"exists":true}]}}`, true},
		{`{"d":{"b":[{"exists":true}]}}`, false},
		{`{"l":[{"exists":true}]}`, true},
	} {
		if got, err := matches(object(t, tt.pattern), object(t, event)); got != tt.want || err != nil {
			t.Errorf("%s: %v, %v, want %v", tt.pattern, got, err, tt.want)
		}
	}
	for _, bad := range []string{`{"a":"x"}`, `{"a":[{"prefix":"x"}]}`, `{"a":[{"exists":true}]}`} {
		if _, err := matches(object(t, bad), object(t, event)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}
