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
func check(t procore.Trigger, resources map[string]procore.WebhookResource) (procore.Trigger, error) {
	if resources == nil {
		return t, nil
	}
	r, ok := resources[strings.ToLower(strings.TrimSpace(t.Resource))]
	if !ok {
		best := nearest(t.Resource, func(yield func(string) bool) {
			for _, r := range resources {
				if !yield(strings.TrimSpace(r.Name)) {
					return
				}
			}
		})
		return t, fmt.Errorf("trigger %s: Procore has no resource %q; the nearest is %q: %w", t, t.Resource, best, procore.ErrInvalid)
	}
	t.Resource = strings.TrimSpace(r.Name)
	var names []string
	for _, action := range r.Actions {
		name := strings.TrimSpace(string(action))
		if action.Normal() == t.EventType.Normal() {
			t.EventType = procore.EventType(name)
			return t, nil
		}
		if name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 { // not listed in a form that is known
		return t, nil
	}
	return t, fmt.Errorf("trigger %s: Procore has only %s for %q: %w", t, strings.Join(names, ", "), t.Resource, procore.ErrInvalid)
}

// nearest returns the name with the fewest changed letters, the first in the alphabet of
// several.
func nearest(name string, names func(func(string) bool)) string {
	best, least := "", -1
	for n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); least < 0 || d < least || d == least && n < best {
			best, least = n, d
		}
	}
	return best
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
