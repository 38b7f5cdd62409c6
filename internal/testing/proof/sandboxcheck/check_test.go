package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

const (
	id     = "sandbox-client-id"
	secret = "fake-client-secret-of-the-sandbox"
)

// trial is a checker at a fake, with a browser that signs in as Joe.
type trial struct {
	*checker
	fake   *procoretest.Server
	screen bytes.Buffer
}

// newTrial prepares one. With listens, the hook's address is this machine's, at which the checker listens.
func newTrial(t *testing.T, o procoretest.Options, listens bool) *trial {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	tr := &trial{}
	redirect := redirectURI("127.0.0.1:0", l)
	o.ClientID, o.ClientSecret, o.RedirectURIs, o.AllowedHosts = id, secret, []string{redirect}, []string{"sandbox-check.invalid"}
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "sandbox-check.invalid:") {
			return nil, errors.New("there is no such host")
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	tr.fake = procoretest.Start(t, o)
	tr.checker = &checker{
		Environment: procore.Environment{Name: "custom", LoginURL: tr.fake.URL, APIURL: tr.fake.URL},
		ClientID:    id, ClientSecret: procore.NewSecret(secret), Listener: l, RedirectURI: redirect,
		In: strings.NewReader(fmt.Sprintf("yes\n%d\n", procoretest.MyConstruction)), Out: &tr.screen, Wait: true,
		Sleep: func(_ context.Context, d time.Duration) error {
			tr.fake.Advance(d)
			return nil
		},
		Open: func(ctx context.Context, address string) error {
			b := browsertest.New()
			b.Open(ctx, address)
			b.Choose("Joe Builder")
			b.Click(ctx, "Authorize")
			return b.Err()
		},
	}
	if listens {
		tr.Public = "http://" + l.Addr().String()
	}
	return tr
}

// facts runs the check, and returns what it found.
func (tr *trial) facts(t *testing.T) (map[string]string, *report) {
	t.Helper()
	r, err := tr.check(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, &tr.screen)
	}
	facts := map[string]string{}
	for _, f := range r.Findings {
		facts[f.ID] = fmt.Sprint(f.Verdict, ": ", f.Fact)
	}
	return facts, r
}

// plain is what the fake does without any quirk.
var plain = map[string]string{
	"answer to a code":               `confirms: 200; token_type "bearer", expires_in number, created_at number; access token up to 1,000 bytes; redirect with code, state`,
	"company header":                 "confirms: 400",
	"probe of an address":            "confirms: a hook is accepted although nothing answers",
	"webhooks v2.0":                  "confirms: create 201, read 200, list 200, bulk 201, triggers 200, change 200, deliveries 200, delete 204",
	"echoes of a hook":               `confirms: id text, status "active", namespace as sent, address as sent, headers masked except their end, field names as documented`,
	"echoes of triggers":             "confirms: items: 3, with 3 of 3 triggers; resource as sent, type in capitals",
	"links of pages":                 "confirms: Link to the API, Total right, Per-Page right",
	"form of answers":                `confirms: status 200, "application/json; charset=utf-8", Date right; limit a number, remaining a number, reset within the hour`,
	"answers of a gateway":           "confirms: none",
	"second authorization":           "confirms: it lives",
	"old access token":               "confirms: lives",
	"spent refresh token":            "confirms: 400 invalid_grant",
	"successor":                      "confirms: it lives",
	"failed refresh":                 "confirms: 401 invalid_client: it spends the token",
	"revocation":                     "confirms: 200, object (200 for an unknown one): the pair is revoked",
	"revocation of an expired token": "confirms: 200: the refresh token lives",
}

