package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// maxRequest bounds a request in bytes.
const maxRequest = 1 << 10

// A request is what a caller sends.
type request struct {
	company  int64
	rejected bool // Procore answered 401, or 403 "App is not connected", to the last token
}

// A requestError is a mistake of the caller's.
type requestError struct{ text string }

func (e *requestError) Error() string { return e.text }

// parse reads a request. A field that it does not know is a mistake, because a caller that misspells one would not be
// heard.
func parse(in json.RawMessage) (request, error) {
	if len(in) > maxRequest {
		return request{}, &requestError{fmt.Sprintf("the request has %d bytes, and may have %d", len(in), maxRequest)}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(in, &fields); err != nil || fields == nil {
		return request{}, &requestError{`the request is not an object such as {"company_id": 5678}`}
	}
	var r request
	for name, value := range fields {
		var err error
		switch name {
		case "company_id":
			r.company, err = companyID(value)
		case "rejected":
			if json.Unmarshal(value, &r.rejected) != nil {
				err = &requestError{"rejected is not true or false"}
			}
		default:
			err = &requestError{fmt.Sprintf("there is no field %.40q, only company_id and rejected", name)}
		}
		if err != nil {
			return request{}, err
		}
	}
	if r.company == 0 {
		return request{}, &requestError{"company_id is missing"}
	}
	return r, nil
}

// companyID reads an id that is a number, or a text of digits as the envelope has it.
func companyID(value json.RawMessage) (int64, error) {
	digits := bytes.TrimSpace(value)
	if n := len(digits); n > 2 && digits[0] == '"' {
		digits = digits[1 : n-1]
	}
	id, err := strconv.ParseInt(string(digits), 10, 64)
	if err == nil && (id <= 0 || digits[0] == '+') {
		err = errors.New("not positive")
	}
	if err != nil {
		return 0, &requestError{fmt.Sprintf("company_id %.40q is not the id of a company, a positive number or a text of its digits", value)}
	}
	return id, nil
}
