package procoretest

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// payload returns the body of a delivery in the hook's version.
//
// https://developers.procore.com/documentation/payload-formats
func payload(version string, e Event, m moment) []byte {
	if version == "v4.0" {
		return encode(payloadV4(e, m))
	}
	p := map[string]any{
		"id": m.id, "timestamp": timestamp(m.at), "user_id": nullable(e.UserID),
		"company_id": e.CompanyID, "project_id": nullable(e.ProjectID), "api_version": version,
		"event_type": e.EventType, "resource_name": e.ResourceName, "resource_id": wireID(e.ResourceID),
		"metadata": map[string]any{
			"source_user_id": nullable(e.UserID), "source_project_id": nullable(e.ProjectID),
			"source_operation_id": nil, "source_company_id": e.CompanyID,
			"source_application_id": nullable(e.SourceApplicationID),
		},
	}
	if version != "v2" { // old hooks send no ulid
		p["ulid"] = m.ulid
	}
	if version == "v3.0" {
		p["related_resources"] = append([]RelatedResource{}, e.Related...)
	}
	return encode(p)
}

// payloadV4 returns a payload of v4.0: every id is a string, the ULID is the id, and
// there is no metadata.
func payloadV4(e Event, m moment) map[string]any {
	text := func(id int64) any {
		if id == 0 {
			return nil
		}
		return strconv.FormatInt(id, 10)
	}
	p := map[string]any{
		"id": m.ulid, "timestamp": timestamp(m.at), "reason": e.EventType, "user_id": text(e.UserID),
		"company_id": text(e.CompanyID), "project_id": text(e.ProjectID),
		"resource_type": e.ResourceName, "resource_id": string(e.ResourceID),
	}
	if len(e.Data) > 0 {
		p["data"] = e.Data
	}
	return p
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("{}") // data was decoded from JSON, so it encodes
	}
	return b
}

func nullable[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// crockford turns the base 32 of RFC 4648 into that of ULIDs, which lacks four of its letters.
var crockford = strings.NewReplacer("I", "0", "L", "1", "O", "8", "U", "9")

// newULID returns a ULID: 48 bits of milliseconds and 80 random bits, in Crockford's
// base 32.
//
// https://github.com/ulid/spec
func newULID(t time.Time, random procore.Random) string {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	var b [26]byte
	copy(b[10:], crockford.Replace(random.Text()))
	ms := t.UnixMilli()
	for i := 9; i >= 0; i-- {
		b[i] = digits[ms&31]
		ms >>= 5
	}
	return string(b[:])
}
