package dynamotest

import (
	"net/http"
	"sync/atomic"
)

// A Fault is how one request misbehaves. The zero Fault does nothing.
type Fault struct {
	// Code is the error to answer with: for instance ThrottlingException, ProvisionedThroughputExceededException,
	// InternalServerError (a 500), TransactionConflictException.
	Code string

	// Reasons makes the error a TransactionCanceledException with these codes, one for each item of the transaction:
	// for instance "None", "TransactionConflict".
	Reasons []string

	// Drop closes the connection without an answer, after an informational one. A connection that is closed without
	// a word may have been closed while it was idle, and sdkhttp repeats the request at once.
	Drop bool

	// Applied makes the operation take effect first. With Drop only the answer is lost, with Code the answer is wrong.
	Applied bool
}

// Intercept calls f with the name and body of every operation before it is done, until it is set to nil. f is called
// without the server's lock, from many goroutines, and may wait.
func (s *Server) Intercept(f func(operation string, body []byte) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// Nth returns an interceptor that makes the n-th call of the operation, counted from 1, misbehave once.
func Nth(n int64, operation string, fault Fault) func(string, []byte) Fault {
	var calls atomic.Int64
	return func(name string, _ []byte) Fault {
		if name == operation && calls.Add(1) == n {
			return fault
		}
		return Fault{}
	}
}

// intercepted does one operation with the fault that the interceptor chose.
func (s *Server) intercepted(w http.ResponseWriter, name string, body []byte) (out any, failure *apiError) {
	s.mu.Lock()
	intercept, fault := s.intercept, Fault{}
	s.mu.Unlock()
	if intercept != nil {
		fault = intercept(name, body)
	}
	if fault.Applied || !fault.Drop && fault.Code == "" && fault.Reasons == nil {
		out, failure = s.do(name, body)
	}
	switch {
	case fault.Drop:
		w.WriteHeader(http.StatusEarlyHints)
		panic(http.ErrAbortHandler) // net/http's way to close the connection
	case fault.Reasons != nil:
		reasons := make([]reason, len(fault.Reasons))
		for n, code := range fault.Reasons {
			reasons[n].Code = code
		}
		return nil, cancelled(reasons)
	case fault.Code != "":
		return nil, &apiError{Code: fault.Code, Message: "as the interceptor chose"}
	}
	return out, failure
}
