package dynamotest

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody bounds a request, as the service does for one with many items.
const maxBody = 16 << 20

// A Server is a DynamoDB in memory, as an http.Handler. Make it with New.
type Server struct {
	// Now is the clock of time to live, idempotency tokens and creation dates; time.Now if nil. Set it before the
	// first request.
	Now func() time.Time

	operations map[string]operation

	mu        sync.Mutex // guards everything below, the tables' content included
	tables    map[string]*table
	done      map[string]done // transactions by client token
	sequence  uint64          // of the last feed record
	intercept func(operation string, body []byte) Fault
}

// An operation is called with the server's lock held. It refuses by a panic with an *apiError.
type operation func(s *Server, body []byte) any

// New returns a server without tables.
func New() *Server {
	return &Server{tables: map[string]*table{}, done: map[string]done{}, operations: map[string]operation{
		"CreateTable":        op((*Server).createTable),
		"DescribeTable":      op((*Server).describeTable),
		"DeleteTable":        op((*Server).deleteTable),
		"ListTables":         op((*Server).listTables),
		"UpdateTimeToLive":   op((*Server).updateTimeToLive),
		"DescribeTimeToLive": op((*Server).describeTimeToLive),
		"PutItem":            op((*Server).putItem),
		"GetItem":            op((*Server).getItem),
		"UpdateItem":         op((*Server).updateItem),
		"DeleteItem":         op((*Server).deleteItem),
		"TransactWriteItems": op((*Server).transactWriteItems),
		"Query":              op((*Server).query),
		"Scan":               op((*Server).scan),
	}}
}

func op[In any](f func(*Server, In) any) operation {
	return func(s *Server, body []byte) any {
		var in In
		decode(body, &in)
		return f(s, in)
	}
}

// decode refuses parameters that it does not know, so that none is ignored.
func decode(body []byte, into any) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		return
	}
	if _, field, ok := strings.Cut(err.Error(), "unknown field "); ok {
		refuse("dynamotest does not know the parameter %s", field)
	}
	panic(&apiError{code: "SerializationException", message: err.Error()})
}

// ServeHTTP speaks the service's JSON 1.0 protocol.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "request too large or unreadable", http.StatusRequestEntityTooLarge)
		return
	}
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/" || !ok:
		respond(w, nil, &apiError{code: "UnknownOperationException"})
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="):
		respond(w, nil, &apiError{code: "MissingAuthenticationTokenException", message: "Request is not signed"})
	default:
		out, failure := s.faulty(name, body)
		respond(w, out, failure)
	}
}

// do runs one operation under the lock.
func (s *Server) do(name string, body []byte) (out any, failure *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.operations[name]
	if !ok {
		return nil, &apiError{code: "UnknownOperationException", message: "dynamotest does not know " + name}
	}
	failure = attempt(func() { out = f(s, body) })
	return out, failure
}

// respond answers with the checksum that the SDK verifies.
func respond(w http.ResponseWriter, out any, failure *apiError) {
	status := http.StatusOK
	if failure != nil {
		status, out = failure.status(), failure.body()
	}
	body, err := json.Marshal(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone does not want the answer
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
