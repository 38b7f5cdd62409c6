package lambdatest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	region   = "us-east-1"
	arn      = "arn:aws:lambda:" + region + ":000000000000:function:"
	maxError = 256 << 10 // bytes of a reported error
)

// invocation is one call on its way through a process.
type invocation struct {
	id      string
	payload []byte

	done   chan struct{} // closed once answer or err is set
	answer []byte
	err    error
}

func newInvocation(payload []byte) *invocation {
	return &invocation{id: newID(), payload: payload, done: make(chan struct{})}
}

// api returns the Runtime API of one process.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
func (p *process) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", p.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", p.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", p.failed)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", p.initFailed)
	return mux
}

// next waits for an invocation and sends it to the process.
func (p *process) next(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	first := !p.asked
	p.asked = true
	pid := p.cmd.Process.Pid
	p.mu.Unlock()
	if first {
		p.o.Polled(pid)
		close(p.polled)
	}
	var inv *invocation
	select {
	case inv = <-p.work:
	case <-r.Context().Done():
		return
	case <-p.exited:
		return
	}
	p.mu.Lock()
	p.current = inv
	p.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(p.o.Timeout).UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", arn+p.o.Name)
	h.Set("Lambda-Runtime-Trace-Id", traceID())
	w.Write(inv.payload) // if the process has ended, its exit shows that
}

// take returns the current invocation and ends it, if the path names it.
func (p *process) take(r *http.Request) *invocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	inv := p.current
	if inv == nil || inv.id != r.PathValue("id") {
		return nil
	}
	p.current = nil
	return inv
}

func (p *process) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	inv := p.take(r)
	if inv == nil {
		answer(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	defer close(inv.done)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		message := fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxPayload)
		inv.err = &FunctionError{Function: p.o.Name, RequestID: inv.id, Type: "Function.ResponseSizeTooLarge", Message: message}
		answer(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", message)
		return
	}
	if err != nil {
		inv.err = &FunctionError{Function: p.o.Name, RequestID: inv.id, Type: "Runtime.TruncatedResponse", Message: err.Error()}
		answer(w, http.StatusBadRequest, "TruncatedResponse", "the response could not be read")
		return
	}
	inv.answer = body
	answer(w, http.StatusAccepted, "", "")
}

func (p *process) failed(w http.ResponseWriter, r *http.Request) {
	e := p.reported(r)
	inv := p.take(r)
	if inv == nil {
		answer(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	e.RequestID = inv.id
	inv.err = e
	close(inv.done)
	answer(w, http.StatusAccepted, "", "")
}

func (p *process) initFailed(w http.ResponseWriter, r *http.Request) {
	e := p.reported(r)
	p.mu.Lock()
	p.initErr = e
	p.mu.Unlock()
	answer(w, http.StatusAccepted, "", "")
}

// reported reads an error that the process reports. It drops the stack trace, which is
// in the log.
func (p *process) reported(r *http.Request) *FunctionError {
	var e struct{ ErrorType, ErrorMessage string }
	if err := json.NewDecoder(io.LimitReader(r.Body, maxError)).Decode(&e); err != nil {
		e.ErrorType, e.ErrorMessage = "Runtime.Unknown", "the process reported an error that is not JSON"
	}
	if e.ErrorType == "" {
		e.ErrorType = r.Header.Get("Lambda-Runtime-Function-Error-Type")
	}
	return &FunctionError{Function: p.o.Name, Type: e.ErrorType, Message: e.ErrorMessage}
}

// answer writes the Runtime API's own answer: without a code, {"status":"OK"}.
func answer(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if code == "" {
		io.WriteString(w, `{"status":"OK"}`)
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"errorType": code, "errorMessage": message})
}

// traceID returns an X-Ray header that asks for no trace.
//
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html
func traceID() string {
	var b [20]byte
	rand.Read(b[:])
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), b[:12], b[12:])
}

// newID returns a random UUID, as Lambda's request ids are.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
