package procore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const maxName = 200 // of an id, a resource or a type, in bytes

// payload has the fields of webhooks and of the deliveries list, of all versions at
// once: v4.0 has other names for two fields, and ids in strings. Ids stay raw, because
// one beyond 2^53 must not go through a float and an error has to name its field.
type payload struct {
	ID           json.RawMessage `json:"id"`
	ULID         optionalText    `json:"ulid"`
	CompanyID    json.RawMessage `json:"company_id"`
	ProjectID    json.RawMessage `json:"project_id"`
	UserID       json.RawMessage `json:"user_id"`
	ResourceName string          `json:"resource_name"`
	ResourceType string          `json:"resource_type"` // v4.0
	ResourceID   json.RawMessage `json:"resource_id"`
	EventType    string          `json:"event_type"`
	Reason       string          `json:"reason"` // v4.0
	Timestamp    optionalText    `json:"timestamp"`
	APIVersion   optionalText    `json:"api_version"`
	Version      optionalText    `json:"payload_version"`
	Metadata     *struct {
		Application json.RawMessage `json:"source_application_id"`
	} `json:"metadata"`
	Related []struct {
		ID   json.RawMessage `json:"id"`
		Name string          `json:"name"`
	} `json:"related_resources"`
	Data json.RawMessage `json:"data"`
}

// DecodeEvent reads a webhook payload of any version, or the event of a [Delivery],
// of at most 256 KB. It ignores unknown fields. Of a repeated field the last one
// counts: Procore's own v3.0 sample repeats one. Without an id, company, resource or
// type the error is an [*EventError]. A ULID, timestamp or version in another form
// counts as absent, because an event is complete without it.
//
// SelfOriginated is false if the metadata names no app. If it names one,
// SelfOriginated is unknown until [Event.MarkSelf].
func DecodeEvent(body []byte) (Event, error) {
	if len(body) > maxPayload {
		return Event{}, &EventError{Reason: fmt.Sprintf("larger than %d bytes", maxPayload)}
	}
	var p payload
	if err := unmarshalEvent(body, &p); err != nil {
		return Event{}, err
	}
	var d fieldDecoder
	e := Event{
		Version:        EventVersion,
		ID:             d.opaque("id", p.ID),
		ULID:           string(p.ULID),
		CompanyID:      d.id("company_id", p.CompanyID),
		ProjectID:      d.id("project_id", p.ProjectID),
		UserID:         d.id("user_id", p.UserID),
		ResourceID:     d.id("resource_id", p.ResourceID),
		Timestamp:      p.Timestamp.time(),
		PayloadVersion: p.version(),
	}
	resource, typ := "resource_name", "event_type"
	e.Resource, e.Type = d.name(resource, p.ResourceName), d.name(typ, p.EventType)
	if p.ResourceType != "" || p.Reason != "" {
		resource, typ = "resource_type", "reason"
		e.Resource, e.Type = d.name(resource, p.ResourceType), d.name(typ, p.Reason)
	}
	for _, r := range p.Related {
		e.Related = append(e.Related, RelatedResource{d.id("related_resources.id", r.ID), d.name("related_resources.name", r.Name)})
	}
	if p.Metadata != nil && p.Metadata.Application != nil {
		e.SourceApplicationID = d.opaque("metadata.source_application_id", p.Metadata.Application)
		if e.SourceApplicationID == "" {
			e.SelfOriginated = new(bool)
		}
	}
	if !isNull(p.Data) {
		e.Data = p.Data
	}
	if d.err != nil {
		return Event{}, d.err
	}
	if err := e.check(resource, typ); err != nil {
		return Event{}, err
	}
	return e, nil
}

// version returns the payload version, v2.0 for the v2 of old hooks. The v4.0 sample
// names no version at all, but its fields show it.
func (p payload) version() string {
	v := cmp.Or(p.Version, p.APIVersion)
	switch {
	case p.ResourceType != "" || p.Reason != "":
		return "v4.0"
	case v == "v3" || v == "v3.0" || v == "" && p.Related != nil:
		return "v3.0"
	}
	return "v2.0"
}

// optionalText is a text that an event can do without.
type optionalText string

// UnmarshalJSON accepts whatever an id may look like and reads the rest as empty.
func (o *optionalText) UnmarshalJSON(b []byte) error {
	var d fieldDecoder
	*o = optionalText(d.opaque("", b))
	return nil
}

// time returns the time of an RFC 3339 text, or zero.
func (o optionalText) time() time.Time {
	t, err := time.Parse(time.RFC3339, string(o))
	t = t.UTC()
	if err != nil || t.Year() < 1 || t.Year() > 9999 { // the zone may carry it over
		return time.Time{}
	}
	return t
}

// unmarshalEvent reads one JSON object, with nothing after it. Its error is an
// [*EventError].
func unmarshalEvent(b []byte, v any) error {
	if t := bytes.TrimLeft(b, " \t\r\n"); len(t) == 0 || t[0] != '{' {
		return &EventError{Reason: "not a JSON object"}
	}
	if err := json.Unmarshal(b, v); err != nil {
		field, reason := jsonProblem(err)
		return &EventError{field, reason}
	}
	return nil
}

// A fieldDecoder keeps the first error, so that decoding reads as a list of fields.
type fieldDecoder struct{ err error }

func (d *fieldDecoder) fail(field, reason string) {
	if d.err == nil {
		d.err = &EventError{field, reason}
	}
}

// id reads a number or a string of digits. It returns 0 for null and for an absent
// field.
func (d *fieldDecoder) id(field string, raw json.RawMessage) int64 {
	s := d.opaque(field, raw)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		d.fail(field, "not a positive 64-bit number")
		return 0
	}
	return n
}

// opaque reads an integer, in its own digits, or a string. It returns "" for null and
// for an absent field.
func (d *fieldDecoder) opaque(field string, raw json.RawMessage) string {
	switch {
	case isNull(raw):
		return ""
	case raw[0] == '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			d.fail(field, "not a string")
		}
		return d.name(field, s)
	case strings.Trim(string(raw), "0123456789") != "":
		d.fail(field, "neither an integer nor a string")
		return ""
	}
	return d.name(field, string(raw))
}

// name limits a string that becomes part of keys and log lines.
func (d *fieldDecoder) name(field, s string) string {
	if len(s) > maxName {
		d.fail(field, fmt.Sprintf("longer than %d bytes", maxName))
		return ""
	}
	if s != oneLine(s, maxName) {
		d.fail(field, "contains control characters or surrounding spaces")
		return ""
	}
	return s
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
