package oidc_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"procore-connect/internal/testing/kit/logtest"
)

const (
	clientID     = "fake-client-id"
	clientSecret = "fake-client-secret-of-test-oidc"
	lifetime     = 110 // seconds; an access token is refreshed in its last two minutes
)

// server is oidc-provider with the addresses of Procore, in a separate process.
type server struct{ url string }

// needServer skips a test that is not wanted here.
func needServer(t *testing.T) {
	t.Helper()
	if os.Getenv("OIDC_TEST") == "" {
		t.Skip("needs Node.js: make test-oidc")
	}
}

// startServer starts it, with an address at which browsers and functions reach it and the redirect URI of the app, and
// with further options. It skips the test if the machine lacks what the server needs.
func startServer(t *testing.T, address, redirectURI string, users int, options ...string) *server {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "./run", append([]string{"-address", address, "-redirect", redirectURI,
		"-users", strconv.Itoa(users), "-lifetime", strconv.Itoa(lifetime)}, options...)...)
	cmd.Env = append(os.Environ(), "OIDC_CLIENT_ID="+clientID, "OIDC_CLIENT_SECRET="+clientSecret)
	cmd.Stderr = logtest.Output(t)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait() // the test's end may have killed it
	})
	listens := regexp.MustCompile(`listens at (http://\S+),`)
	said := ""
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		said += lines.Text() + "\n"
		if m := listens.FindStringSubmatch(lines.Text()); m != nil {
			return &server{url: m[1]}
		}
	}
	if strings.Contains(said, "SKIPPED") {
		t.Skip(said)
	}
	t.Fatalf("the server did not start: %s", said)
	return nil
}

// state is what the server has counted.
type state struct {
	Refreshed      int
	Reused         int            // by its own detection
	PresentedAgain int            // refresh tokens, by our count
	Refused        map[string]int // refresh tokens and codes that the server had issued
	Unknown        int            // refused refresh tokens that it had not, as probes send them
	Revoked        int
	Failures       []string
	Live           map[string]int // refresh tokens, by user
	Calls          []struct {
		User, Company int64
		Path          string
		Status, Times int
	}
}

func (s *server) state(t *testing.T) (all state) {
	t.Helper()
	s.control(t, http.MethodGet, "/_oidc/state", &all)
	return all
}

// endAccessTokens ends all access tokens, and no grant.
func (s *server) endAccessTokens(t *testing.T) {
	t.Helper()
	s.control(t, http.MethodDelete, "/_oidc/access-tokens", nil)
}

func (s *server) control(t *testing.T, method, path string, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
	if into == nil {
		return
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// String lists the counts that tell how a run went.
func (s state) String() string {
	return fmt.Sprintf("%d refreshes, %d spent tokens presented again (%d by the server's own count), %d grants revoked, refused: %v, probes: %d",
		s.Refreshed, s.PresentedAgain, s.Reused, s.Revoked, s.Refused, s.Unknown)
}
