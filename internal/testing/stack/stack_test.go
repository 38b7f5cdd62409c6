package stack_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"procore-connect/internal/testing/fake/lambdatest"
	"procore-connect/internal/testing/stack"
)

func TestTakenAddresses(t *testing.T) {
	t.Parallel()
	first, second := taken(t), taken(t)
	_, err := stack.Start(t.Context(), stack.Options{ProcoreAddr: first, AWSAddr: second})
	e, ok := errors.AsType[stack.AddrErrors](err)
	if !ok || len(e) != 2 || e[0].Part != "procore" || e[1].Part != "aws" || !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("Start = %v, want errors of both addresses", err)
	}
	for _, addr := range []string{first, second} {
		if want := addr + " is taken by another program"; !strings.Contains(err.Error(), want) {
			t.Errorf("error = %q, want %q in it", err, want)
		}
		if pid := stack.Holder(t.Context(), addr); pid != 0 {
			t.Errorf("a stack with process id %d holds %s", pid, addr)
		}
	}
}

// taken returns an address at which a server answers.
func taken(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestCancelledStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := stack.Start(ctx, stack.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start = %v, want context.Canceled", err)
	}
}

// If a function lacks a variable, the start fails with the variable's name.
func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles and starts everything")
	}
	dir, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	_, err = stack.Start(t.Context(), stack.Options{BuildDir: dir, Env: map[string]string{"ALLOWED_COMPANIES": ""}})
	if _, ok := errors.AsType[*lambdatest.FunctionError](err); !ok || !strings.Contains(err.Error(), "ALLOWED_COMPANIES") {
		t.Errorf("Start = %v, want a function error that names ALLOWED_COMPANIES", err)
	}
}

func TestDoors(t *testing.T) {
	t.Parallel()
	s, _ := start(t, stack.Options{Refresh: -1, Housekeeping: -1, Reconcile: -1})
	for _, test := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/", "", 200},
		{"GET", "/nowhere", "", 404},
		{"GET", "/nowhere/", "", 404},
		{"PUT", "/companies", "", 405},
		{"GET", "//", "", 200},
		{"GET", "/connected/", "", 200},
		{"GET", "/oauth/callback/", "", 400},
		{"HEAD", "/", "", 200},
		{"HEAD", "/oauth/start", "", 200},
		{"HEAD", "/connected", "", 200},
		{"HEAD", "/companies", "", 410},
		{"HEAD", "/nowhere", "", 404},
		{"GET", "/oauth/callback", "", 400},
		{"POST", "/webhooks/procore", "{", 401},
		{"POST", "/webhooks/procore/", "{", 401},
		{"HEAD", "/webhooks/procore", "", 200},
		{"HEAD", "/webhooks/procore/", "", 200},
		{"POST", "/webhooks/procore", strings.Repeat("x", 300<<10), 401},
		{"GET", "/companies", "", 0}, // any page that is not a failure
		{"POST", "/companies", "company_id=x", 0},
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, s.AppURL+test.path, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if test.want != 0 && resp.StatusCode != test.want || resp.StatusCode >= 500 {
			t.Errorf("%s %s: %s, want %d", test.method, test.path, resp.Status, test.want)
		}
		if page := !strings.HasPrefix(test.path, "/webhooks"); page && !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s %s: got %q, want a page", test.method, test.path, resp.Header.Get("Content-Type"))
		}
	}
	for _, address := range []string{s.AppURL, s.ProcoreURL, s.AWSURL} {
		if pid := stack.Holder(t.Context(), strings.TrimPrefix(address, "http://")); pid != os.Getpid() {
			t.Errorf("process id %d holds %s, want %d", pid, address, os.Getpid())
		}
	}
	if _, err := s.Invoke(t.Context(), "refresher", []byte(`{"task":"refresh"}`)); err != nil {
		t.Error(err)
	}
	if _, err := s.Invoke(t.Context(), "absent", nil); err == nil {
		t.Error("a function that does not exist was invoked")
	}
	s.Close()
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.AppURL, "http://")); err == nil {
		c.Close()
		t.Error("the app answers after Close")
	}
}
