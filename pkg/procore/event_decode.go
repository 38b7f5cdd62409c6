package procore

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// payload has the fields of webhooks and of a delivery's payload, of all versions at
// once: v4.0 has other names for two fields, and those of 2020 for one.
type payload struct {
	ID           scalar `json:"id"`
	ULID         scalar `json:"ulid"`
	CompanyID    scalar `json:"company_id"`
	ProjectID    scalar `json:"project_id"`
	UserID       scalar `json:"user_id"`
	ResourceName scalar `json:"resource_name"`
	ResourceType scalar `json:"resource_type"` // v4.0
	ResourceID   scalar `json:"resource_id"`
	EventType    scalar `json:"event_type"`
	Reason       scalar `json:"reason"` // v4.0
	Timestamp    scalar `json:"timestamp"`
	APIVersion   scalar `json:"api_version"`
	Version      scalar `json:"payload_version"`
	Metadata     struct {
		Application json.RawMessage `json:"source_application_id"`
	} `json:"metadata"`
	Related   []relatedItem   `json:"related_resources"`
	Dependent []relatedItem   `json:"dependent_resources"` // of 2020
	Data      json.RawMessage `json:"data"`
}

type relatedItem struct {
	ID   scalar `json:"id"`
	Name scalar `json:"name"`
}

// DecodeEvent reads a webhook payload of any version, or the payload of a [Delivery], of
// at most 256 KB. Without an id, a company, a resource with its id, and a type, the error
// is an [*EventError]. Everything else is read as far as it has a known form, and counts
// as absent otherwise, because an event is complete without it: Odd names it. Unknown
// fields are ignored, and so are a byte order mark and the letter case of names. Of a
// repeated field the last one counts: Procore's own v3.0 sample repeats one.
//
// SelfOriginated is false if the metadata names no app. If it names one, or if there is
// no metadata, SelfOriginated is unknown until [Event.MarkSelf].
func DecodeEvent(body []byte) (Event, error) {
	if len(body) > maxPayload {
		return Event{}, &EventError{Reason: fmt.Sprintf("larger than %d bytes", maxPayload)}
	}
	var p payload
	var f fields
	err := unmarshalEvent(body, &p)
	if odd, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		f.note(odd.Field) // the rest is read, as encoding/json documents
	} else if err != nil {
		return Event{}, eventError(err)
	}
	e := Event{
		Version:    EventVersion,
		CompanyID:  f.number("company_id", p.CompanyID),
		ProjectID:  f.number("project_id", p.ProjectID),
		UserID:     f.number("user_id", p.UserID),
		ResourceID: f.id("resource_id", p.ResourceID),
		Timestamp:  f.time("timestamp", p.Timestamp),
		Related:    append(f.related("related_resources", p.Related), f.related("dependent_resources", p.Dependent)...),
	}
	e.ID, e.ULID = f.identity(p)
	e.Resource = CanonicalResource(cmp.Or(f.text("resource_name", p.ResourceName), f.text("resource_type", p.ResourceType)))
	e.Type = normalType(cmp.Or(f.text("event_type", p.EventType), f.text("reason", p.Reason)))
	e.PayloadVersion = p.version(&f)
	e.SourceApplicationID, e.SelfOriginated = f.source(p)
	if !null(p.Data) {
		e.Data = p.Data
	}
	e.Odd = f.odd
	resource, typ := "resource_name", "event_type"
	if e.PayloadVersion == "v4.0" {
		resource, typ = "resource_type", "reason"
	}
	if err := e.check(resource, typ); err != nil {
		if slices.Contains(f.odd, err.Field) {
			err.Reason = "neither a whole number nor a text"
		}
		return Event{}, err
	}
	return e, nil
}

// identity returns the event's id and its ULID. The ULID is the same in all payload
// versions, and in a recovered delivery; the id of v2.0 and v3.0 is another number.
func (f *fields) identity(p payload) (id, ulid string) {
	id, ulid = string(f.id("id", p.ID)), f.text("ulid", p.ULID)
	for _, s := range []string{ulid, id} {
		if isULID(s) {
			s = strings.ToUpper(s)
			return s, s
		}
	}
	if ulid != "" {
		f.note("ulid")
	}
	return cmp.Or(id, ulid), ""
}

// isULID reports whether s is a ULID: 26 digits of Crockford's base 32, 128 bits.
//
// https://github.com/ulid/spec
func isULID(s string) bool {
	return len(s) == 26 && s[0] <= '7' && strings.Trim(s, "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz") == ""
}

// normalType returns a type as events have it: create for CREATE and Created, and any
// further reason of v4.0 in lower case.
func normalType(s string) string {
	s = strings.Join(strings.Fields(strings.ToLower(s)), " ")
	switch s {
	case "created", "updated", "deleted":
		return strings.TrimSuffix(s, "d")
	}
	return s
}

// version returns the payload version, v2.0 for the v2 of old hooks. The v4.0 sample
// names no version at all, but its fields show it.
func (p payload) version(f *fields) string {
	v := strings.TrimPrefix(strings.ToLower(cmp.Or(f.text("payload_version", p.Version), f.text("api_version", p.APIVersion))), "v")
	switch {
	case strings.HasPrefix(v, "4") || (p.ResourceType.present() || p.Reason.present()) && !p.ResourceName.present() && !p.EventType.present():
		return "v4.0"
	case strings.HasPrefix(v, "3") || v == "" && p.Related != nil:
		return "v3.0"
	}
	return "v2.0"
}

// source returns the app that made the change. Metadata that has the field, but null,
// shows that no app did.
func (f *fields) source(p payload) (applicationID string, self *bool) {
	switch app := p.Metadata.Application; {
	case app == nil:
		return "", nil
	case null(app):
		return "", new(bool)
	default:
		return f.text("metadata.source_application_id", newScalar(app)), nil
	}
}

// unmarshalEvent reads one JSON object, with nothing after it, which may be written in a
// JSON string.
func unmarshalEvent(b []byte, v any) error {
	b = plainText(b)
	if len(b) > 0 && b[0] == '"' {
		var inner string
		if json.Unmarshal(b, &inner) == nil {
			b = plainText([]byte(inner))
		}
	}
	if len(b) == 0 || b[0] != '{' {
		return &EventError{Reason: "not a JSON object"}
	}
	return json.Unmarshal(b, v)
}

// eventError returns what is wrong with a payload or an envelope, without its content.
func eventError(err error) error {
	if _, ok := errors.AsType[*EventError](err); ok || err == nil {
		return err
	}
	field, reason := jsonProblem(err)
	return &EventError{field, reason}
}
