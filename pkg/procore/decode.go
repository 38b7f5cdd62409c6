package procore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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
	if len(b) > maxBody {
		return nil, errTooLarge
	}
	return b, nil
}

// decode reads a 2xx answer into v. REST v2 wraps the payload in "data".
//
// https://procore.github.io/documentation/new-rest-v2-version
func decode(b []byte, status int, c call, v any) error {
	if v == nil || len(b) == 0 && c.method != http.MethodGet {
		return nil
	}
	if strings.HasPrefix(c.path, "/rest/v2.") {
		var envelope struct {
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(b, &envelope); err != nil || envelope.Data == nil {
			return fmt.Errorf("status %d, but the answer has no data", status)
		}
		b = envelope.Data
	}
	if err := json.Unmarshal(b, v); err != nil {
		field, reason := jsonProblem(err)
		return fmt.Errorf("status %d, but the answer cannot be read: %s", status, strings.TrimPrefix(field+": "+reason, ": "))
	}
	return nil
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
	if errors.Is(err, errID) {
		return "", errID.Error()
	}
	return "", "a field has the wrong form"
}
