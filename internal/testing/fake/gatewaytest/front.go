// Package gatewaytest is an API Gateway HTTP API on this machine. Its [http.Handler]
// turns each request into an event of payload format 2.0, invokes the function of the
// route and writes the function's answer.
//
//	front := gatewaytest.New(map[string]gatewaytest.Invoker{"GET /": f}, gatewaytest.Options{})
//
// It is as strict as the service: routes match exactly except $default and those that end in /{proxy+}, no route ends
// in a slash, cookies arrive as a list and not as a header, duplicate headers arrive joined, a form arrives in base64.
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
	"strings"
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

// greedy ends the key of a route for all addresses below a path.
const greedy = "{proxy+}"

// New returns a front with routes by key, such as "GET /companies", "POST /webhooks/{proxy+}" or "$default". It panics
// for a key that the service refuses, because its path ends in a slash.
func New(routes map[string]Invoker, o Options) *Front {
	for key := range routes {
		if strings.HasSuffix(key, "/") && !strings.HasSuffix(key, " /") {
			panic("gatewaytest: API Gateway creates no route " + key)
		}
	}
	o.Stage = cmp.Or(o.Stage, defaultStage)
	o.Timeout = cmp.Or(o.Timeout, timeout)
	if o.Log == nil {
		o.Log = func(string, error) {}
	}
	return &Front{routes: routes, o: o}
}

// route returns the most specific route of a request, and nil without one.
func (f *Front) route(request string) (key string, function Invoker) {
	if function, ok := f.routes[request]; ok {
		return request, function
	}
	for prefix := request; ; {
		i := strings.LastIndexByte(strings.TrimSuffix(prefix, "/"), '/')
		if i < 0 {
			return defaultRoute, f.routes[defaultRoute]
		}
		prefix = prefix[:i+1]
		if function, ok := f.routes[prefix+greedy]; ok {
			return prefix + greedy, function
		}
	}
}

// ServeHTTP answers one request.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("Apigw-Requestid", id)
	key, function := f.route(r.Method + " " + r.URL.Path)
	if function == nil {
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
