package streamtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Filters are those of an event source mapping. They know the operators that template.yaml
// uses: texts, exists and anything-but. Any other is an error.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
type Filters []any

// ParseFilters reads filters, each a pattern as JSON.
func ParseFilters(texts []string) (all Filters, err error) {
	for _, text := range texts {
		var pattern any
		if err := json.Unmarshal([]byte(text), &pattern); err != nil {
			return nil, fmt.Errorf("stream: filter %s: %w", text, err)
		}
		all = append(all, pattern)
	}
	return all, nil
}

// Match reports whether a record, as JSON that is decoded into an any, matches one of them.
func (f Filters) Match(record any) (bool, error) {
	for _, pattern := range f {
		if ok, err := matches(pattern, record); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// Matches is ParseFilters and [Filters.Match].
func Matches(filters []string, record any) (bool, error) {
	all, err := ParseFilters(filters)
	if err != nil {
		return false, err
	}
	return all.Match(record)
}

func matches(pattern, record any) (bool, error) {
	switch p := pattern.(type) {
	case map[string]any:
		r, _ := record.(map[string]any)
		for key, inner := range p {
			if ok, err := matches(inner, r[key]); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case []any:
		for _, condition := range p {
			if ok, err := holds(condition, record); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	return false, fmt.Errorf("stream: a pattern's leaf is a list, not %v", pattern)
}

func holds(condition, value any) (bool, error) {
	c, isOperator := condition.(map[string]any)
	switch {
	case !isOperator:
		return condition == value, nil
	case len(c) == 1 && c["exists"] == true:
		if _, inner := value.(map[string]any); inner {
			return false, errors.New("stream: exists is for a leaf")
		}
		return value != nil, nil
	case len(c) == 1 && c["anything-but"] != nil:
		others, _ := c["anything-but"].([]any)
		return value != nil && !slices.Contains(others, value), nil // an absent value does not match
	}
	return false, fmt.Errorf("stream: operator %v is unknown here", c)
}
