package main

import (
	"fmt"
	"strings"
	"testing"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/sandboxtest"
	"procore-connect/internal/testing/stack/portal"
	"procore-connect/pkg/procoretest"
)

// The program itself, with no other addresses than the sandbox's, and its credentials from the environment. The fake
// accepts no hook to an address that does not exist.
func TestBinary(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles the program")
	}
	authority, err := sandboxtest.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	world := sandboxtest.Start(t, authority, procoretest.Options{ClientID: id, ClientSecret: secret})
	report, output := world.Check(t, sandboxtest.Check{
		ClientID: id, ClientSecret: secret, Company: fmt.Sprint(procoretest.MyConstruction),
		SignIn: func(b *browsertest.Browser) {
			b.Choose("Joe Builder")
			b.Click(t.Context(), "Authorize")
		},
	})
	for _, want := range []string{
		"# What https://sandbox.procore.com did", "- Seen: POST /oauth/token: 400 invalid_grant\n- Answer: **400 invalid_grant**\n- This **confirms**",
		"- Answer: **not tried**", "Everything that was made at Procore is deleted or revoked.",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	if strings.Contains(output, secret) {
		t.Error("the output has the client secret")
	}
	if m := world.Mistakes(); len(m) > 0 {
		t.Errorf("other calls than those of the sandbox: %q", m)
	}
}

// A wrong option or credential is refused before anything listens or is asked.
func TestRunRefuses(t *testing.T) {
	for _, tt := range []struct{ args, secret, want string }{
		{"", "", portal.ClientSecret + " is not set"},
		{"extra", secret, "unexpected argument"},
		{"-addr 0.0.0.0:0", secret, "an address of this machine alone"},
		{"-addr :0", secret, "an address of this machine alone"},
		{"-addr localhost", secret, "an address of this machine alone"},
		{"-public http://tunnel.example.com", secret, "-public must begin with https://"},
	} {
		t.Setenv(portal.ClientID, id)
		t.Setenv(portal.ClientSecret, tt.secret)
		t.Setenv("MAKEFLAGS", "")
		if err := run(t.Context(), strings.Fields(tt.args)); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: run = %v, want %q", tt.args, err, tt.want)
		}
	}
}
