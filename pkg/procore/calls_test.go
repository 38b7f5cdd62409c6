package procore

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// clientCalls returns the operations that the methods of both clients call, each with arguments that are not zero. It also fails
// for a method that calls nothing.
func clientCalls(t *testing.T) []string {
	t.Helper()
	var mu sync.Mutex
	var ops []string
	ids := regexp.MustCompile(`/(7|9007199254740993)(/|$)`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		for ids.MatchString(path) {
			path = ids.ReplaceAllString(path, "/{}$2")
		}
		mu.Lock()
		defer mu.Unlock()
		ops = append(ops, r.Method+" "+path)
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"data":{}}`)) // which is no list
	}))
	t.Cleanup(server.Close)
	env := Environment{Name: "custom", LoginURL: server.URL, APIURL: server.URL}
	for _, client := range []any{NewUserClient(env, server.Client(), WithAttempts(1)), NewCompanyClient(env, server.Client(), testCompany, WithAttempts(1))} {
		v := reflect.ValueOf(client)
		for i := range v.NumMethod() {
			name, before := v.Type().Method(i).Name, len(ops)
			if name == "CompanyID" || name == "Read" {
				continue // it calls nothing, or what the table has
			}
			callMethod(t, v.Method(i))
			if len(ops) == before {
				t.Errorf("%T.%s calls nothing", client, name)
			}
		}
	}
	slices.Sort(ops)
	return slices.Compact(ops)
}

// callMethod calls a method, and ranges over the sequence that it returns.
func callMethod(t *testing.T, method reflect.Value) {
	t.Helper()
	var in []reflect.Value
	for i := range method.Type().NumIn() {
		if method.Type().IsVariadic() && i == method.Type().NumIn()-1 {
			break
		}
		arg := reflect.New(method.Type().In(i)).Elem()
		if arg.Type() == reflect.TypeFor[context.Context]() {
			arg.Set(reflect.ValueOf(t.Context()))
		} else {
			fill(arg)
		}
		in = append(in, arg)
	}
	for _, out := range method.Call(in) {
		if out.Kind() == reflect.Func && out.Type().CanSeq2() {
			for range out.Seq2() {
			}
		}
	}
}

// fill sets a value and all within it to something that is not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("7")
		if strings.HasSuffix(v.Type().Name(), "Version") {
			v.SetString("v3.0")
		}
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				fill(field)
			}
		}
	}
}
