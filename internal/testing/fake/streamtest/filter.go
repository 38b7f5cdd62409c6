package streamtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Matches reports whether a record, as JSON that is decoded into an any, matches one of
// the filters of an event source mapping. It knows the operators that template.yaml uses:
// texts, exists and anything-but. Any other is an error.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
func Matches(filters []string, record any) (bool, error) {
	all, err := parseFilters(filters)
	if err != nil {
		return false, err
	}
	return matchesAny(all, record)
}

func parseFilters(filters []string) (all []any, err error) {
	for _, text := range filters {
		var pattern any
		if err := json.Unmarshal([]byte(text), &pattern); err != nil {
			return nil, fmt.Errorf("stream: filter %s: %w", text, err)
		}
		all = append(all, pattern)
	}
	return all, nil
}

func matchesAny(filters []any, record any) (bool, error) {
	for _, pattern := range filters {
		if ok, err := matches(pattern, record); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
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
