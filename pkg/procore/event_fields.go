package procore

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// scalar is a field as it was sent: its text if that needs no reading, as of nearly all,
// or else its JSON. It is empty if the field is absent or null.
type scalar struct {
	plain string
	json  []byte
}

func newScalar(b []byte) (s scalar) {
	_ = s.UnmarshalJSON(b)
	return s
}

// UnmarshalJSON stores any value. A null does not replace an earlier one.
func (s *scalar) UnmarshalJSON(b []byte) error {
	switch {
	case null(b):
	case isPlain(b):
		*s = scalar{plain: strings.Trim(string(b), `"`)}
	default:
		*s = scalar{json: append([]byte(nil), b...)}
	}
	return nil
}

// isPlain reports whether b is a whole number, or a string of printable ASCII without
// escapes and without blanks at its ends.
func isPlain(b []byte) bool {
	n := len(b)
	if b[0] != '"' {
		return !bytes.ContainsFunc(b, func(c rune) bool { return c < '0' || c > '9' })
	}
	for _, c := range b[1 : n-1] {
		if c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return n == 2 || b[1] != ' ' && b[n-2] != ' '
}

func (s scalar) present() bool { return s.plain != "" || s.json != nil }

// fields reads the fields of a payload, and names those of an odd form.
type fields struct{ odd []string }

func (f *fields) note(name string) {
	if len(f.odd) < maxOdd {
		f.odd = append(f.odd, name)
	}
}

// text reads a string, or a whole number in its own digits, without blanks around it.
func (f *fields) text(name string, from scalar) string {
	if from.json == nil {
		return from.plain
	}
	s, ok := textOf(from.json)
	if ok && from.json[0] != '"' { // a number with a sign or a fraction, or a boolean
		var n int64
		n, ok = wholeNumber(s)
		s = strconv.FormatInt(n, 10)
	}
	if !ok {
		f.note(name)
		return ""
	}
	return cleaned(s)
}

// cleaned returns a text for keys and log lines: blanks in place of control characters,
// and none at its ends.
func cleaned(s string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == '\uFEFF' {
			return ' '
		}
		return c
	}, s))
}

// id reads an opaque id, which is never zero.
func (f *fields) id(name string, from scalar) ID {
	if s := f.text(name, from); s != "0" {
		return ID(s)
	}
	return ""
}

// number reads the id of a company, a user or a project: a positive whole number, also
// as a text. Anything else is 0.
func (f *fields) number(name string, from scalar) int64 {
	s := f.text(name, from)
	if s == "" {
		return 0
	}
	n, ok := wholeNumber(s)
	if !ok || n < 0 {
		f.note(name)
		return 0
	}
	return n
}

// time reads a time in one of the forms of [Unmarshal].
func (f *fields) time(name string, from scalar) (t time.Time) {
	b := from.json
	if b == nil {
		b = []byte(`"` + from.plain + `"`)
	}
	if !readTime(b, &t) {
		f.note(name)
	}
	return t.UTC()
}

// related reads what the resource belongs to. An item without id and name is dropped.
func (f *fields) related(name string, items []relatedItem) (all []RelatedResource) {
	for _, item := range items {
		r := RelatedResource{ID: f.id(name+".id", item.ID), Name: f.text(name+".name", item.Name)}
		if r != (RelatedResource{}) {
			all = append(all, r)
		}
	}
	return all
}
