package dynamotest

import (
	"fmt"
	"net/http"
	"strings"
)

// An apiError is an error as the service puts it on the wire.
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
	space := "com.amazonaws.dynamodb.v20120810#"
	if e.code == "ValidationException" || e.code == "ThrottlingException" {
		space = "com.amazon.coral.validate#"
	}
	body := map[string]any{"__type": space + e.code}
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

// badValue is invalid with the words that the service puts before complaints about values.
func badValue(format string, args ...any) *apiError {
	return invalid("One or more parameter values were invalid: "+format, args...)
}

func notFound(format string, args ...any) *apiError {
	return &apiError{code: "ResourceNotFoundException", message: "Requested resource not found" + fmt.Sprintf(format, args...)}
}

func cancelled(reasons []reason) *apiError {
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
	}
	return &apiError{
		code: "TransactionCanceledException",
		message: "Transaction cancelled, please refer cancellation reasons for specific reasons [" +
			strings.Join(codes, ", ") + "]",
		reasons: reasons,
	}
}
