package stack_test

import (
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"procore-connect/internal/testing/stack"
)

// Procore and AWS answer at the containers' address too, the app does not.
func TestContainersIP(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs a second loopback address, which Linux has")
	}
	const other = "127.0.0.2"
	s, _ := start(t, stack.Options{ContainersIP: other, Refresh: -1, Housekeeping: -1, Reconcile: -1})
	for address, want := range map[string]bool{s.ProcoreURL: true, s.AWSURL: true, s.AppURL: false} {
		_, port, err := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+net.JoinHostPort(other, port)+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		if answers := err == nil; answers != want {
			t.Errorf("%s answers at %s: %v, want %v", address, other, answers, want)
		}
	}
}

// A listener on every address already includes the containers' address.
func TestContainersIPEverywhere(t *testing.T) {
	t.Parallel()
	s, _ := start(t, stack.Options{ProcoreAddr: "0.0.0.0:0", AWSAddr: "0.0.0.0:0", ContainersIP: "127.0.0.2", Refresh: -1, Housekeeping: -1, Reconcile: -1})
	if !strings.HasPrefix(s.ProcoreURL, "http://127.0.0.1:") {
		t.Errorf("ProcoreURL = %s, want loopback's", s.ProcoreURL)
	}
}
