package procore

import (
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// readScalar reads a value that is neither an object nor a list.
func readScalar(b []byte, v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		text, ok := textOf(b)
		if ok {
			v.SetString(text)
		}
		return ok
	case reflect.Bool:
		is, err := strconv.ParseBool(strings.ToLower(unquoted(b)))
		if err == nil {
			v.SetBool(is)
		}
		return err == nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := wholeNumber(unquoted(b))
		if ok = ok && !v.OverflowInt(n); ok {
			v.SetInt(n)
		}
		return ok
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(unquoted(b), 64)
		ok := err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && !v.OverflowFloat(f)
		if ok {
			v.SetFloat(f)
		}
		return ok
	}
	return json.Unmarshal(b, v.Addr().Interface()) == nil
}

// unquoted returns the text of a JSON string, and any other value as it is written.
func unquoted(b []byte) string {
	var s string
	if json.Unmarshal(b, &s) != nil {
		s = string(b)
	}
	return strings.TrimSpace(s)
}

// textOf returns a string, or the text of a number or a boolean.
func textOf(b []byte) (string, bool) {
	switch b[0] {
	case '"':
		var s string
		return s, json.Unmarshal(b, &s) == nil
	case '{', '[':
		return "", false
	}
	return string(b), true
}

// maxDigits bounds the text of a number, and 10^±999 its size, which an exponent may
// raise beyond any memory.
const maxDigits = 40

// wholeNumber reads an integer, also one with a fraction of zero or an exponent. It never
// goes through a float, which is exact only up to 2^53.
func wholeNumber(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		return n, true
	}
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if len(text) > maxDigits || len(exponent) > len("-999") || strings.Trim(text, "0123456789+-.eE") != "" {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	return r.Num().Int64(), true
}

// timeForms are the forms of a time that Procore's API and its users' data have.
var timeForms = [...]string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", time.DateOnly}

// readTime reads a time, or seconds since 1970. One without a zone is in UTC. An empty
// text is no time. A year that JSON cannot write again is odd.
func readTime(b []byte, to *time.Time) bool {
	text := unquoted(b)
	if text == "" {
		return true
	}
	if n, ok := wholeNumber(text); ok && n > 1e8 && n < 1e11 { // 1973 to 5138
		*to = time.Unix(n, 0).UTC()
		return true
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, text); err == nil && t.UTC().Year() > 0 && t.UTC().Year() < 10_000 {
			*to = t
			return true
		}
	}
	return false
}
