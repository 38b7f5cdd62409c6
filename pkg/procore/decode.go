package procore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
)

// errTooLarge is final, because a repetition would get the same answer.
var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxBody)

// readBody reads a 2xx answer, whose size is limited after gzip.
func readBody(resp *http.Response) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	// net/http decodes only what it asked for.
	if b = uncompressed(resp.Header, b, maxBody+1); len(b) > maxBody {
		return nil, errTooLarge
	}
	return b, nil
}

// decode reads a 2xx answer into v as far as it fits, and returns the names of its odd
// parts. REST v2 wraps the payload in "data"; a list is also read where the other version
// would have it.
//
// https://procore.github.io/documentation/new-rest-v2-version
func decode(b []byte, status int, c call, v any) (odd []string, err error) {
	if v == nil || len(b) == 0 && c.method != http.MethodGet {
		return nil, nil
	}
	if whole, ok := v.(interface{ readAnswer(status int, body []byte) }); ok {
		whole.readAnswer(status, b)
		return nil, nil
	}
	v2, to := strings.HasPrefix(c.path, "/rest/v2."), reflect.TypeOf(v).Elem()
	list := to.Kind() == reflect.Slice && to != reflect.TypeFor[json.RawMessage]()
	if v2 && (!list || !begins(b, "[")) || !v2 && list && begins(b, "{") {
		data, ok := envelope(b)
		if !ok || null(data) && !list { // an empty list may be null
			return nil, fmt.Errorf("status %d, but the answer has no data", status)
		}
		b = data
	}
	if odd, err = Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("status %d, but the answer cannot be read: %w", status, err)
	}
	return odd, nil
}

// envelope returns what stands under "data", in whatever letter case.
func envelope(b []byte) (data json.RawMessage, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(plainText(b), &members) != nil {
		return nil, false
	}
	for name, member := range members {
		if strings.EqualFold(name, "data") {
			return member, true
		}
	}
	return nil, false
}

func begins(b []byte, s string) bool { return bytes.HasPrefix(plainText(b), []byte(s)) }

// plainText returns b without a byte order mark and blanks around it.
func plainText(b []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))
}

// jsonProblem returns what is wrong with JSON, and in which field if that is known. It
// does not use the error's text, which may quote the content, as time.Time's does.
func jsonProblem(err error) (field, reason string) {
	if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return te.Field, "a " + te.Type.Kind().String() + " is required"
	}
	if se, ok := errors.AsType[*json.SyntaxError](err); ok {
		return "", fmt.Sprintf("not JSON at byte %d", se.Offset)
	}
	return "", "a field has the wrong form"
}
