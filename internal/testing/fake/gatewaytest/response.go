package gatewaytest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// response is the answer to the browser.
type response struct {
	status  int
	header  map[string]string
	cookies []string
	body    []byte
}

var errResponse = errors.New("API Gateway does not understand the function's answer")

// parseResponse reads the answer of a function in format 2.0. Without a
// statusCode, any valid JSON becomes the body of a 200.
func parseResponse(answer []byte) (*response, error) {
	if !json.Valid(answer) {
		return nil, fmt.Errorf("%w: not JSON", errResponse)
	}
	var in struct {
		StatusCode      json.RawMessage
		Headers         map[string]json.RawMessage
		Cookies         []string
		Body            *string
		IsBase64Encoded bool
	}
	err := json.Unmarshal(answer, &in)
	if err != nil || in.StatusCode == nil {
		return inferred(answer)
	}
	out := &response{cookies: in.Cookies, header: make(map[string]string)}
	if out.status, err = strconv.Atoi(unquote(in.StatusCode)); err != nil || out.status < 200 || out.status > 599 {
		return nil, fmt.Errorf("%w: statusCode %.20s", errResponse, in.StatusCode)
	}
	for name, value := range in.Headers {
		out.header[http.CanonicalHeaderKey(name)] = unquote(value)
	}
	if in.Body == nil {
		return out, nil
	}
	out.body = []byte(*in.Body)
	if in.IsBase64Encoded {
		if out.body, err = base64.StdEncoding.DecodeString(*in.Body); err != nil {
			return nil, fmt.Errorf("%w: body is not base64", errResponse)
		}
	}
	return out, nil
}

func inferred(answer []byte) (*response, error) {
	out := &response{status: http.StatusOK, header: map[string]string{"Content-Type": "application/json"}, body: answer}
	var text string
	if json.Unmarshal(answer, &text) == nil {
		out.body = []byte(text)
	}
	return out, nil
}

// unquote takes a JSON string or number as text; the service accepts both.
func unquote(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func (r *response) write(w http.ResponseWriter) {
	h := w.Header()
	for name, value := range r.header {
		switch name {
		case "Connection", "Content-Length", "Transfer-Encoding", "Keep-Alive", "Upgrade", "Trailer":
			continue // the service sets these itself
		}
		h.Set(name, value)
	}
	for _, c := range r.cookies {
		h.Add("Set-Cookie", c)
	}
	if h.Get("Content-Type") == "" && len(r.body) > 0 {
		h.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	h.Set("Content-Length", strconv.Itoa(len(r.body)))
	w.WriteHeader(r.status)
	w.Write(r.body) // the caller may have left
}
