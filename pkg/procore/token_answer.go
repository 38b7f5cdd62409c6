package procore

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// tokenFields are the fields of a token endpoint's answer that this package needs (RFC
// 6749 sections 5.1 and 5.2). Every other field is ignored.
type tokenFields struct {
	access, refresh string
	expiresIn       seconds
	createdAt       string
	errorCode       string
}

// readTokenFields reads the fields in any form, because a pair that is not read is lost:
// the refresh token that it replaces is spent. The body may be compressed although
// identity was requested, begin with a byte order mark, be cut in the middle, or be form
// encoded. The first occurrence of a field counts.
func readTokenFields(h http.Header, body []byte) tokenFields {
	body = bytes.TrimPrefix(uncompressed(h, body, maxTokenAnswer), []byte("\xef\xbb\xbf"))
	var f tokenFields
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if f.value(d, ""); f == (tokenFields{}) {
		f.form(body)
	}
	return f
}

// uncompressed decodes the body's content coding, up to an error or to a size.
func uncompressed(h http.Header, body []byte, size int64) []byte {
	var r io.Reader
	var err error
	switch coding := strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding"))); {
	case bytes.HasPrefix(body, []byte("\x1f\x8b")):
		r, err = gzip.NewReader(bytes.NewReader(body))
	case coding == "deflate":
		r, err = zlib.NewReader(bytes.NewReader(body))
	default:
		return body
	}
	if err != nil {
		return body
	}
	plain, _ := io.ReadAll(io.LimitReader(r, size)) // the part before an error counts
	return plain
}

// value reads one JSON value, named name in its object, and reports whether it was
// complete.
func (f *tokenFields) value(d *json.Decoder, name string) bool {
	t, err := d.Token()
	if err != nil {
		return false
	}
	switch v := t.(type) {
	case json.Delim:
		return f.members(d, v == '{')
	case json.Number:
		f.set(name, v.String())
	case string:
		f.set(name, v)
	}
	return true
}

// members reads the members after an opening brace or bracket.
func (f *tokenFields) members(d *json.Decoder, object bool) bool {
	for d.More() {
		name := ""
		if object {
			t, err := d.Token()
			if err != nil {
				return false
			}
			name, _ = t.(string)
		}
		if !f.value(d, name) {
			return false
		}
	}
	_, err := d.Token()
	return err == nil
}

// form reads an answer of the form a=b&c=d.
func (f *tokenFields) form(body []byte) {
	values, _ := url.ParseQuery(string(body))
	for name := range values {
		f.set(name, values.Get(name))
	}
}

func (f *tokenFields) set(name, value string) {
	first := func(field *string) {
		if *field == "" {
			*field = value
		}
	}
	switch strings.ToLower(name) {
	case "access_token":
		first(&f.access)
	case "refresh_token":
		first(&f.refresh)
	case "created_at":
		first(&f.createdAt)
	case "error":
		first(&f.errorCode)
	case "expires_in":
		if f.expiresIn == 0 {
			f.expiresIn = secondsOf(value)
		}
	}
}
