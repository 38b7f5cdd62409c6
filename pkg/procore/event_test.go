package procore

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../events/payloads/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeEventFixtures(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 2, 6, 23, 34, 12, 246562000, time.UTC)
	tests := map[string]Event{
		"webhook-v2.json": {
			ID: "5982324300946918154", ULID: "01EDPD2J6SBY1163N77H95GW09", CompanyID: 5678, ProjectID: 219542, UserID: 1234567,
			Resource: "RFIs", ResourceID: 54321, Type: "update", Timestamp: at, PayloadVersion: "v2.0", SelfOriginated: new(false),
		},
		"webhook-v2-old.json": {
			ID: "231346546", CompanyID: 5678, UserID: 1234567, Resource: "Company Users", ResourceID: 1469242, Type: "create",
			Timestamp: at.Truncate(time.Second), PayloadVersion: "v2.0",
			SourceApplicationID: "242635f69bfc6fb9adax513875a0254a2a908f7bb176x1698d6x169a08f5646d",
		},
		"webhook-v3.json": {
			ID: "123456789", ULID: "01JMYXMZRBVKK0PC6XS8SA4QRF", CompanyID: 5678, ProjectID: 219542, UserID: 1234567,
			Resource: "Direct Cost Line Items", ResourceID: 379913, Type: "delete", Timestamp: at, PayloadVersion: "v3.0",
			Related: []RelatedResource{{1234, "Direct Costs"}}, SelfOriginated: new(false),
		},
		"webhook-v4.json": {
			ID: "01JMYXMZRBVKK0PC6XS8SA4QRE", CompanyID: 5678, ProjectID: 9007199254740993, UserID: 1234567,
			Resource: "RFIs", ResourceID: 9223372036854775807, Type: "update", Timestamp: time.Date(2026, 2, 25, 16, 4, 43, 619085000, time.UTC),
			PayloadVersion: "v4.0", Data: json.RawMessage("{\n    \"status\": \"open\"\n  }"),
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want.Version = "1"
			got, err := DecodeEvent(fixture(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(got, want); d != "" {
				t.Errorf("decoded (-got +want):\n%s", d)
			}
			envelope, err := EncodeEvent(got)
			if err != nil {
				t.Fatal(err)
			}
			back, err := ParseEvent(envelope)
			if err != nil {
				t.Fatalf("parsing %s: %v", envelope, err)
			}
			if want.Data != nil {
				want.Data = json.RawMessage(`{"status":"open"}`)
			}
			if d := cmp.Diff(back, want); d != "" {
				t.Errorf("after the envelope (-got +want):\n%s", d)
			}
		})
	}
}

