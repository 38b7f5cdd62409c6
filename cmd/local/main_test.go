package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// All taken addresses are in one message, with who holds them and the command with others, which are free.
func TestTakenAddresses(t *testing.T) {
	t.Parallel()
	other, ours := holder(t, ""), holder(t, "procore-connect make run, pid 77")
	err := run(t.Context(), []string{"-app", "127.0.0.1:0", "-procore=" + ours, "-aws", other, "-connect", "5678"})
	if err == nil {
		t.Fatal("run succeeded on taken addresses")
	}
	for _, want := range []string{"-procore  " + ours, "another make run holds it, process 77", "-aws      " + other, "another program holds it"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
	_, line, _ := strings.Cut(err.Error(), `make run ARGS="`)
	line, _, _ = strings.Cut(line, `"`)
	args := strings.Fields(line)
	if len(args) != 10 || strings.Join(args[8:], " ") != "-state .state-2" || strings.Join(args[:4], " ") != "-app 127.0.0.1:0 -connect 5678" || args[4] != "-procore" || args[6] != "-aws" {
		t.Fatalf("the command %q, want the arguments with other addresses", line)
	}
	for _, addr := range []string{args[5], args[7]} {
		l, err := net.Listen("tcp", addr)
		if err != nil || addr == ours || addr == other {
			t.Errorf("%s is not free: %v", addr, err)
			continue
		}
		l.Close()
	}
}

// holder returns an address at which a server with this name answers.
func holder(t *testing.T, name string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Server", name) }))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestConnectOption(t *testing.T) {
	t.Parallel()
	if o, err := options([]string{"-connect", "5678, 91011"}); err != nil || !slices.Equal(o.connect, []int64{5678, 91011}) {
		t.Errorf("got %v, %v, want both ids", o.connect, err)
	}
	for _, text := range []string{"", "5678,", "x", "-1", "99999999999999999999"} {
		if _, err := options([]string{"-connect", text}); err == nil {
			t.Errorf("%q was taken for ids", text)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Setenv("LOCAL_APP_ADDR", "127.0.0.1:3001")
	t.Setenv("LOCAL_PROCORE_ADDR", "127.0.0.1:4001")
	t.Setenv("DYNAMODB_ENDPOINT", "http://127.0.0.1:8001")
	t.Setenv("WEBHOOK_TRIGGERS", "RFIs:create")
	o, err := options([]string{"-procore", "127.0.0.1:4002"})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{o.AppAddr, o.ProcoreAddr, o.AWSAddr, o.DynamoDBEndpoint, o.Env["WEBHOOK_TRIGGERS"]}
	want := []string{"127.0.0.1:3001", "127.0.0.1:4002", "127.0.0.1:8000", "http://127.0.0.1:8001", "RFIs:create"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("option %d = %q, want %q", i, got[i], want[i])
		}
	}
	if _, err := options([]string{"extra"}); err == nil {
		t.Error("an argument that means nothing was taken")
	}
}

// With -docker, Procore accepts the redirect URI of sam local start-api as well as the app's.
func TestDockerOption(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"-docker"}} {
		o, err := options(args)
		if err != nil {
			t.Fatal(err)
		}
		if free := o.Procore.RedirectURIs != nil; free != (len(args) > 0) {
			t.Errorf("%q: Procore takes any redirect URI on loopback: %v", args, free)
		}
	}
}

// Without a running system, the error of preparing for sam local names the command that starts one.
func TestSAMNeedsTheSystem(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // so that no process answers there
	t.Chdir(t.TempDir())
	err = prepareSAM(t.Context(), []string{"-app", l.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), `make run ARGS="-docker"`) {
		t.Errorf("sam = %v, want an error that names make run", err)
	}
}

func TestPrincipalOption(t *testing.T) {
	t.Parallel()
	if o, err := options([]string{"-principal", "service-account"}); err != nil || o.Env["PROCORE_PRINCIPAL"] != "service-account" {
		t.Errorf("got %q, %v, want the service account", o.Env["PROCORE_PRINCIPAL"], err)
	}
	if _, err := options([]string{"-principal", "robot"}); err == nil || !strings.Contains(err.Error(), "service-account") {
		t.Errorf("got %v, want an error with the values", err)
	}
}

func TestCrookedOption(t *testing.T) {
	t.Parallel()
	if o, err := options([]string{"-crooked", "gzip,pages"}); err != nil || o.Procore.Crooked != "gzip,pages" {
		t.Errorf("got %q, %v, want the names", o.Procore.Crooked, err)
	}
	if _, err := options([]string{"-crooked", "curly"}); err == nil || !strings.Contains(err.Error(), "gzip") {
		t.Errorf("got %v, want an error with all names", err)
	}
}

// The consumer may be another package, however its path is written.
func TestConsumerOption(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "examples/event-consumer", "examples/rfi-copy": "examples/rfi-copy", "./examples/rfi-copy/": "examples/rfi-copy"} {
		args := []string{"-consumer", text}
		if text == "" {
			args = nil
		}
		if o, err := options(args); err != nil || o.Consumer != want {
			t.Errorf("%q: got %q, %v, want %q", text, o.Consumer, err, want)
		}
	}
}
