package dynamotest

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/journal"
)

// A Server is a DynamoDB in memory, as an http.Handler. Make it with New or Open.
type Server struct {
	// Now is the clock of time to live and idempotency tokens. It is time.Now unless set before the first request.
	Now func() time.Time
	// FeedLength is how many records of each stream are kept. 0: 10,000. It is set before a table is created.
	FeedLength int
	// RestoreTime is after how long a restored table is ACTIVE, once it has been described: AWS takes 20 minutes or more.
	RestoreTime time.Duration
	// Written is called after each write of an item, with the table and the item as it is now. It is called under the
	// server's lock. nil: it is not called.
	Written func(table string, item map[string]types.AttributeValue)
	// Deleted is called likewise after an item is deleted, with the item as it was.
	Deleted func(table string, item map[string]types.AttributeValue)

	operations map[string]operation

	mu        sync.Mutex // guards everything below, the tables' content included
	tables    map[string]*table
	done      map[string]done // transactions by client token
	intercept func(operation string, body []byte) Fault
	storage   journal.Storage   // nil: the state ends with the server
	changes   map[string][]byte // of the present operation, for the storage
}

// An operation is called with the server's lock held. It refuses a request by a panic with an *apiError.
type operation func(s *Server, body []byte) any

// New returns a server without tables.
func New() *Server {
	return &Server{Now: time.Now, tables: map[string]*table{}, done: map[string]done{}, operations: map[string]operation{
		"CreateTable":   op((*Server).createTable),
		"UpdateTable":   op((*Server).updateTable),
		"ListTables":    op((*Server).listTables),
		"DescribeTable": op((*Server).describeTable),
		"DeleteTable":   op((*Server).deleteTable),

		"DescribeContinuousBackups": op((*Server).describeContinuousBackups),
		"UpdateContinuousBackups":   op((*Server).updateContinuousBackups),
		"RestoreTableToPointInTime": op((*Server).restoreTableToPointInTime),

		"UpdateTimeToLive":   op((*Server).updateTimeToLive),
		"DescribeTimeToLive": op((*Server).describeTimeToLive),
		"PutItem":            writeItem("Put"),
		"UpdateItem":         writeItem("Update"),
		"DeleteItem":         writeItem("Delete"),
		"TransactWriteItems": op((*Server).transactWriteItems),
		"GetItem":            op((*Server).getItem),
		"Query":              op((*Server).query),
		"Scan":               op((*Server).scan),
	}}
}

// op makes an operation from a method. It refuses parameters that the method does not support, so that none is ignored.
func op[In, Out any](method func(*Server, In) Out) operation {
	return func(s *Server, body []byte) any {
		var in In
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			code := "SerializationException"
			if strings.Contains(err.Error(), "unknown field") {
				code = "ValidationException"
			}
			fail(code, "dynamotest does not support this parameter: %v", err)
		}
		return method(s, in)
	}
}

// ServeHTTP implements the service's JSON 1.0 protocol.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20)) // the service's limit for many items
	if err != nil {
		http.Error(w, "request too large or unreadable", http.StatusRequestEntityTooLarge)
		return
	}
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/" || !ok:
		respond(w, nil, &apiError{Code: "UnknownOperationException", Message: "only a POST to / with an X-Amz-Target of DynamoDB_20120810 is an operation"})
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="):
		respond(w, nil, &apiError{Code: "MissingAuthenticationTokenException", Message: "Request is not signed"})
	default:
		out, failure := s.intercepted(w, name, body)
		respond(w, out, failure)
	}
}

// do runs one operation, and returns when what it answers is durable.
func (s *Server) do(name string, body []byte) (out any, failure *apiError) {
	out, failure = s.run(name, body)
	if err := s.sync(); err != nil {
		return nil, &apiError{Code: "InternalServerError", Message: err.Error()}
	}
	return out, failure
}

// run runs one operation.
func (s *Server) run(name string, body []byte) (out any, failure *apiError) {
	failure = s.locked(func() {
		if s.operations[name] == nil {
			fail("UnknownOperationException", "dynamotest does not support %.100q, only %s", name,
				strings.Join(slices.Sorted(maps.Keys(s.operations)), ", "))
		}
		out = s.operations[name](s, body)
	})
	return out, failure
}

// locked runs an operation under the lock, and returns the error with which it refused.
func (s *Server) locked(f func()) *apiError {
	s.mu.Lock()
	defer s.mu.Unlock()
	failure := attempt(f)
	s.saved()
	return failure
}

// respond answers with the checksum that the SDK verifies.
func respond(w http.ResponseWriter, out any, failure *apiError) {
	status := http.StatusOK
	if failure != nil {
		status, out = http.StatusBadRequest, failure
		if failure.Code == "InternalServerError" {
			status = http.StatusInternalServerError
		}
	}
	body, _ := json.Marshal(out) // answers consist of types that always marshal
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have left
}
