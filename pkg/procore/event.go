package procore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// EventVersion is the version of the envelope that this package writes and reads.
const EventVersion = "1"

const (
	maxPayload  = 256 << 10
	maxEnvelope = 1 << 20 // the most that SQS carries
)

// An Event reports that something changed in Procore. The consumer reads its present
// state with [CompanyClient.Read]. An Event has one form for all payload versions.
// Its JSON, the envelope, is what consumers receive from the queue. In JSON every id
// is a string, because JavaScript and jq cannot hold Procore's 64-bit ids.
// event.schema.json describes the envelope for other languages. A new field does not
// change the version; a field that changes its meaning does.
//
// https://procore.github.io/documentation/payload-formats
type Event struct {
	// Version is [EventVersion].
	Version string `json:"version"`
	// ID is the event's ULID, or the payload's number if an old hook sends no ULID.
	// Deliveries of the same event have the same ID, in all payload versions. A change may
	// have two events, one of them Reconciled: be idempotent by the state that you read,
	// not by the ID alone.
	ID string `json:"id"`
	// ULID orders events by creation. It is the ID, or empty.
	ULID string `json:"ulid,omitempty"`
	// CompanyID is the company in which it happened.
	CompanyID int64 `json:"company_id,string"`
	// ProjectID is 0 for a resource of the company itself.
	ProjectID int64 `json:"project_id,string,omitempty"`
	// UserID is the user who made the change, 0 if Procore does not name one.
	UserID int64 `json:"user_id,string,omitempty"`
	// Resource is the [CanonicalResource] of resource_name or resource_type, with
	// spaces: "Direct Cost Line Items".
	Resource string `json:"resource"`
	// ResourceID identifies the changed resource. It is a number, or a ULID or UUID.
	ResourceID ID `json:"resource_id"`
	// Type is create, update or delete, or one of v4.0's further reasons in lower case:
	// "completed".
	Type string `json:"type"`
	// Timestamp is when it happened, zero if the payload has no time that can be read.
	Timestamp time.Time `json:"timestamp,omitzero"`
	// PayloadVersion is v2.0, v3.0 or v4.0; it is v2.0 for an old hook that writes v2.
	PayloadVersion string `json:"payload_version"`
	// Related lists the resources that this one belongs to (v3.0, and hooks of 2020).
	Related []RelatedResource `json:"related_resources,omitempty"`
	// SelfOriginated reports whether our own app made the change. A consumer that
	// writes to Procore must not react to its own changes. Nil means unknown: v4.0 has
	// no metadata. See [Event.MarkSelf], [Event.MarkServiceAccount] and [OwnWrites].
	SelfOriginated *bool `json:"self_originated"`
	// SourceApplicationID is the client id of the app that made the change, if any.
	SourceApplicationID string `json:"source_application_id,omitempty"`
	// Data is v4.0's optional data, as sent.
	Data json.RawMessage `json:"data,omitempty"`
	// ReplayedAt is when an operator replayed the event, zero if it was not replayed.
	// An idempotent consumer can ignore it.
	ReplayedAt time.Time `json:"replayed_at,omitzero"`
	// Reconciled is true for an event that Procore did not deliver: a reconciliation found
	// the change in a list. Its Timestamp is the item's updated_at. Who made the change is
	// not known, and its type is update unless the item is new. Procore's own event may
	// follow, so be idempotent by the state that you read, not by the id alone.
	Reconciled bool `json:"reconciled,omitempty"`
	// Odd names fields of the payload whose form is unknown, and which count as absent.
	// The envelope has none.
	Odd []string `json:"-"`
}

// A RelatedResource is something the changed resource belongs to, such as the
// contract of a line item.
type RelatedResource struct {
	ID   ID     `json:"id"`
	Name string `json:"name"`
}

// Key returns a name of the changed resource: "5678#RFIs#42". Events with the same
// key are delivered in order.
func (e Event) Key() string {
	return strconv.FormatInt(e.CompanyID, 10) + "#" + e.Resource + "#" + string(e.ResourceID)
}

// MarkSelf sets SelfOriginated by our own client id, if the event names the app that
// made the change. An empty id changes nothing.
//
// https://procore.github.io/documentation/webhooks-api, "Using Event Metadata"
func (e *Event) MarkSelf(clientID string) {
	if clientID == "" || e.SourceApplicationID == "" {
		return
	}
	self := e.SourceApplicationID == clientID
	e.SelfOriginated = &self
}

// MarkServiceAccount sets SelfOriginated if the user who made the change is the app's own
// service account, for events of v4.0, which do not name the app. Another user's change
// stays unknown, because our app may have made it with that user's grant. A user of 0
// changes nothing. In a company, the service account is the user whose id
// [CompanyClient.Me] returns with its token.
func (e *Event) MarkServiceAccount(userID int64) {
	if userID != 0 && e.UserID == userID && e.SourceApplicationID == "" {
		e.SelfOriginated = new(true)
	}
}

// An EventError reports a payload or an envelope that is not an event. Field is the
// name of the wrong field, as in the payload or envelope, and empty if the whole is
// not readable. The error repeats nothing of the content.
type EventError struct {
	Field  string
	Reason string
}

// Error returns the field and the reason.
func (e *EventError) Error() string {
	if e.Field == "" {
		return "procore: not an event: " + e.Reason
	}
	return "procore: not an event: " + e.Field + ": " + e.Reason
}

// EncodeEvent returns the envelope of e, which [ParseEvent] reads. Unlike
// json.Marshal it keeps <, > and &, which would grow to six bytes each.
func EncodeEvent(e Event) ([]byte, error) {
	if e.Version == "" {
		e.Version = EventVersion
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("procore: encoding event: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ParseEvent reads an envelope, as a consumer receives it from the queue. It ignores
// unknown fields. An unknown version is an [*EventError], because the meaning of a
// newer version cannot be guessed.
func ParseEvent(envelope []byte) (Event, error) {
	if len(envelope) > maxEnvelope {
		return Event{}, &EventError{Reason: fmt.Sprintf("larger than %d bytes", maxEnvelope)}
	}
	var v struct {
		Version string `json:"version"`
	}
	if err := unmarshalEvent(envelope, &v); err != nil {
		return Event{}, eventError(err)
	}
	if v.Version != EventVersion {
		return Event{}, &EventError{"version", fmt.Sprintf("this release reads %q only", EventVersion)}
	}
	var e Event
	if err := unmarshalEvent(envelope, &e); err != nil {
		return Event{}, eventError(err)
	}
	if err := e.check("resource", "type"); err != nil {
		return Event{}, err
	}
	return e, nil
}

// check rejects an event that lacks what every consumer needs. The names of two
// fields differ between payload versions.
func (e Event) check(resource, typ string) *EventError {
	switch {
	case e.ID == "":
		return &EventError{"id", "missing"}
	case e.CompanyID <= 0:
		return &EventError{"company_id", "missing or not positive"}
	case e.Resource == "":
		return &EventError{resource, "missing"}
	case e.ResourceID == "":
		return &EventError{"resource_id", "missing"}
	case e.Type == "":
		return &EventError{typ, "missing"}
	case e.ProjectID < 0:
		return &EventError{"project_id", "negative"}
	}
	return nil
}
