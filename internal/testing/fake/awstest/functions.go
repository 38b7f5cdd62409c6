package awstest

import (
	"net/http"
	"strings"
	"sync"
)

// Functions is a Lambda with the operation GetFunctionConfiguration, of functions whose alias live is what runs. Package
// lambdatest runs functions.
//
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
type Functions struct {
	mu  sync.Mutex
	env map[string]map[string]string
}

// NewFunctions returns a Lambda without a function.
func NewFunctions() *Functions { return &Functions{env: map[string]map[string]string{}} }

// alias is the one that the template's functions have.
const alias = "live"

// Put adds a function with these environment variables, which the alias leads to.
func (f *Functions) Put(name string, env map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.env[name] = env
}

const functionPath = "/2015-03-31/functions/"

// functionName returns the name in the path of a request for a function's configuration, or "".
func functionName(r *http.Request) string {
	name, isConfiguration := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, functionPath), "/configuration")
	if !isConfiguration || !strings.HasPrefix(r.URL.Path, functionPath) || r.Method != http.MethodGet {
		return ""
	}
	return name
}

// ServeHTTP answers one request.
func (f *Functions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, qualifier := functionName(r), r.URL.Query().Get("Qualifier")
	f.mu.Lock()
	env, found := f.env[name]
	f.mu.Unlock()
	var e *Error
	switch {
	case name == "":
		e = errorf("UnknownOperationException", "%s %.100s is not supported here, only GET %s{name}/configuration", r.Method, r.URL.Path, functionPath)
	case qualifier != alias:
		e = errorf("InvalidParameterValueException", "%q is not the alias %s, which is what runs", qualifier, alias)
	case !found:
		e = &Error{Code: "ResourceNotFoundException", Message: "Function not found: " + name, status: http.StatusNotFound}
	default:
		write(w, "application/json", http.StatusOK, map[string]any{"FunctionName": name, "Environment": map[string]any{"Variables": env}})
		return
	}
	w.Header().Set("X-Amzn-Errortype", e.Code)
	writeError(w, "application/json", e)
}
