package main

import (
	"os"
	"strings"
	"testing"

	"procore-connect/internal/testing/stack/portal"
)

const (
	anID     = "an-id-of-the-sandbox"
	aSecret  = "a-secret-of-the-sandbox"
	aNewLine = "a-secret-of-\nthe-sandbox"
)

// setCredentials sets them until the test ends, whatever removes them in the meantime.
func setCredentials(t *testing.T, id, secret string) {
	t.Helper()
	t.Setenv(portal.ClientID, id)
	t.Setenv(portal.ClientSecret, secret)
	t.Setenv("MAKEFLAGS", "")
}

func TestSandboxOption(t *testing.T) {
	setCredentials(t, " "+anID+"\n", aSecret)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	t.Setenv("WEBHOOK_TRIGGERS", "RFIs:create")
	o, err := options([]string{"-procore", "sandbox", "-public", "https://Tunnel.example.com/"})
	if err != nil {
		t.Fatal(err)
	}
	s := o.Sandbox
	if s == nil || s.ClientID != anID || s.ClientSecret.Reveal() != aSecret || s.PublicURL != "https://tunnel.example.com" {
		t.Errorf("the sandbox is %+v", s)
	}
	if o.StateDir != ".state-sandbox" || o.AppAddr != "localhost:3000" || o.ProcoreAddr != "" || o.Env["HTTPS_PROXY"] == "" || o.Env["WEBHOOK_TRIGGERS"] == "" {
		t.Errorf("state %q, app %q, Procore %q, variables %q", o.StateDir, o.AppAddr, o.ProcoreAddr, o.Env)
	}
	for _, name := range []string{portal.ClientID, portal.ClientSecret} {
		if value, there := os.LookupEnv(name); there {
			t.Errorf("%s is still in the environment, which the compiler inherits: %d bytes", name, len(value))
		}
	}
}

// The state and the app's address can be chosen.
func TestSandboxChoices(t *testing.T) {
	setCredentials(t, anID, aSecret)
	o, err := options([]string{"-procore=sandbox", "-state", "mine", "-app", "127.0.0.1:3001"})
	if err != nil || o.StateDir != "mine" || o.AppAddr != "127.0.0.1:3001" || o.Sandbox.PublicURL != "" {
		t.Errorf("state %q, app %q, %v", o.StateDir, o.AppAddr, err)
	}
}

// Credentials that cannot work are refused before anything starts, all at once, with what to do, and are not shown.
func TestSandboxCredentials(t *testing.T) {
	for _, tt := range []struct{ id, secret, makeflags, want string }{
		{"", "", "", portal.ClientID + " is not set\n  " + portal.ClientSecret + " is not set"},
		{anID, "", "", portal.ClientSecret + " is not set"},
		{"", aSecret, "", portal.ClientID + " is not set"},
		{anID, aNewLine, "", portal.ClientSecret + " has a blank"},
		{anID, aSecret + "é", "", portal.ClientSecret + " has a blank, or a character that"},
		{anID, `"` + aSecret + `"`, "", portal.ClientSecret + " has quotation marks"},
		{"<the client id>", aSecret, "", portal.ClientID + " has a blank"},
		{"${CLIENT_ID}", aSecret, "", portal.ClientID + " has quotation marks, brackets or a dollar"},
		{anID, "FILL-IN-the-secret", "", portal.ClientSecret + " is a placeholder"},
		{anID, "short", "", portal.ClientSecret + " is a placeholder"},
		{anID, strings.Repeat("x", 513), "", portal.ClientSecret + " has more than 512 bytes"},
		{aSecret, aSecret, "", "are the same"},
		{anID, aSecret, " -- " + portal.ClientSecret + "=" + aSecret + " ARGS=-procore\\ sandbox", portal.ClientSecret + " is on make's command line"},
	} {
		setCredentials(t, tt.id, tt.secret)
		t.Setenv("MAKEFLAGS", tt.makeflags)
		_, err := options([]string{"-procore", "sandbox"})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "read -rs "+portal.ClientSecret+" && export "+portal.ClientSecret) {
			t.Errorf("%s: got %v", tt.want, err)
			continue
		}
		for _, value := range []string{tt.id, tt.secret} {
			if len(value) > 5 && strings.Contains(err.Error(), value) {
				t.Errorf("the error shows a credential: %v", err)
			}
		}
		if _, there := os.LookupEnv(portal.ClientSecret); there {
			t.Error("the secret is still in the environment")
		}
	}
}

func TestSandboxRefusals(t *testing.T) {
	for _, tt := range []struct {
		args string
		want string
	}{
		{"-procore production", "no environment that has customers"},
		{"-procore monthly", "no environment that has customers"},
		{"-procore federal", "no environment that has customers"},
		{"-public https://tunnel.example.com", "-public is for -procore sandbox"},
		{"-procore sandbox -connect 5678", "-connect is for the fake"},
		{"-procore sandbox -crooked gzip", "-crooked is for the fake"},
		{"-procore sandbox -docker", "-docker is for the fake"},
		{"-procore sandbox -host", "-host is for the fake"},
		{"-procore sandbox -state=", "give a directory"},
		{"-procore sandbox -public http://tunnel.example.com", "-public must begin with https://"},
		{"-procore sandbox -public http://127.0.0.1:3000", "-public must begin with https://"},
		{"-procore sandbox -public tunnel.example.com", "-public is not an address"},
		{"-procore sandbox -public https://tunnel.example.com/hooks", "-public must be the application's address alone, without a path"},
		{"-procore sandbox -public https://tunnel.example.com/webhooks/procore", "-public is the address of one page"},
		{"-procore sandbox -public https://tunnel.example.com?x=1", "-public is not an address"},
		{"-procore sandbox -public https://a:b@tunnel.example.com", "-public is not an address"},
		{"-procore sandbox -public https://localhost:3000", "does not reach"},
		{"-procore sandbox -public https://192.168.1.7", "does not reach"},
		{"-procore sandbox -public https://[::1]", "does not reach"},
		{"-procore sandbox -public https://sandbox.procore.com", "an address of Procore"},
	} {
		setCredentials(t, anID, aSecret)
		if _, err := options(strings.Fields(tt.args)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.args, err, tt.want)
		}
	}
	setCredentials(t, anID, aSecret)
	if err := prepareSAM(t.Context(), []string{"-procore", "sandbox"}); err == nil || !strings.Contains(err.Error(), "fake Procore alone") {
		t.Errorf("sam = %v", err)
	}
}
