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
			ID: "01EDPD2J6SBY1163N77H95GW09", ULID: "01EDPD2J6SBY1163N77H95GW09", CompanyID: 5678, ProjectID: 219542, UserID: 1234567,
			Resource: "RFIs", ResourceID: "54321", Type: "update", Timestamp: at, PayloadVersion: "v2.0", SelfOriginated: new(false),
		},
		"webhook-v2-old.json": {
			ID: "231346546", CompanyID: 5678, UserID: 1234567, Resource: "Company Users", ResourceID: "1469242", Type: "create",
			Timestamp: at.Truncate(time.Second), PayloadVersion: "v2.0",
			SourceApplicationID: "242635f69bfc6fb9adax513875a0254a2a908f7bb176x1698d6x169a08f5646d",
		},
		"webhook-v3.json": {
			ID: "01JMYXMZRBVKK0PC6XS8SA4QRF", ULID: "01JMYXMZRBVKK0PC6XS8SA4QRF", CompanyID: 5678, ProjectID: 219542, UserID: 1234567,
			Resource: "Direct Cost Line Items", ResourceID: "379913", Type: "delete", Timestamp: at, PayloadVersion: "v3.0",
			Related: []RelatedResource{{"1234", "Direct Costs"}}, SelfOriginated: new(false),
		},
		"webhook-v4.json": {
			ID: "01JMYXMZRBVKK0PC6XS8SA4QRE", ULID: "01JMYXMZRBVKK0PC6XS8SA4QRE", CompanyID: 5678, ProjectID: 9007199254740993, UserID: 1234567,
			Resource: "RFIs", ResourceID: "9223372036854775807", Type: "update", Timestamp: time.Date(2026, 2, 25, 16, 4, 43, 619085000, time.UTC),
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
		{name: "a text", body: `"x"`, wantField: "-"},
		{name: "too large", body: ok + `,"data":"` + strings.Repeat("a", maxPayload) + `"}`, wantField: "-"},
		{name: "too deep", body: ok + `,"data":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, wantField: "-"},
		{name: "no id", body: strings.Replace(ok, `"id":1`, `"id":null`, 1) + `}`, wantField: "id"},
		{name: "no company", body: strings.Replace(ok, `"company_id":2,`, ``, 1) + `}`, wantField: "company_id"},
		{name: "company 0", body: strings.Replace(ok, `"company_id":2`, `"company_id":0`, 1) + `}`, wantField: "company_id"},
		{name: "company -2", body: strings.Replace(ok, `"company_id":2`, `"company_id":"-2"`, 1) + `}`, wantField: "company_id"},
		{name: "company with fraction of zero", body: strings.Replace(ok, `"company_id":2`, `"company_id":2.0`, 1) + `}`, wantKey: "2#RFIs#3"},
		{name: "company with fraction", body: strings.Replace(ok, `"company_id":2`, `"company_id":2.5`, 1) + `}`, wantField: "company_id"},
		{name: "company with blanks", body: strings.Replace(ok, `"company_id":2`, `"company_id":" 2 "`, 1) + `}`, wantKey: "2#RFIs#3"},
		{name: "company of letters", body: strings.Replace(ok, `"company_id":2`, `"company_id":"two"`, 1) + `}`, wantField: "company_id"},
		{name: "company beyond 64 bits", body: strings.Replace(ok, `"company_id":2`, `"company_id":9223372036854775808`, 1) + `}`, wantField: "company_id"},
		{name: "company a list", body: strings.Replace(ok, `"company_id":2`, `"company_id":[2]`, 1) + `}`, wantField: "company_id"},
		{name: "no resource", body: strings.Replace(ok, `"RFIs"`, `""`, 1) + `}`, wantField: "resource_name"},
		{name: "resource of blanks", body: strings.Replace(ok, `"RFIs"`, `" \n"`, 1) + `}`, wantField: "resource_name"},
		{name: "resource an object", body: strings.Replace(ok, `"RFIs"`, `{"name":"RFIs"}`, 1) + `}`, wantField: "resource_name"},
		{name: "resource with a line break", body: strings.Replace(ok, `"RFIs"`, `"Cost\nCodes "`, 1) + `}`, wantKey: "2#Cost Codes#3"},
		{name: "long resource", body: strings.Replace(ok, `"RFIs"`, `"`+strings.Repeat("R", 300)+`  "`, 1) + `}`, wantKey: "2#" + strings.Repeat("R", 300) + "#3"},
		{name: "canonical resource", body: strings.Replace(ok, `"RFIs"`, `" rfis"`, 1) + `}`, wantKey: "2#RFIs#3"},
		{name: "resource id a ULID", body: strings.Replace(ok, `"resource_id":3`, `"resource_id":"01JDXMPK0MTP0H41D4PYZ62R6R"`, 1) + `}`, wantKey: "2#RFIs#01JDXMPK0MTP0H41D4PYZ62R6R"},
		{name: "resource id a UUID", body: strings.Replace(ok, `"resource_id":3`, `"resource_id":"2f1c4e5a-8f0e-4a42-9c4f-3a4b5c6d7e8f"`, 1) + `}`, wantKey: "2#RFIs#2f1c4e5a-8f0e-4a42-9c4f-3a4b5c6d7e8f"},
		{name: "resource id of other characters", body: strings.Replace(ok, `"resource_id":3`, `"resource_id":"a/b#c d\u00e9"`, 1) + `}`, wantKey: "2#RFIs#a/b#c d\u00e9"},
		{name: "resource id of 300 characters", body: strings.Replace(ok, `"resource_id":3`, `"resource_id":"`+strings.Repeat("9", 300)+`"`, 1) + `}`, wantKey: "2#RFIs#" + strings.Repeat("9", 300)},
		{name: "resource id beyond 64 bits", body: strings.Replace(ok, `"resource_id":3`, `"resource_id":92233720368547758080`, 1) + `}`, wantKey: "2#RFIs#92233720368547758080"},
		{name: "resource id with a fraction", body: strings.Replace(ok, `"resource_id":3`, `"resource_id":3.5`, 1) + `}`, wantField: "resource_id"},
		{name: "resource id 0", body: strings.Replace(ok, `"resource_id":3`, `"resource_id":0`, 1) + `}`, wantField: "resource_id"},
		{name: "resource id true", body: strings.Replace(ok, `"resource_id":3`, `"resource_id":true`, 1) + `}`, wantField: "resource_id"},
		{name: "byte order mark", body: "\ufeff" + ok + `}`, wantKey: "2#RFIs#3"},
		{name: "another letter case", body: `{"ID":1,"Company_Id":2,"RESOURCE_NAME":"RFIs","Resource_ID":3,"Event_Type":"Update"}`, wantKey: "2#RFIs#3"},
		{name: "null after a value", body: ok + `,"RESOURCE_ID":null}`, wantKey: "2#RFIs#3"},
		{name: "both names", body: `{"id":"A","company_id":2,"resource_type":"RFI","resource_name":"RFIs","resource_id":3,"reason":"x","event_type":"update"}`, wantKey: "2#RFIs#3"},
		{name: "within a text", body: strconv.Quote(ok + `}`), wantKey: "2#RFIs#3"},
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
// sends it in. What is dropped is named.
func TestDecodeEventWithOddExtras(t *testing.T) {
	t.Parallel()
	const (
		ok   = `{"id":1,"company_id":2,"resource_name":"RFIs","resource_id":3,"event_type":"update"`
		ulid = "01JDXMPK0MTP0H41D4PYZ62R6R"
	)
	at := time.Date(2026, 2, 6, 23, 34, 12, 0, time.UTC)
	base := Event{Version: "1", ID: "1", CompanyID: 2, Resource: "RFIs", ResourceID: "3", Type: "update", PayloadVersion: "v2.0"}
	tests := []struct {
		tail string
		want func(*Event)
		odd  string
	}{
		{`,"timestamp":"2026-02-07T00:34:12+01:00"}`, func(e *Event) { e.Timestamp = at }, ""},
		{`,"timestamp":"2026-02-06 23:34:12 UTC"}`, func(e *Event) { e.Timestamp = at }, ""},
		{`,"timestamp":1770420852}`, func(e *Event) { e.Timestamp = at }, ""},
		{`,"timestamp":"9999-12-31T23:59:59-01:00"}`, nil, "timestamp"},
		{`,"timestamp":"yesterday"}`, nil, "timestamp"},
		{`,"timestamp":{"s":1}}`, nil, "timestamp"},
		{`,"timestamp":""}`, nil, ""},
		{`,"ulid":"` + ulid + `"}`, func(e *Event) { e.ID, e.ULID = ulid, ulid }, ""},
		{`,"ulid":" ` + strings.ToLower(ulid) + `\t"}`, func(e *Event) { e.ID, e.ULID = ulid, ulid }, ""},
		{`,"ulid":9007199254740993}`, nil, "ulid"},
		{`,"ulid":"no ULID"}`, nil, "ulid"},
		{`,"ulid":[1]}`, nil, "ulid"},
		{`,"ulid":"` + strings.Repeat("a", 300) + `"}`, nil, "ulid"},
		{`,"api_version":2,"payload_version":false}`, nil, "payload_version"},
		{`,"user_id":-1}`, nil, "user_id"},
		{`,"user_id":"me","project_id":{}}`, nil, "project_id user_id"},
		{`,"user_id":1234567.0,"project_id":" 7 "}`, func(e *Event) { e.UserID, e.ProjectID = 1234567, 7 }, ""},
		{`,"user_id":"2f1c4e5a-8f0e-4a42-9c4f-3a4b5c6d7e8f"}`, nil, "user_id"},
		{`,"metadata":[]}`, nil, "metadata"},
		{`,"metadata":"x"}`, nil, "metadata"},
		{`,"metadata":{"source_application_id":["a"]}}`, nil, "metadata.source_application_id"},
		{`,"metadata":{"source_application_id":" a "}}`, func(e *Event) { e.SourceApplicationID = "a" }, ""},
		{`,"related_resources":{"id":1}}`, nil, "related_resources"},
		{`,"api_version":"v3.0","related_resources":[7,null,{"id":"` + ulid + `","name":" ` + strings.Repeat("n", 300) + `"},[],{"id":{},"name":"x"},{"id":1.5}]}`, func(e *Event) {
			e.PayloadVersion, e.Related = "v3.0", []RelatedResource{{ulid, strings.Repeat("n", 300)}, {"", "x"}}
		}, "related_resources related_resources.id related_resources.id"},
		{`,"api_version":"v2","dependent_resources":[{"id":8,"name":"Direct Costs"}]}`, func(e *Event) { e.Related = []RelatedResource{{"8", "Direct Costs"}} }, ""},
		{`,"related_resources":null,"data":null}`, nil, ""},
		{`,"data":[1]}`, func(e *Event) { e.Data = json.RawMessage(`[1]`) }, ""},
	}
	for _, tt := range tests {
		want := base
		if tt.want != nil {
			tt.want(&want)
		}
		if tt.odd != "" {
			want.Odd = strings.Fields(tt.odd)
		}
		got, err := DecodeEvent([]byte(ok + tt.tail))
		if d := cmp.Diff(got, want); err != nil || d != "" {
			t.Errorf("%s: %v (-got +want):\n%s", tt.tail, err, d)
		}
	}
}

// An event has one id and one key, whatever payload version it is delivered in, and when
// it is recovered.
func TestOneEventInEveryVersion(t *testing.T) {
	t.Parallel()
	const ulid = "01JMYXMZRBVKK0PC6XS8SA4QRE"
	for _, body := range []string{
		`{"id":1,"ulid":"` + ulid + `","company_id":2,"resource_name":"Punch Items","resource_id":3,"event_type":"update","api_version":"v2"}`,
		`{"id":1,"ulid":"` + ulid + `","company_id":2,"resource_name":"Punch Items","resource_id":3,"event_type":"update","api_version":"v3.0","related_resources":[]}`,
		`{"id":"` + ulid + `","company_id":"2","resource_type":"Punch Item","resource_id":"3","reason":"Updated"}`,
		`{"id":"` + strings.ToLower(ulid) + `","ulid":null,"company_id":"2","resource_type":"punch_items","resource_id":"3","reason":"UPDATE"}`,
		`{"id":"77","ulid":"` + ulid + `","company_id":"2","resource_name":"PunchItems","resource_id":"3","event_type":"update","api_version":"v4.0","metadata":null}`,
		`{"ulid":"` + ulid + `","company_id":"2","resource_name":"Punch Items","resource_id":"3","event_type":" update "}`,
	} {
		e, err := DecodeEvent([]byte(body))
		if err != nil || e.ID != ulid || e.ULID != ulid || e.Key() != "2#Punch Items#3" || e.Type != "update" {
			t.Errorf("%s: got %+v, %v", body, e, err)
		}
	}
}

func TestEventType(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"create": "create", "CREATE": "create", "Created": "create", " updated ": "update", "DELETED": "delete",
		"Completed": "completed", "Status  Changed": "status changed", `approve\nd`: "approve d", strings.Repeat("X", 300): strings.Repeat("x", 300),
	} {
		for _, names := range [][2]string{{"resource_name", "event_type"}, {"resource_type", "reason"}} {
			body := `{"id":1,"company_id":2,"` + names[0] + `":"RFIs","resource_id":3,"` + names[1] + `":"` + text + `"}`
			if e, err := DecodeEvent([]byte(body)); err != nil || e.Type != want {
				t.Errorf("%s: got %q, %v, want %q", body, e.Type, err, want)
			}
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
		`,"api_version":" V3.0"}`:                     "v3.0",
		`,"payload_version":"4.0"}`:                   "v4.0",
		`,"reason":"by hand"}`:                        "v2.0",
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

func TestMarkServiceAccount(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		event Event
		user  int64
		want  *bool
	}{
		{"ours", Event{UserID: 7}, 7, new(true)},
		{"a user's", Event{UserID: 8}, 7, nil},
		{"of no user", Event{}, 7, nil},
		{"we have no service account", Event{UserID: 7}, 0, nil},
		{"neither has", Event{}, 0, nil},
		{"of no app, with metadata", Event{UserID: 7, SelfOriginated: new(false)}, 7, new(true)},
		{"another app's", Event{UserID: 7, SourceApplicationID: "b", SelfOriginated: new(false)}, 7, new(false)},
		{"known already", Event{UserID: 8, SelfOriginated: new(true)}, 7, new(true)},
	}
	for _, tt := range tests {
		tt.event.MarkServiceAccount(tt.user)
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
	e := Event{ID: "1", CompanyID: 2, Resource: "RFIs", ResourceID: "3", Type: "x", Data: json.RawMessage(`"` + strings.Repeat("<", 1000) + `"`)}
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
