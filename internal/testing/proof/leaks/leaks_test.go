package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// secrets returns one secret of each kind, made as the tests and the functions make them.
func secrets(t *testing.T) map[string]string {
	t.Helper()
	w, ctx := functiontest.New(t), t.Context()
	sessions, redirectURI := w.Sessions(), "http://127.0.0.1:3000/oauth/callback"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	st, err := sessions.Begin(ctx, session.Opening{RedirectURI: redirectURI})
	must(err)
	exchanging, _, err := sessions.Consume(ctx, st.State, st.Cookie)
	must(err)
	pair := w.Pair(procoretest.Joe, redirectURI)
	code := procore.NewSecret("fake-code-1")
	cookie, err := sessions.StorePair(ctx, exchanging, code, pair)
	must(err)
	held, err := sessions.Find(ctx, st.Flow, cookie)
	must(err)
	form, err := sessions.CSRFToken(ctx, held, cookie)
	must(err)
	ring, err := w.Ring().Get(ctx)
	must(err)
	header, err := ring.Header(5678)
	must(err)
	oauth, err := w.OAuth().Get(ctx)
	must(err)
	callback, err := url.Parse(w.Procore.Authorize(t, procoretest.Joe, oauth.AuthCodeURL(st.State, st.Verifier, redirectURI)))
	must(err)
	linkKeys, err := link.ParseKeys(functiontest.LinkValue)
	must(err)
	signed, err := linkKeys.Sign(link.Link{Reference: "tenant-42", Tenant: "Acme Corp", Challenge: link.Challenge(st.Verifier), Expires: w.Clock.Now()})
	must(err)
	set := httptest.NewRecorder()
	session.Cookies{Secure: true}.Set(set, st.Flow, cookie)
	return map[string]string{
		"access token": pair.AccessToken.Reveal(), "refresh token": pair.RefreshToken.Reveal(), "code": callback.Query().Get("code"),
		"state": st.State.Reveal(), "verifier": st.Verifier.Reveal(), "first cookie": st.Cookie.Reveal(), "cookie": cookie.Reveal(), "form": form.Reveal(),
		"credential": header.Reveal(), "credential without its scheme": strings.TrimPrefix(header.Reveal(), "Bearer "),
		"app": functiontest.AppValue, "keys": functiontest.KeysValue, "webhook keys": functiontest.WebhookValue, "keys of links": functiontest.LinkValue, "signed link": signed,
		"Set-Cookie": set.Header().Get("Set-Cookie"),
	}
}

// encodings returns the forms in which Go and the web write a text.
func encodings(secret string) map[string]string {
	percent := &strings.Builder{}
	escaped := &strings.Builder{}
	for _, b := range []byte(secret) {
		fmt.Fprintf(percent, "%%%02X", b)
		fmt.Fprintf(escaped, `\u%04x`, b)
	}
	quoted, _ := json.Marshal(map[string]string{"error": secret})
	all := map[string]string{
		"plain": secret, "in a query": "https://x.example/?a=b&code=" + url.QueryEscape(secret), "in JSON": string(quoted),
		"JSON in JSON": fmt.Sprintf("%q", quoted), "%x": fmt.Sprintf("%x", secret), "%X": strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"%v of bytes": fmt.Sprint([]byte(secret)), "%#v of bytes": fmt.Sprintf("%#v", []byte(secret)), "percent": percent.String(), "\\u": escaped.String(),
		"base64 of base64": base64.StdEncoding.EncodeToString([]byte(base64.RawURLEncoding.EncodeToString([]byte(secret)))),
		"query in base64":  base64.StdEncoding.EncodeToString([]byte("a=b&c=" + url.QueryEscape(secret))),
	}
	for i := range 4 { // a base64 group may begin in front of the secret or in it
		before := strings.Repeat("x", i)
		all[fmt.Sprint("base64 after ", i)] = before + base64.StdEncoding.EncodeToString([]byte(secret))
		all[fmt.Sprint("base64 of ", i, " more")] = base64.URLEncoding.EncodeToString([]byte(before + secret))
	}
	return all
}

// Each kind of secret is found in each encoding, and the finding does not contain the secret.
func TestFindsEveryKind(t *testing.T) {
	t.Parallel()
	for kind, secret := range secrets(t) {
		for encoding, text := range encodings(secret) {
			l, ok := find([]byte(`    x.go:7: {"msg":"request","error":"` + text + `"}` + "\n"))
			if !ok {
				t.Errorf("%s, %s: not found", kind, encoding)
			}
			if _, repeated := find([]byte(fmt.Sprint(l))); repeated {
				t.Errorf("%s, %s: the finding contains it", kind, encoding)
			}
		}
	}
}

// If a line has two secrets, the finding of one does not contain the other.
func TestTwoInALine(t *testing.T) {
	t.Parallel()
	all := secrets(t)
	for first, a := range all {
		for second, b := range all {
			l, ok := find([]byte(a + " " + b))
			if _, repeated := find([]byte(fmt.Sprint(l))); repeated || !ok {
				t.Errorf("%s and %s: found %v, repeated %v", first, second, ok, repeated)
			}
		}
	}
}

// Lines that tests and logs really print are not taken for secrets.
func TestFindsNothingElse(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"=== RUN   TestCredentialOfAnotherCompanyAndAVeryLongNameOfATestThatIsRatherUnlikely/of_another_company",
		`{"time":"2026-11-25T17:00:00Z","level":"INFO","msg":"request","request_id":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","route":"GET /oauth/callback"}`,
		`{"request_id":"JKJaXmPLvHcESHA=","attempt":"` + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + `","flow":"` + session.FlowOf(procore.NewSecret("a state")) + `"}`,
		"sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"h1:D2qzXQlV0y1vGmIwiSZlZ0pVTBxnTP4FnTBLbfRFsmM= go.mod",
		`the page lacks "fake-access-": %q`,
		`Authorization: "Bearer wrong"`,
		strings.Repeat("A", 4000), strings.Repeat("x", 4000), strings.Repeat("20 ", 400), strings.Repeat("%20", 400),
		"/home/joe/go/pkg/mod/github.com/aws/aws-sdk-go-v2/service/dynamodb@v1.73.1/internal/endpoints/endpoints.go:12 +0x1d4",
		"ok  \tprocore-connect/internal/connect/session\t0.3s", "",
	} {
		if l, ok := find([]byte(line)); ok {
			t.Errorf("%.80q is taken for a %s %s", line, l.kind, l.coded)
		}
	}
}

// go test passes on a long line in parts. They are searched together, and apart from those of parallel tests.
func TestLinesInParts(t *testing.T) {
	t.Parallel()
	secret := "fake-" + "refresh-" + "ABC"
	for cut := range len(secret) {
		var out bytes.Buffer
		s := &scanner{to: &out}
		r := newReport(s)
		r.event(event{Action: "output", Package: "p", Test: "A", Output: "    " + secret[:cut]})
		r.event(event{Action: "output", Package: "p", Test: "B", Output: "    x\n"})
		r.event(event{Action: "output", Package: "p", Test: "A", Output: secret[cut:]})
		r.event(event{Action: "pass", Package: "p", Test: "A"}) // without the end of the line
		if s.found != 1 || strings.Contains(out.String(), secret) || !strings.Contains(out.String(), "p A: refresh token") {
			t.Errorf("cut at %d: %d found", cut, s.found)
		}
	}
}
