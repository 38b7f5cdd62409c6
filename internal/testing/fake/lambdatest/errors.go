package lambdatest

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTooLarge is returned for a payload over [MaxPayload], which Lambda
// refuses without starting anything.
var ErrTooLarge = fmt.Errorf("the payload is larger than %d bytes", MaxPayload)

// ErrClosed is returned by a function that was closed.
var ErrClosed = errors.New("the function was closed")

// FunctionError is an invocation that failed, in Lambda's words. Type is one
// of the function's own or
//
//   - Sandbox.Timedout: it took longer than its timeout; the process was killed
//   - Runtime.ExitError: the process ended, before or during the invocation
//   - Function.ResponseSizeTooLarge: the answer was larger than [MaxPayload]
//
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
type FunctionError struct {
	Function  string
	RequestID string // empty: the process never asked for work
	Type      string
	Message   string
	Log       []string // last lines of the process, if it ended by itself
}

func (e *FunctionError) Error() string {
	s := fmt.Sprintf("function %s: %s: %s", e.Function, e.Type, e.Message)
	if len(e.Log) > 0 {
		s += "; its last lines:\n  " + strings.Join(e.Log, "\n  ")
	}
	return s
}
