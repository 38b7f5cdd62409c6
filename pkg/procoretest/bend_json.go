package procoretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// values changes every value of a JSON body, the inner ones first.
func values(f func(any) any) func(*transfer) {
	return func(m *transfer) {
		d := json.NewDecoder(bytes.NewReader(m.body))
		d.UseNumber()
		var v any
		if d.Decode(&v) == nil {
			m.body = append(encode(bent(v, f)), '\n')
		}
	}
}

func bent(v any, f func(any) any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = bent(v[name], f)
		}
	case []any:
		for i := range v {
			v[i] = bent(v[i], f)
		}
	}
	return f(v)
}

// objects changes every object of a JSON body.
func objects(f func(map[string]any)) func(*transfer) {
	return values(func(v any) any {
		if o, ok := v.(map[string]any); ok {
			f(o)
		}
		return v
	})
}

// fields changes the fields with these names.
func fields(f func(any) any, names ...string) func(*transfer) {
	return objects(func(o map[string]any) {
		for _, name := range names {
			if v, ok := o[name]; ok {
				o[name] = f(v)
			}
		}
	})
}

// neededFields are those without which an answer or an event is useless.
var neededFields = strings.Fields(`access_token token_type expires_in refresh_token error errors message error_description
	data id name status namespace payload_version destination_url resource_name resource_type resource_id event_type reason
	payload event company_id project_id`)

// needless changes all fields but the needed ones.
func needless(f func(o map[string]any, name string)) func(*transfer) {
	return objects(func(o map[string]any) {
		for name := range o {
			if !slices.Contains(neededFields, name) {
				f(o, name)
			}
		}
	})
}

func absent(o map[string]any, name string) { delete(o, name) }
func null(o map[string]any, name string)   { o[name] = nil }
func odd(o map[string]any, name string)    { o[name] = []any{map[string]any{"odd": true}} }

func unknownFields(o map[string]any) {
	o["x_unknown"], o["X-Unknown"] = map[string]any{"id": []any{nil, 1.5e300}}, "\u0000\u2028"
}

func capitals(o map[string]any) {
	renamed := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(o)) { // two may become one
		renamed[strings.ToUpper(name[:min(len(name), 1)])+name[min(len(name), 1):]] = o[name]
	}
	clear(o)
	maps.Copy(o, renamed)
}

// numberIDs makes ids numbers that are text.
func numberIDs(o map[string]any) {
	for name, v := range o {
		s, _ := v.(string)
		if _, err := strconv.ParseUint(s, 10, 63); err == nil && (name == "id" || strings.HasSuffix(name, "_id")) {
			o[name] = json.Number(s)
		}
	}
}

// lists changes every list of objects, and every empty one.
func lists(f func([]any) any) func(*transfer) {
	return values(func(v any) any {
		l, ok := v.([]any)
		if ok && len(l) > 0 {
			_, ok = l[0].(map[string]any)
		}
		if !ok {
			return v
		}
		return f(l)
	})
}

func firstTwice(l []any) any { return append(slices.Clone(l[:min(len(l), 1)]), l...) }

func oddItems(l []any) any {
	return append([]any{nil, "odd", []any{}, map[string]any{}, map[string]any{"id": map[string]any{}}}, l...)
}

func nullList(l []any) any {
	if len(l) == 0 {
		return nil
	}
	return l
}

// times changes all times.
func times(f func(time.Time) any) func(*transfer) {
	return values(func(v any) any {
		s, _ := v.(string)
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return f(t)
		}
		return v
	})
}

func layout(l string) func(time.Time) any { return func(t time.Time) any { return t.UTC().Format(l) } }
func inZone(t time.Time) any              { return t.In(time.FixedZone("", -8*3600)).Format(time.RFC3339) }

// text makes f a change of text, which leaves other values alone.
func text(f func(string) string) func(any) any {
	return func(v any) any {
		if s, ok := v.(string); ok {
			return f(s)
		}
		return v
	}
}

// wholeSeconds cuts off a time's fraction.
func wholeSeconds(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return s
	}
	return t.Format(time.RFC3339)
}

func padded(s string) string  { return " " + s + "  " }
func slashed(s string) string { return s + "/" }
func title(s string) string {
	return strings.ToUpper(s[:min(len(s), 1)]) + strings.ToLower(s[min(len(s), 1):])
}

// past makes create CREATED, and other types capital.
func past(s string) string {
	s = strings.ToUpper(s)
	if strings.HasSuffix(s, "E") {
		s += "D"
	}
	return s
}

func capitalHost(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return s
	}
	prefix := u.Scheme + "://" + u.Host
	return strings.ToUpper(prefix) + strings.TrimPrefix(s, prefix)
}

func defaultPort(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Port() != "" {
		return s
	}
	u.Host += map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return u.String()
}

// constant makes every value the same.
func constant(to any) func(any) any { return func(any) any { return to } }
func boolText(v any) any            { return fmt.Sprint(v) }

func numberText(v any) any {
	if n, ok := v.(json.Number); ok {
		return n.String()
	}
	return v
}

func masked(v any) any {
	o, _ := v.(map[string]any)
	for name := range o {
		o[name] = "*****"
	}
	return v
}
