package procore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// schemaNode is the part of JSON Schema that event.schema.json uses. A field
// that it does not describe is an error here, though not for consumers.
type schemaNode struct {
	Schema      string `json:"$schema"`
	Title       string
	Description string
	Type        any
	Format      string
	Const       any
	Enum        []any
	Pattern     string
	MinLength   *int
	MaxLength   *int
	Required    []string
	Properties  map[string]*schemaNode
	Items       *schemaNode
}

func readSchema(t testing.TB) *schemaNode {
	t.Helper()
	b, err := os.ReadFile("event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // a keyword that is not checked below
	var n schemaNode
	if err := d.Decode(&n); err != nil {
		t.Fatal(err)
	}
	return &n
}

func (n *schemaNode) check(t testing.TB, document []byte) {
	t.Helper()
	for _, problem := range n.problems(t, document) {
		t.Errorf("%s\n%s", problem, document)
	}
}

func (n *schemaNode) problems(t testing.TB, document []byte) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		t.Fatal(err)
	}
	return n.visit("", v)
}

func (n *schemaNode) visit(at string, v any) (all []string) {
	fail := func(format string, args ...any) { all = append(all, at+": "+fmt.Sprintf(format, args...)) }
	if n.Type != nil && !n.typed(v) {
		fail("a %T, want %v", v, n.Type)
	}
	if n.Const != nil && v != n.Const || n.Enum != nil && !slices.Contains(n.Enum, v) {
		fail("%v, want %v%v", v, n.Const, n.Enum)
	}
	switch v := v.(type) {
	case string:
		if n.Pattern != "" && !regexp.MustCompile(n.Pattern).MatchString(v) {
			fail("%q does not match %s", v, n.Pattern)
		}
		if size := utf8.RuneCountInString(v); n.MinLength != nil && size < *n.MinLength || n.MaxLength != nil && size > *n.MaxLength {
			fail("%d characters", size)
		}
	case []any:
		for _, item := range v {
			if n.Items != nil {
				all = append(all, n.Items.visit(at+"[]", item)...)
			}
		}
	case map[string]any:
		all = append(all, n.object(at, v)...)
	}
	return all
}

func (n *schemaNode) object(at string, v map[string]any) (all []string) {
	if n.Properties == nil {
		return nil
	}
	for _, name := range n.Required {
		if _, ok := v[name]; !ok {
			all = append(all, at+"."+name+": missing")
		}
	}
	for name, field := range v {
		property := n.Properties[name]
		if property == nil {
			all = append(all, at+"."+name+": not in the schema")
			continue
		}
		all = append(all, property.visit(at+"."+name, field)...)
	}
	return all
}

func (n *schemaNode) typed(v any) bool {
	names, ok := n.Type.([]any)
	if !ok {
		names = []any{n.Type}
	}
	is := map[reflect.Type]string{
		reflect.TypeFor[string](): "string", reflect.TypeFor[bool](): "boolean", reflect.TypeFor[float64](): "number",
		reflect.TypeFor[[]any](): "array", reflect.TypeFor[map[string]any](): "object", nil: "null",
	}
	return slices.Contains(names, any(is[reflect.TypeOf(v)]))
}

// The schema describes the fields of an Event, each of them.
func TestSchemaFields(t *testing.T) {
	t.Parallel()
	schema := readSchema(t)
	var got, want []string
	for name, property := range schema.Properties {
		got = append(got, name)
		if property.Description == "" {
			t.Errorf("%s has no description", name)
		}
	}
	for f := range reflect.TypeFor[Event]().Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		want = append(want, name)
		if must := !strings.Contains(options, "omit"); must != slices.Contains(schema.Required, name) {
			t.Errorf("%s: always there is %v, the schema says the opposite", name, must)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("fields of the schema (-) and of Event (+):\n%s", d)
	}
}

// The examples in events/envelopes are what becomes of the payloads. To write
// them anew: UPDATE_ENVELOPES=1 go test ./pkg/procore -run TestEnvelopes
func TestEnvelopes(t *testing.T) {
	t.Parallel()
	schema := readSchema(t)
	payloads, err := filepath.Glob("../../events/payloads/*.json")
	if err != nil || len(payloads) < 4 {
		t.Fatalf("payloads %v: %v", payloads, err)
	}
	for _, path := range payloads {
		name := filepath.Base(path)
		e, err := DecodeEvent(fixture(t, name))
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := EncodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		schema.check(t, envelope)
		var want bytes.Buffer
		if err := json.Indent(&want, envelope, "", "  "); err != nil {
			t.Fatal(err)
		}
		want.WriteByte('\n')
		example := filepath.Join("../../events/envelopes", name)
		if os.Getenv("UPDATE_ENVELOPES") != "" {
			if err := os.WriteFile(example, want.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(example)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(got), want.String()); d != "" {
			t.Errorf("%s (-got +want):\n%s", example, d)
		}
	}
	examples, err := filepath.Glob("../../events/envelopes/*.json")
	if err != nil || len(examples) != len(payloads) {
		t.Errorf("%d examples of %d payloads: %v", len(examples), len(payloads), err)
	}
}

// Whatever is wrong with an envelope the schema tells.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := readSchema(t)
	good, err := os.ReadFile("../../events/envelopes/webhook-v3.json")
	if err != nil {
		t.Fatal(err)
	}
	if problems := schema.problems(t, good); problems != nil {
		t.Fatalf("the example itself: %v", problems)
	}
	for _, change := range [][2]string{
		{`"version": "1"`, `"version": "2"`},
		{`"id": "123456789"`, `"id": ""`},
		{`"company_id": "5678"`, `"company_id": 5678`},
		{`"company_id": "5678"`, `"company_id": "0"`},
		{`"company_id": "5678"`, `"company": "5678"`},
		{`"resource_id": "379913"`, `"resource_id": "-1"`},
		{`"type": "delete"`, `"type": null`},
		{`Z"`, `+01:00"`},
		{`"v3.0"`, `"v3"`},
		{`"self_originated": false`, `"self_originated": "false"`},
		{`"id": "1234"`, `"id": "x"`},
		{`"name": "Direct Costs"`, `"nombre": "Direct Costs"`},
	} {
		bad := bytes.Replace(good, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(bad, good) {
			t.Fatalf("no %s in the example", change[0])
		}
		if schema.problems(t, bad) == nil {
			t.Errorf("%s instead of %s passes", change[1], change[0])
		}
	}
}
