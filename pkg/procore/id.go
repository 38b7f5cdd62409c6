package procore

import (
	"encoding/json"
	"strconv"
	"strings"
)

// An ID is an opaque id of a resource: a number in REST v1, a text in REST v2 and in
// webhooks of v4.0, where it may be a ULID or a UUID. It is the text, which is the same
// in all of them: 42 and "42" are one ID. Empty means none. Ids of companies, users and
// projects are numbers, and int64 in this package.
//
//	type Meeting struct {
//		ID    procore.ID `json:"id"`
//		Title string     `json:"title"`
//	}
//
// https://procore.github.io/documentation/new-rest-v2-version, "IDs Formatted as Strings"
type ID string

// NewID returns the ID of a number, none for 0.
func NewID(n int64) ID {
	if n == 0 {
		return ""
	}
	return ID(strconv.FormatInt(n, 10))
}

// Int64 returns the number that the ID is, and whether it is one.
func (id ID) Int64() (int64, bool) {
	n, err := strconv.ParseInt(string(id), 10, 64)
	return n, err == nil
}

// String returns the text, as in a path.
func (id ID) String() string { return string(id) }

// oneSegment reports whether the ID leads nowhere else as a part of a path.
func (id ID) oneSegment() bool {
	return id != "" && id != "." && id != ".." && !strings.ContainsAny(string(id), `/\`)
}

// UnmarshalJSON reads a number or a text, without blanks around it. Null and any other
// value is no ID; it is no error, so that it does not cost the rest of its item.
func (id *ID) UnmarshalJSON(b []byte) error {
	*id = ""
	_ = readID(b, id)
	return nil
}

// readID reads an ID, and reports whether b has the form of one. A number's digits are
// kept, because a float is exact only up to 2^53. A fraction is no id.
func readID(b []byte, to *ID) bool {
	if null(b) {
		return true
	}
	text, ok := textOf(b)
	switch {
	case !ok || b[0] == 't' || b[0] == 'f':
		return false
	case b[0] != '"' && strings.Trim(text, "-0123456789") != "":
		n, whole := wholeNumber(text)
		if !whole {
			return false
		}
		text = strconv.FormatInt(n, 10)
	}
	*to = ID(strings.TrimSpace(text))
	return true
}

var _ json.Unmarshaler = (*ID)(nil)
