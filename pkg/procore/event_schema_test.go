package procore

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// eventSchema is event.schema.json, with the keywords that it uses. Validators ignore a misspelt one; reading it here fails.
type eventSchema struct {
	Schema                                  string `json:"$schema"`
	Title, Description, Format, Pattern     string
	Type, Const, Enum, MinLength, MaxLength any
	Required                                []string
	Properties                              map[string]*eventSchema
	Items                                   *eventSchema

	compiled *jsonschema.Schema
}

// readSchema compiles the schema so that it also refuses a field that it does not describe, which consumers ignore.
func readSchema(t testing.TB) *eventSchema {
	t.Helper()
	b, err := os.ReadFile("event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var s eventSchema
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	s.compiled = compileSchema(t, bytes.ReplaceAll(b, []byte(`"properties": {`), []byte(`"additionalProperties": false, "properties": {`)))
	return &s
}

func compileSchema(t testing.TB, text []byte) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(jsonschema.SchemeURLLoader{}) // nothing is fetched
	if err := c.AddResource("event.schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *eventSchema) check(t testing.TB, document []byte) {
	t.Helper()
	if err := s.refusal(t, document); err != nil {
		t.Errorf("%v\n%s", err, document)
	}
}

// refusal returns what the schema finds wrong with a document.
func (s *eventSchema) refusal(t testing.TB, document []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	return s.compiled.Validate(v)
}

// The schema describes each field of an Event.
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
		if name == "-" {
			continue
		}
		want = append(want, name)
		if must := !strings.Contains(options, "omit"); must != slices.Contains(schema.Required, name) {
			t.Errorf("%s: always present is %v, the schema has the opposite", name, must)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("fields of the schema (-) and of Event (+):\n%s", d)
	}
}

// The examples in events/envelopes are the envelopes of the payloads. To write them
// again: UPDATE_ENVELOPES=1 go test ./pkg/procore -run TestEnvelopes
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

// The schema refuses every wrong envelope.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := readSchema(t)
	good, err := os.ReadFile("../../events/envelopes/webhook-v3.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.refusal(t, good); err != nil {
		t.Fatalf("the example itself: %v", err)
	}
	for _, change := range [][2]string{
		{`"version": "1"`, `"version": "2"`},
		{`"id": "01JMYXMZRBVKK0PC6XS8SA4QRF"`, `"id": ""`},
		{`"ulid": "01JMYXMZRBVKK0PC6XS8SA4QRF"`, `"ulid": "123456789"`},
		{`"company_id": "5678"`, `"company_id": 5678`},
		{`"company_id": "5678"`, `"company_id": "0"`},
		{`"company_id": "5678"`, `"company": "5678"`},
		{`"resource_id": "379913"`, `"resource_id": ""`},
		{`"type": "delete"`, `"type": null`},
		{`Z"`, `+01:00"`},
		{`"v3.0"`, `"v3"`},
		{`"self_originated": false`, `"self_originated": "false"`},
		{`"id": "1234"`, `"id": 1234`},
		{`"name": "Direct Costs"`, `"nombre": "Direct Costs"`},
	} {
		bad := bytes.Replace(good, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(bad, good) {
			t.Fatalf("no %s in the example", change[0])
		}
		if schema.refusal(t, bad) == nil {
			t.Errorf("%s instead of %s passes", change[1], change[0])
		}
	}
}
