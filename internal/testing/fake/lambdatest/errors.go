package lambdatest

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTooLarge is the error for a payload over [MaxPayload], which Lambda refuses
// without starting anything. The gateway answers it with 413.
var ErrTooLarge = fmt.Errorf("the payload is larger than %d bytes", MaxPayload)

// errClosed is the error of a function that was closed.
var errClosed = errors.New("the function was closed")

// FunctionError is the error of a failed invocation, in Lambda's words. Type is one of
// the function's own types or
//
//   - Sandbox.Timedout: the invocation took longer than its timeout; the process was killed
//   - Runtime.ExitError: the process ended, before or during the invocation
//   - Function.ResponseSizeTooLarge: the answer was larger than [MaxPayload]
//
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
type FunctionError struct {
	Function  string
	RequestID string // empty: the process never asked for work
	Type      string
	Message   string
	Log       []string // last lines of the process, if it was not killed
}

func (e *FunctionError) Error() string {
	s := fmt.Sprintf("function %s: %s: %s", e.Function, e.Type, e.Message)
	if len(e.Log) > 0 {
		s += "; its last lines:\n  " + strings.Join(e.Log, "\n  ")
	}
	return s
}
