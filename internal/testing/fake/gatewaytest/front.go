// Package gatewaytest is an API Gateway HTTP API on this machine. Its [http.Handler]
// turns each request into an event of payload format 2.0, invokes the function of the
// route and writes the function's answer.
//
//	front := gatewaytest.New(map[string]gatewaytest.Invoker{"GET /": f}, gatewaytest.Options{})
//
// It is as strict as the service: routes match exactly except $default, cookies arrive as a list and
// not as a header, duplicate headers arrive joined, a form arrives in base64.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
package gatewaytest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"procore-connect/internal/testing/fake/lambdatest"
)

// Limits of the service;
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const (
	MaxHeader = 10240    // bytes of request line and headers
	maxBody   = 10 << 20 // bytes
	timeout   = 30 * time.Second
)

// Invoker is a function, such as [lambdatest.Function].
type Invoker interface {
	// Invoke returns the function's answer. [lambdatest.ErrTooLarge] means that the
	// event was too large for Lambda.
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// Options describe the front. The zero value works.
type Options struct {
	Stage   string        // "": $default, which is not part of a path
	Timeout time.Duration // of the integration; 0: 30 s, as in the service
	// Log receives the reason whenever the gateway answers with its own error. It may
	// be nil.
	Log func(route string, err error)
}

// Front is the gateway.
type Front struct {
	routes map[string]Invoker
	o      Options
}

// defaultRoute is the key of the route for what no other one matches.
const defaultRoute = "$default"

// New returns a front with routes by key, such as "GET /companies" or "$default".
func New(routes map[string]Invoker, o Options) *Front {
	o.Stage = cmp.Or(o.Stage, defaultStage)
	o.Timeout = cmp.Or(o.Timeout, timeout)
	if o.Log == nil {
		o.Log = func(string, error) {}
	}
	return &Front{routes: routes, o: o}
}

// ServeHTTP answers one request.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("Apigw-Requestid", id)
	key := r.Method + " " + r.URL.Path
	function, ok := f.routes[key]
	if !ok {
		key = defaultRoute
		function, ok = f.routes[key]
	}
	if !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	if headerSize(r) > MaxHeader {
		refuse(w, http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	answer, err := f.invoke(r, function, event(r, body, key, f.o.Stage, id))
	var out *response
	if err == nil {
		out, err = parseResponse(answer)
	}
	if err != nil {
		f.o.Log(key, err)
		status, text := status(err)
		refuse(w, status, text)
		return
	}
	out.write(w)
}

func (f *Front) invoke(r *http.Request, function Invoker, event any) ([]byte, error) {
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	// As in the service, the function continues when the caller hangs up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), f.o.Timeout)
	defer cancel()
	return function.Invoke(ctx, payload)
}

// status returns the service's answer when the function has none.
func status(err error) (int, string) {
	switch {
	case errors.Is(err, lambdatest.ErrTooLarge):
		return http.StatusRequestEntityTooLarge, "Request Entity Too Large"
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, "Service Unavailable"
	default:
		return http.StatusInternalServerError, "Internal Server Error"
	}
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": text})
}

func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("Host") + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	return n
}

// requestID returns an id in the form of the service's.
func requestID() string {
	var b [11]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}
