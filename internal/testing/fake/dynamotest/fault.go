package dynamotest

import (
	"net/http"
	"sync/atomic"
)

// A Fault says how one request misbehaves. The zero Fault is none.
type Fault struct {
	// Code answers with this error: for instance ThrottlingException, ProvisionedThroughputExceededException,
	// InternalServerError (a 500), TransactionConflictException.
	Code string

	// Reasons makes the error a TransactionCanceledException with these codes, one for each item of the transaction:
	// for instance "None", "TransactionConflict".
	Reasons []string

	// Drop closes the connection without an answer.
	Drop bool

	// Applied lets the operation take effect first. With Drop it is the answer that is lost, with Code the answer is
	// wrong.
	Applied bool
}

// Intercept calls f with every operation's name and body before it is done; nil ends that. It is called without the
// server's lock, from many goroutines; it may wait.
func (s *Server) Intercept(f func(operation string, body []byte) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// Nth makes an interceptor that lets the n-th call of the operation, counted from 1, misbehave once.
func Nth(n int64, operation string, fault Fault) func(string, []byte) Fault {
	var calls atomic.Int64
	return func(name string, _ []byte) Fault {
		if name == operation && calls.Add(1) == n {
			return fault
		}
		return Fault{}
	}
}

// faulty does one operation, or what the interceptor makes of it.
func (s *Server) faulty(name string, body []byte) (out any, failure *apiError) {
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
		panic(http.ErrAbortHandler) // net/http's way to close the connection
	case fault.Reasons != nil:
		reasons := make([]reason, len(fault.Reasons))
		for n, code := range fault.Reasons {
			reasons[n].Code = code
		}
		return nil, cancelled(reasons)
	case fault.Code != "":
		return nil, &apiError{Code: fault.Code, Message: "as the interceptor wants it"}
	}
	return out, failure
}
