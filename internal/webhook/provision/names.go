package provision

import (
	"fmt"
	"net/url"
	"strings"

	"procore-connect/pkg/procore"
)

// address returns a URL in the form in which two are compared: Procore may show one with
// another case of scheme and host, the default port, or a slash at its end.
func address(s string) string {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" {
		return s
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	u.Host = strings.TrimSuffix(strings.TrimSuffix(u.Host, port), ".")
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u.String()
}

// version returns a payload version in the form in which two are compared: v2 is v2.0.
func version(s string) string {
	if s = strings.ToLower(strings.TrimSpace(s)); s == "v2" {
		return "v2.0"
	}
	return s
}

// check returns the trigger as Procore writes it, or an error that names the nearest one
// that exists. Without known resources any trigger is right.
func check(t procore.Trigger, resources []procore.WebhookResource) (procore.Trigger, error) {
	name, nearest, least := "", "", 0
	var actions []string
	for _, r := range resources { // Procore may list one more than once
		r.Name = strings.TrimSpace(r.Name)
		d := distance(strings.ToLower(strings.TrimSpace(t.Resource)), strings.ToLower(r.Name))
		if nearest == "" || d < least || d == least && r.Name < nearest {
			nearest, least = r.Name, d
		}
		if d > 0 {
			continue
		}
		name = r.Name
		for _, action := range r.Actions {
			if action.Normal() == t.EventType.Normal() {
				return procore.Trigger{Resource: name, EventType: procore.EventType(strings.TrimSpace(string(action)))}, nil
			}
			if action != "" {
				actions = append(actions, strings.TrimSpace(string(action)))
			}
		}
	}
	switch {
	case len(resources) == 0:
		return t, nil
	case name == "":
		return t, fmt.Errorf("trigger %s: Procore has no resource %q; the nearest is %q: %w", t, t.Resource, nearest, procore.ErrInvalid)
	case len(actions) > 0:
		return t, fmt.Errorf("trigger %s: Procore has only %s for %q: %w", t, strings.Join(actions, ", "), name, procore.ErrInvalid)
	}
	return procore.Trigger{Resource: name, EventType: t.EventType}, nil // its actions are not listed in a form that is known
}

// distance is Levenshtein's: how many letters are to be added, removed or replaced.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := left
			if a[i] != b[j] {
				cost++
			}
			left = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
