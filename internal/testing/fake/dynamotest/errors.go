package dynamotest

import (
	"fmt"
	"strings"
)

// An apiError is an error as the service writes it. Code that finds a mistake in a request panics with one, before
// anything is stored. attempt recovers it, so no panic leaves the package.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
type apiError struct {
	Code    string   `json:"__type"`
	Message string   `json:"message"`
	Item    item     `json:",omitzero"`                     // of ConditionalCheckFailedException, if it was requested
	Reasons []reason `json:"CancellationReasons,omitempty"` // of TransactionCanceledException, one for each item
}

// A reason is why one item of a transaction failed. The code "None" means that it did not fail.
type reason struct {
	Code    string
	Message string `json:",omitempty"`
	Item    item   `json:",omitzero"`
}

// fail ends the request, or the attempt, with an error.
func fail(code, format string, args ...any) {
	panic(&apiError{Code: code, Message: fmt.Sprintf(format, args...)})
}

// refuse ends the request, or the attempt, with a ValidationException.
func refuse(format string, args ...any) { fail("ValidationException", format, args...) }

// attempt returns the error with which f refused, or nil.
func attempt(f func()) (failure *apiError) {
	defer func() {
		r := recover()
		known, ok := r.(*apiError)
		if r != nil && !ok {
			panic(r)
		}
		failure = known
	}()
	f()
	return nil
}

func cancelled(reasons []reason) *apiError {
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
	}
	return &apiError{Code: "TransactionCanceledException", Reasons: reasons, Message: "Transaction cancelled, please " +
		"refer cancellation reasons for specific reasons [" + strings.Join(codes, ", ") + "]"}
}
