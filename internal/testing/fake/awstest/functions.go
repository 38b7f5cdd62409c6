package awstest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"procore-connect/internal/testing/fake/lambdatest"
)

// Functions is a Lambda with the operations GetFunctionConfiguration and Invoke, of functions whose alias live is what
// runs. An invocation waits for its answer, and shows no log. Package lambdatest runs functions.
//
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
type Functions struct {
	mu  sync.Mutex
	env map[string]map[string]string
	run map[string]Invoker
}

// An Invoker is a function that runs, such as a [*lambdatest.Function].
type Invoker interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// NewFunctions returns a Lambda without a function.
func NewFunctions() *Functions {
	return &Functions{env: map[string]map[string]string{}, run: map[string]Invoker{}}
}

// alias is the one that the template's functions have.
const alias = "live"

// Put adds a function with these environment variables, which the alias leads to.
func (f *Functions) Put(name string, env map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.env[name] = env
}

// Run makes a function that was put one that can be invoked.
func (f *Functions) Run(name string, with Invoker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run[name] = with
}

const functionPrefix = "arn:aws:lambda:us-east-1:000000000000:function:"

// FunctionARN returns the ARN of a function's alias.
func FunctionARN(name string) string { return functionPrefix + name + ":" + alias }

const functionPath = "/2015-03-31/functions/"

// functionCall returns the operation of a request, or "", with the function's name and the alias or version.
func functionCall(r *http.Request) (operation, name, qualifier string) {
	rest, ok := strings.CutPrefix(r.URL.Path, functionPath)
	if !ok {
		return "", "", ""
	}
	name, what, _ := strings.Cut(rest, "/")
	switch r.Method + " " + what {
	case "GET configuration":
		operation = "GetFunctionConfiguration"
	case "POST invocations":
		operation = "Invoke"
	default:
		return "", "", ""
	}
	name, qualifier, _ = strings.Cut(strings.TrimPrefix(name, functionPrefix), ":")
	if q := r.URL.Query().Get("Qualifier"); q != "" {
		qualifier = q
	}
	return operation, name, qualifier
}

// ofFunction returns the call of a request.
func ofFunction(r *http.Request, caller string) Call {
	operation, name, _ := functionCall(r)
	if operation == "Invoke" {
		operation = "InvokeFunction" // as IAM calls it
	}
	return Call{Caller: caller, Action: "lambda:" + operation, Resource: name}
}

// ServeHTTP answers one request.
func (f *Functions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, name, qualifier := functionCall(r)
	f.mu.Lock()
	env, found := f.env[name]
	run := f.run[name]
	f.mu.Unlock()
	var e *Error
	switch {
	case operation == "":
		e = errorf("UnknownOperationException", "%s %.100s is not supported here, only GET %s{name}/configuration and POST %[3]s{name}/invocations", r.Method, r.URL.Path, functionPath)
	case qualifier != alias:
		e = errorf("InvalidParameterValueException", "%q is not the alias %s, which is what runs", qualifier, alias)
	case !found:
		e = &Error{Code: "ResourceNotFoundException", Message: "Function not found: " + name, status: http.StatusNotFound}
	case operation == "Invoke":
		e = invoke(w, r, run)
	default:
		write(w, "application/json", http.StatusOK, map[string]any{"FunctionName": name, "Environment": map[string]any{"Variables": env}})
	}
	if e != nil {
		w.Header().Set("X-Amzn-Errortype", e.Code)
		writeError(w, "application/json", e)
	}
}

// invoke runs a function and passes on its answer, or its error as Lambda does.
func invoke(w http.ResponseWriter, r *http.Request, run Invoker) *Error {
	if kind := r.Header.Get("X-Amz-Invocation-Type"); run == nil || kind != "" && kind != "RequestResponse" {
		return errorf("InvalidParameterValueException", "only an invocation that waits is supported here, of a function that runs")
	}
	if kind := r.Header.Get("X-Amz-Log-Type"); kind != "" && kind != "None" {
		return errorf("InvalidParameterValueException", "an invocation shows no log here")
	}
	payload, err := io.ReadAll(io.LimitReader(r.Body, lambdatest.MaxPayload+1))
	if err != nil {
		return errorf("InvalidRequestContentException", "the request's body could not be read")
	}
	answer, err := run.Invoke(r.Context(), payload)
	if errors.Is(err, lambdatest.ErrTooLarge) {
		return &Error{Code: "RequestTooLargeException", Message: err.Error(), status: http.StatusRequestEntityTooLarge}
	}
	w.Header().Set("X-Amz-Executed-Version", "1")
	if failed, ok := errors.AsType[*lambdatest.FunctionError](err); ok {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		write(w, "application/json", http.StatusOK, map[string]string{"errorType": failed.Type, "errorMessage": failed.Message})
		return nil
	}
	if err != nil {
		return &Error{Code: "ServiceException", Message: err.Error(), status: http.StatusInternalServerError}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
	return nil
}