// Each mode of the fake is found, with all its facts and no others.
func TestModes(t *testing.T) {
	t.Parallel()
	modes := map[string]struct {
		options procoretest.Options
		listens bool
		want    map[string]string
	}{
		"plain":  {},
		"keep":   {options: procoretest.Options{SecondAuthorization: procoretest.Keep}},
		"kill":   {options: procoretest.Options{SecondAuthorization: procoretest.Kill}, want: map[string]string{"second authorization": "confirms: it is revoked"}},
		"return": {options: procoretest.Options{SecondAuthorization: procoretest.Return}, want: map[string]string{"second authorization": "confirms: it is returned again"}},
		"access dies": {options: procoretest.Options{RefreshKillsAccess: true}, want: map[string]string{
			"old access token": "confirms: is refused",
		}},
		"replay kills":   {options: procoretest.Options{ReplayKillsSuccessor: true}, want: map[string]string{"successor": "confirms: it is revoked"}},
		"failures spare": {options: procoretest.Options{KeepRefreshTokenOnError: true}, want: map[string]string{"failed refresh": "confirms: 401 invalid_client: it does not spend the token"}},
		"long tokens": {options: procoretest.Options{LongAccessTokens: true}, want: map[string]string{
			"answer to a code": strings.Replace(plain["answer to a code"], "up to 1,000", "over 1,000", 1),
		}},
		"listens":            {listens: true, want: map[string]string{"probe of an address": "confirms: nothing came"}},
		"probed":             {listens: true, options: procoretest.Options{Crooked: "probe-head"}, want: map[string]string{"probe of an address": "confirms: HEAD, and then 201"}},
		"nowhere and probed": {options: procoretest.Options{Crooked: "probe-head"}, want: refusedHook},
	}
	for name, m := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, m.options, m.listens)
			got, r := tr.facts(t)
			if d := cmp.Diff(got, expected(m.want)); d != "" {
				t.Errorf("facts (-got +want):\n%s", d)
			}
			tr.clean(t, r)
		})
	}
}

// refusedHook is what is found where no hook can be made.
var refusedHook = map[string]string{
	"probe of an address": "does not decide: refused: 422; -public ADDRESS of a tunnel decides",
	"webhooks v2.0":       "does not decide: create 422",
	"echoes of a hook":    "", "echoes of triggers": "", "links of pages": "",
}

// expected returns the plain facts with changes; an empty one is not there.
func expected(changes map[string]string) map[string]string {
	all := maps.Clone(plain)
	for name, fact := range changes {
		if all[name] = fact; fact == "" {
			delete(all, name)
		}
	}
	return all
}

// clean checks that nothing of the run is left, and that no report, nor the screen, has anything that is secret or a name.
func (tr *trial) clean(t *testing.T, r *report) {
	t.Helper()
	state := tr.fake.State()
	if len(state.Hooks) > 0 || r.Leftover != nil {
		t.Errorf("hooks %+v and %q are left", state.Hooks, r.Leftover)
	}
	for _, token := range state.RefreshTokens {
		if token.State == procoretest.Live {
			t.Errorf("the refresh token %s still lives", token.Fingerprint)
		}
	}
	for _, c := range state.Calls {
		if c.CompanyID != 0 && c.CompanyID != procoretest.MyConstruction {
			t.Errorf("a call of %s in company %d, which was not chosen", c.Path, c.CompanyID)
		}
	}
	file, screen := filepath.Join(t.TempDir(), "build", "report.md"), &bytes.Buffer{}
	if err := r.write(file, screen); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(screen.String(), string(text)) {
		t.Errorf("the report is not on the screen: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the report's file: %v, %v", info.Mode(), err)
	}
	for _, private := range []string{secret, "fake-access-", "fake-refresh-", "fake-code-", "Joe", "My Construction", fmt.Sprint(procoretest.Joe), fmt.Sprint(procoretest.MyConstruction), "Bearer sandbox-check"} {
		if strings.Contains(string(text), private) {
			t.Errorf("the report has %q", private)
		}
	}
	for _, private := range []string{secret, "fake-access-", "fake-refresh-", "fake-code-"} {
		if strings.Contains(tr.screen.String(), private) {
			t.Errorf("the screen has %q", private)
		}
	}
}

// Each assumption is where the report says.
func TestWhere(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, procoretest.Options{}, false)
	_, r := tr.facts(t)
	for _, f := range r.Findings {
		if _, err := os.Stat(filepath.Join("..", "..", "..", "..", f.Where)); err != nil {
			t.Errorf("%s: %v", f.ID, err)
		}
	}
}
