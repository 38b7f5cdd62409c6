package dynamotest

import (
	"fmt"
	"net/http"
	"strings"
)

// An apiError is an error as the service puts it on the wire. A request is refused from wherever its mistake is found
// by a panic with one, before anything is stored; Server.do and attempt recover it, and nothing outside sees a panic.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
type apiError struct {
	code    string
	message string
	item    item     // of ConditionalCheckFailedException, when it was asked for
	reasons []reason // of TransactionCanceledException, one for each item
}

// A reason says why one item of a transaction did not pass; Code "None" says that it did.
type reason struct {
	Code    string
	Message string `json:",omitempty"`
	Item    item   `json:",omitempty"`
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func (e *apiError) status() int {
	if e.code == "InternalServerError" {
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// body is the answer's JSON. The service writes "Message" for cancelled transactions and "message" elsewhere.
func (e *apiError) body() map[string]any {
	body := map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + e.code}
	if e.reasons != nil {
		body["Message"], body["CancellationReasons"] = e.message, e.reasons
		return body
	}
	body["message"] = e.message
	if e.item != nil {
		body["Item"] = e.item
	}
	return body
}

func invalid(format string, args ...any) *apiError {
	return &apiError{code: "ValidationException", message: fmt.Sprintf(format, args...)}
}

// refuse ends the request, or the attempt, with a ValidationException.
func refuse(format string, args ...any) { panic(invalid(format, args...)) }

// attempt returns the error with which f refused, or nil.
func attempt(f func()) (failure *apiError) {
	defer func() {
		if r := recover(); r != nil {
			known, ok := r.(*apiError)
			if !ok {
				panic(r)
			}
			failure = known
		}
	}()
	f()
	return nil
}

func cancelled(reasons []reason) *apiError {
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
	}
	message := "Transaction cancelled, please refer cancellation reasons for specific reasons ["
	return &apiError{
		code: "TransactionCanceledException", message: message + strings.Join(codes, ", ") + "]", reasons: reasons,
	}
}
