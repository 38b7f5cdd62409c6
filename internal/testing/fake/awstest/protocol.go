package awstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// maxRequest limits a request body. The largest real one is a batch of SQS messages
// of 1 MiB together, which JSON escaping can make six times as long.
const maxRequest = 8 << 20

// Error is an error as a service reports it. The SDK turns many codes into types.
type Error struct {
	Code    string // such as ResourceNotFoundException
	Message string

	status    int    // 0: 400
	queryCode string // the code in SQS's older protocol, where it differs
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// unknownOperation is the error for an operation that does not exist here, with those that do.
func unknownOperation(name string, existing ...string) *Error {
	slices.Sort(existing)
	return errorf("UnknownOperationException", "the operation %.100q is not supported here, only %s", name, strings.Join(existing, ", "))
}

// An operation takes the request's JSON and returns the answer to marshal.
type operation func(ctx context.Context, r *http.Request, body []byte) (any, error)

// input makes an operation from a function with typed input. A parameter that the
// input type lacks is an error, because ignoring it would produce a wrong answer.
func input[In any](f func(context.Context, *http.Request, In) (any, error)) operation {
	return func(ctx context.Context, r *http.Request, body []byte) (any, error) {
		var in In
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			return nil, errorf("SerializationException", "%v", err)
		}
		return f(ctx, r, in)
	}
}

// serve answers one request of the AWS JSON protocols, once sync has made durable what the answer rests on.
//
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
func serve(w http.ResponseWriter, r *http.Request, contentType string, sync func() error, operations map[string]operation) {
	_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	op, ok := operations[name]
	if !ok || r.Method != http.MethodPost {
		writeError(w, contentType, unknownOperation(name, slices.Collect(maps.Keys(operations))...))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		writeError(w, contentType, &Error{Code: "RequestEntityTooLargeException", Message: err.Error(), status: http.StatusRequestEntityTooLarge})
		return
	}
	out, err := op(r.Context(), r, body)
	if failed := sync(); failed != nil {
		out, err = nil, failed // what an error reports may not be durable either
	}
	if err != nil {
		writeError(w, contentType, err)
		return
	}
	write(w, contentType, http.StatusOK, out)
}

func writeError(w http.ResponseWriter, contentType string, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Code: "InternalFailure", Message: err.Error(), status: http.StatusInternalServerError}
	}
	status := e.status
	if status == 0 {
		status = http.StatusBadRequest
	}
	if e.queryCode != "" {
		w.Header().Set("X-Amzn-Query-Error", e.queryCode+";Sender")
	}
	write(w, contentType, status, map[string]string{"__type": e.Code, "message": e.Message})
}

func write(w http.ResponseWriter, contentType string, status int, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"__type":"InternalFailure"}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Amzn-Requestid", newID())
	w.WriteHeader(status)
	w.Write(body) // the caller may have left
}

// newID returns an identifier in the form that AWS uses, a random UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// failure returns the answer for one failed entry of a batch.
func failure(id string, err error) map[string]any {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Code: "InternalFailure", Message: err.Error()}
	}
	return map[string]any{"Id": id, "Code": e.Code, "Message": e.Message, "SenderFault": ok}
}
