package streamtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/dynamotest"
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

// MatchChange is Match for a change, which need not become JSON for it.
func (f Filters) MatchChange(c dynamotest.Change) (bool, error) {
	return f.Match(map[string]any{
		"eventName": c.Event,
		"dynamodb":  map[string]any{"Keys": plain(c.Keys()), "NewImage": plain(c.NewImage()), "OldImage": plain(c.OldImage())},
	})
}

// plain returns an image as its JSON has it, as far as conditions can be about it.
func plain(image map[string]types.AttributeValue) map[string]any {
	all := make(map[string]any, len(image))
	for name, v := range image {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			all[name] = map[string]any{"S": v.Value}
		case *types.AttributeValueMemberN:
			all[name] = map[string]any{"N": v.Value}
		case *types.AttributeValueMemberBOOL:
			all[name] = map[string]any{"BOOL": v.Value}
		case *types.AttributeValueMemberM:
			all[name] = map[string]any{"M": plain(v.Value)}
		}
	}
	return all
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
