package procore

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode"
)

// explanation finds Procore's code and message. The message is a string under
// message or error, or a string, list or map of lists under errors. REST v2 has
// {"error":{"code","message","details"}}, whose details name the fields.
//
// https://procore.github.io/documentation/new-rest-v2-version, "Standard Error Response Format"
func explanation(body []byte, status int) (code, message string) {
	var fields map[string]any
	if json.Unmarshal(plainText(body), &fields) == nil {
		if v2, ok := fields["error"].(map[string]any); ok {
			code = oneLine(flatten(v2["code"], 0), 100)
			message = oneLine(joinDetails(flatten(v2["message"], 0), flatten(v2["details"], 0)), 500)
		}
		for _, name := range []string{"message", "errors", "error", "error_description"} {
			if message == "" {
				message = oneLine(flatten(fields[name], 0), 500)
			}
		}
	}
	if message == "" {
		message = strings.TrimSpace(http.StatusText(status))
	}
	return code, message
}

func joinDetails(message, details string) string {
	if message == "" || details == "" {
		return message + details
	}
	return message + ": " + details
}

func flatten(v any, depth int) string {
	if depth > 4 {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case []any:
		var parts []string
		for _, x := range v {
			if s := flatten(x, depth+1); s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, "; ")
	case map[string]any:
		if s, ok := v["message"].(string); ok {
			field, _ := v["field"].(string)
			return strings.TrimPrefix(field+": "+s, ": ")
		}
		var parts []string
		for name, x := range v {
			if s := flatten(x, depth+1); s != "" {
				parts = append(parts, name+": "+s)
			}
		}
		slices.Sort(parts)
		return strings.Join(parts, "; ")
	}
	return ""
}

// oneLine makes text from outside safe for a log line.
func oneLine(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return clip(strings.TrimSpace(s), max)
}
