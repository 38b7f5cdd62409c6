package oidc_test

import (
	"fmt"
	"maps"
	"net/http/httputil"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/sandboxtest"
	"procore-connect/pkg/procore"
)

// strict is what make sandbox-check has to find: what the server is configured to do, and of what it lacks, nothing.
var strict = map[string]string{
	"answer to a code":               `confirms: 200; token_type "Bearer", expires_in number, created_at absent; access token up to 1,000 bytes; redirect with code, iss, state`,
	"company header":                 "confirms: 400",
	"probe of an address":            "does not decide: no hook was made: 404",
	"webhooks v2.0":                  "does not decide: create 404",
	"form of answers":                `confirms: status 200, "application/json", Date right; limit absent, remaining absent, reset absent`,
	"answers of a gateway":           "confirms: none",
	"second authorization":           "confirms: it lives",
	"old access token":               "confirms: lives",
	"spent refresh token":            "confirms: 400 invalid_grant",
	"successor":                      "confirms: it is revoked",
	"failed refresh":                 "confirms: 401 invalid_client: it does not spend the token",
	"revocation":                     "confirms: 200, absent (200 for an unknown one): the pair is revoked",
	"revocation of an expired token": "does not decide: not tried",
}

// make sandbox-check finds out what a server does that this project did not write, and leaves no grant there. A refresh
// token that is good more than once is found too.
func TestSandboxCheck(t *testing.T) {
	needServer(t)
	authority, err := sandboxtest.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		options    []string
		oneBrowser bool              // in which the server has one grant for all sign-ins
		want       map[string]string // other than strict
		reused     int               // spent refresh tokens, by the server's own count
	}{
		"rotation":            {reused: 1},
		"rotation, one grant": {oneBrowser: true, reused: 1},
		"no rotation": {options: []string{"-keep"}, want: map[string]string{
			"spent refresh token": "BREAKS: 200: a refresh does not replace it", "successor": "does not decide: there is none",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var s *server
			world := sandboxtest.Serve(t, authority, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(address(t, s.url))
				r.Out.Host = r.In.Host
				r.SetXForwarded() // https
			}})
			report, output := world.Check(t, sandboxtest.Check{
				ClientID: clientID, ClientSecret: clientSecret, Company: "1001",
				Begin: func(redirectURI string) {
					s = startServer(t, procore.Sandbox().LoginURL, redirectURI, 1, tt.options...)
				},
				SignIn:     func(b *browsertest.Browser) { authorize(t, b, 1) },
				OneBrowser: tt.oneBrowser,
			})
			want := maps.Clone(strict)
			maps.Copy(want, tt.want)
			if d := cmp.Diff(facts(report), want); d != "" {
				t.Errorf("facts (-got +want):\n%s", d)
			}
			if all := s.state(t); all.Live["1"] != 0 || all.Reused != tt.reused || len(all.Failures) > 0 {
				t.Errorf("%v, live refresh tokens: %v, failures: %q; want none, and %d reused", all, all.Live, all.Failures, tt.reused)
			}
			if !strings.Contains(report, "Everything that was made at Procore is deleted or revoked.") || strings.Contains(output, clientSecret) {
				t.Errorf("something is left, or the client secret is shown:\n%s", report)
			}
			if m := world.Mistakes(); len(m) > 0 {
				t.Errorf("other calls than those of the sandbox: %q", m)
			}
		})
	}
}

var finding = regexp.MustCompile(`(?s)\n## ([^\n]+)\n.*?\n- Answer: \*\*([^\n]*)\*\*\n- This \*\*([^*]+)\*\*`)

// facts returns each answer of a report, after what it means for the assumption.
func facts(report string) map[string]string {
	all := map[string]string{}
	for _, m := range finding.FindAllStringSubmatch(report, -1) {
		all[m[1]] = fmt.Sprint(m[3], ": ", m[2])
	}
	return all
}