func TestDecodeEvent(t *testing.T) {
	t.Parallel()
	const ok = `{"id":1,"company_id":2,"resource_name":"RFIs","resource_id":3,"event_type":"update"`
	tests := []struct {
		name, body string
		wantKey    string
		wantField  string // of the EventError, "-" for the whole
	}{
		{name: "least", body: ok + `}`, wantKey: "2#RFIs#3"},
		{name: "unknown fields", body: ok + `,"new":{"a":[1]},"payload":"x"}`, wantKey: "2#RFIs#3"},
		{name: "given twice", body: ok + `,"resource_name":"Direct Cost Line Items","resource_id":379913}`, wantKey: "2#Direct Cost Line Items#379913"},
		{name: "nulls", body: ok + `,"ulid":null,"project_id":null,"user_id":null,"metadata":null,"related_resources":null,"data":null,"timestamp":null,"api_version":null}`, wantKey: "2#RFIs#3"},
		{name: "string ids in v2", body: `{"id":"1","company_id":"2","resource_name":"RFIs","resource_id":"3","event_type":"x"}`, wantKey: "2#RFIs#3"},
		{name: "number ids in v4", body: `{"id":"A","company_id":2,"resource_type":"RFIs","resource_id":3,"reason":"x"}`, wantKey: "2#RFIs#3"},
		{name: "blank around the JSON", body: " \n" + ok + "}\r\n", wantKey: "2#RFIs#3"},
		{name: "empty", body: ``, wantField: "-"},
		{name: "null", body: `null`, wantField: "-"},
		{name: "array", body: `[` + ok + `}]`, wantField: "-"},
		{name: "cut off", body: ok, wantField: "-"},
		{name: "trailing garbage", body: ok + `} {}`, wantField: "-"},
		{name: "too large", body: ok + `,"data":"` + strings.Repeat("a", maxPayload) + `"}`, wantField: "-"},
		{name: "too deep", body: ok + `,"data":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, wantField: "-"},
		{name: "no id", body: strings.Replace(ok, `"id":1`, `"id":null`, 1) + `}`, wantField: "id"},
		{name: "no company", body: strings.Replace(ok, `"company_id":2,`, ``, 1) + `}`, wantField: "company_id"},
		{name: "company 0", body: strings.Replace(ok, `"company_id":2`, `"company_id":0`, 1) + `}`, wantField: "company_id"},
		{name: "company -2", body: strings.Replace(ok, `"company_id":2`, `"company_id":"-2"`, 1) + `}`, wantField: "company_id"},
		{name: "company with fraction", body: strings.Replace(ok, `"company_id":2`, `"company_id":2.0`, 1) + `}`, wantField: "company_id"},
		{name: "company with exponent", body: strings.Replace(ok, `"company_id":2`, `"company_id":2e3`, 1) + `}`, wantField: "company_id"},
		{name: "company beyond 64 bits", body: strings.Replace(ok, `"company_id":2`, `"company_id":9223372036854775808`, 1) + `}`, wantField: "company_id"},
		{name: "company a list", body: strings.Replace(ok, `"company_id":2`, `"company_id":[2]`, 1) + `}`, wantField: "company_id"},
		{name: "no resource", body: strings.Replace(ok, `"RFIs"`, `""`, 1) + `}`, wantField: "resource_name"},
		{name: "resource a number", body: strings.Replace(ok, `"RFIs"`, `7`, 1) + `}`, wantField: "resource_name"},
		{name: "resource with a line break", body: strings.Replace(ok, `"RFIs"`, `"RF\nIs"`, 1) + `}`, wantField: "resource_name"},
		{name: "long resource", body: strings.Replace(ok, `"RFIs"`, `"`+strings.Repeat("R", 201)+`"`, 1) + `}`, wantField: "resource_name"},
		{name: "no resource id", body: strings.Replace(ok, `"resource_id":3`, `"resource_id":null`, 1) + `}`, wantField: "resource_id"},
		{name: "no type", body: strings.Replace(ok, `"event_type":"update"`, `"x":1`, 1) + `}`, wantField: "event_type"},
		{name: "no reason in v4", body: `{"id":"A","company_id":"2","resource_type":"RFIs","resource_id":"3"}`, wantField: "reason"},
		{name: "no resource in v4", body: `{"id":"A","company_id":"2","resource_id":"3","reason":"x"}`, wantField: "resource_type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := DecodeEvent([]byte(tt.body))
			if tt.wantField == "" {
				if err != nil || got.Key() != tt.wantKey {
					t.Fatalf("got %q, %v, want %q", got.Key(), err, tt.wantKey)
				}
				return
			}
			ee, ok := errors.AsType[*EventError](err)
			if !ok {
				t.Fatalf("got error %v, want an EventError", err)
			}
			if got := ee.Field; got != strings.Trim(tt.wantField, "-") {
				t.Errorf("got field %q (%v), want %q", got, err, tt.wantField)
			}
			if len(err.Error()) > 200 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
			if d := cmp.Diff(got, Event{}); d != "" {
				t.Errorf("half an event beside the error:\n%s", d)
			}
		})
	}
}

// An optional field never keeps an event from its consumer, whatever form Procore
// sends it in.
func TestDecodeEventWithOddExtras(t *testing.T) {
	t.Parallel()
	const ok = `{"id":1,"company_id":2,"resource_name":"RFIs","resource_id":3,"event_type":"update"`
	at := time.Date(2026, 2, 6, 23, 34, 12, 0, time.UTC)
	tests := []struct {
		tail string
		want Event // ULID and Timestamp
	}{
		{`,"timestamp":"2026-02-07T00:34:12+01:00"}`, Event{Timestamp: at}},
		{`,"timestamp":"2026-02-06 23:34:12 UTC"}`, Event{}},
		{`,"timestamp":"9999-12-31T23:59:59-01:00"}`, Event{}},
		{`,"timestamp":""}`, Event{}},
		{`,"timestamp":1770420852}`, Event{}},
		{`,"timestamp":{"s":1}}`, Event{}},
		{`,"ulid":9007199254740993}`, Event{ULID: "9007199254740993"}},
		{`,"ulid":"no ULID"}`, Event{ULID: "no ULID"}},
		{`,"ulid":1.5}`, Event{}},
		{`,"ulid":[1]}`, Event{}},
		{`,"ulid":"a\nb"}`, Event{}},
		{`,"ulid":"` + strings.Repeat("a", maxName+1) + `"}`, Event{}},
		{`,"api_version":2,"payload_version":false}`, Event{}},
	}
	for _, tt := range tests {
		got, err := DecodeEvent([]byte(ok + tt.tail))
		if err != nil || got.Key() != "2#RFIs#3" || got.ULID != tt.want.ULID || !got.Timestamp.Equal(tt.want.Timestamp) {
			t.Errorf("%s: got %+v, %v, want ULID %q, timestamp %v", tt.tail, got, err, tt.want.ULID, tt.want.Timestamp)
		}
	}
}

func TestPayloadVersion(t *testing.T) {
	t.Parallel()
	const ok = `{"id":1,"company_id":2,"resource_name":"RFIs","resource_id":3,"event_type":"update"`
	tests := map[string]string{
		`}`:                        "v2.0",
		`,"api_version":"v2"}`:     "v2.0",
		`,"api_version":"v3"}`:     "v3.0",
		`,"api_version":"v3.0"}`:   "v3.0",
		`,"related_resources":[]}`: "v3.0",
		`,"api_version":"v2","related_resources":[]}`: "v2.0",
	}
	for tail, want := range tests {
		got, err := DecodeEvent([]byte(ok + tail))
		if err != nil || got.PayloadVersion != want {
			t.Errorf("%s: got %q, %v, want %q", tail, got.PayloadVersion, err, want)
		}
	}
}

// Only metadata that has the field shows that no app made the change.
func TestSelfOriginatedBeforeMarking(t *testing.T) {
	t.Parallel()
	const ok = `{"id":1,"company_id":2,"resource_name":"RFIs","resource_id":3,"event_type":"update"`
	tests := map[string]*bool{
		`}`:                 nil,
		`,"metadata":null}`: nil,
		`,"metadata":{}}`:   nil,
		`,"metadata":{"source_application_id":null}}`: new(false),
		`,"metadata":{"source_application_id":"a"}}`:  nil,
	}
	for tail, want := range tests {
		got, err := DecodeEvent([]byte(ok + tail))
		if d := cmp.Diff(got.SelfOriginated, want); d != "" || err != nil {
			t.Errorf("%s: %v (-got +want):\n%s", tail, err, d)
		}
	}
}

func TestMarkSelf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		event  Event
		client string
		want   *bool
	}{
		{"ours", Event{SourceApplicationID: "a"}, "a", new(true)},
		{"another's", Event{SourceApplicationID: "b"}, "a", new(false)},
		{"by no app", Event{SelfOriginated: new(false)}, "a", new(false)},
		{"unknown", Event{}, "a", nil},
		{"we have no id", Event{SourceApplicationID: "a"}, "", nil},
		{"neither has", Event{}, "", nil},
	}
	for _, tt := range tests {
		tt.event.MarkSelf(tt.client)
		if d := cmp.Diff(tt.event.SelfOriginated, tt.want); d != "" {
			t.Errorf("%s (-got +want):\n%s", tt.name, d)
		}
	}
}

func TestParseEvent(t *testing.T) {
	t.Parallel()
	const ok = `{"version":"1","id":"A","company_id":"2","resource":"RFIs","resource_id":"3","type":"update","timestamp":"2026-01-02T03:04:05Z","payload_version":"v4.0","self_originated":null`
	tests := []struct{ name, envelope, wantField string }{
		{"good", ok + `}`, ""},
		{"unknown field", ok + `,"new":1}`, ""},
		{"version 2", strings.Replace(ok, `"1"`, `"2"`, 1) + `}`, "version"},
		{"no version", strings.Replace(ok, `"version":"1",`, ``, 1) + `}`, "version"},
		{"version a number", strings.Replace(ok, `"1"`, `1`, 1) + `}`, "version"},
		{"no id", strings.Replace(ok, `"id":"A",`, ``, 1) + `}`, "id"},
		{"no company", strings.Replace(ok, `"company_id":"2",`, ``, 1) + `}`, "company_id"},
		{"no resource", strings.Replace(ok, `"resource":"RFIs",`, ``, 1) + `}`, "resource"},
		{"no type", strings.Replace(ok, `"type":"update",`, ``, 1) + `}`, "type"},
		{"negative project", ok + `,"project_id":"-1"}`, "project_id"},
		{"trailing", ok + `}x`, "-"},
		{"a payload", `{"id":1}`, "version"},
		{"company not a number", strings.Replace(ok, `"2"`, `"two"`, 1) + `}`, "-"},
		{"too large", ok + `,"data":"` + strings.Repeat("a", maxEnvelope) + `"}`, "-"},
		{"quoted", strconv.Quote(ok + `}`), ""},
		{"quoted twice", strconv.Quote(strconv.Quote(ok + `}`)), "-"},
		{"half a string", `"` + ok + `}`, "-"},
		{"no time", strings.Replace(ok, `"timestamp":"2026-01-02T03:04:05Z",`, ``, 1) + `}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseEvent([]byte(tt.envelope))
			if tt.wantField == "" {
				if err != nil || got.Key() != "2#RFIs#3" {
					t.Fatalf("got %+v, %v", got, err)
				}
				return
			}
			ee, ok := errors.AsType[*EventError](err)
			if !ok || ee.Field != strings.Trim(tt.wantField, "-") {
				t.Errorf("got error %v, want one of field %q", err, tt.wantField)
			}
		})
	}
}

func TestEncodeEventDoesNotGrow(t *testing.T) {
	t.Parallel()
	e := Event{ID: "1", CompanyID: 2, Resource: "RFIs", ResourceID: 3, Type: "x", Data: json.RawMessage(`"` + strings.Repeat("<", 1000) + `"`)}
	got, err := EncodeEvent(e)
	if err != nil || len(got) > 1400 || !bytes.HasPrefix(got, []byte(`{"version":"1"`)) || bytes.HasSuffix(got, []byte("\n")) {
		t.Errorf("got %d bytes, %.40q, %v", len(got), got, err)
	}
}

func FuzzDecodeEvent(f *testing.F) {
	for _, name := range []string{"webhook-v2.json", "webhook-v2-old.json", "webhook-v3.json", "webhook-v4.json"} {
		f.Add(fixture(f, name))
	}
	schema := readSchema(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := DecodeEvent(body)
		if err != nil {
			if _, ok := errors.AsType[*EventError](err); !ok || len(err.Error()) > 200 {
				t.Fatalf("error %v", err)
			}
			return
		}
		envelope, err := EncodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		schema.check(t, envelope)
		back, err := ParseEvent(envelope)
		if err != nil {
			t.Fatalf("%s: %v", envelope, err)
		}
		again, err := EncodeEvent(back)
		if err != nil || !bytes.Equal(again, envelope) {
			t.Errorf("got %s, %v, want %s", again, err, envelope)
		}
	})
}
