package link

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
)

func TestStart(t *testing.T) {
	t.Parallel()
	k := ring(t)
	h := &Host{PublicURL: "https://app.example/", Keys: secrettest.Constant(k), Lifetime: time.Minute, Clock: procore.Clock{Time: func() time.Time { return now }}}
	address, verifier, err := h.Start(t.Context(), "tenant-42", "Acme Corp", "https://host.example/done")
	u, e := url.Parse(address)
	if err := errors.Join(err, e); err != nil {
		t.Fatal(err)
	}
	l, err := k.Verify(u.Query().Get("ref"), now)
	if err != nil || l.Challenge != Challenge(verifier) || l.Reference != "tenant-42" || !l.Expires.Equal(now.Add(time.Minute)) {
		t.Errorf("the link is %+v, %v", l, err)
	}
	if u.Host != "app.example" || u.Path != "/oauth/start" || u.Query().Get("return") != "https://host.example/done" {
		t.Errorf("the address is %s", u)
	}
	other, second, err := h.Start(t.Context(), "tenant-42", "Acme Corp", "")
	if err != nil || second.Equal(verifier) || strings.Contains(other, "return=") {
		t.Errorf("a second link: %s, %v", other, err)
	}
	if _, _, err := h.Start(t.Context(), "", "Acme Corp", ""); !errors.Is(err, ErrInvalid) {
		t.Errorf("without a reference: %v", err)
	}
}

// The answers of a deployment, of another server, and of one that sends the host elsewhere.
func TestRedeemAnswers(t *testing.T) {
	t.Parallel()
	k := ring(t)
	for name, tt := range map[string]struct {
		status int
		body   string
		want   string // of the error; empty: none
		says   string
	}{
		"connected":      {200, `{"result":"connected","reference":"tenant-42","company_id":5678,"more":1}`, "", ""},
		"used":           {409, `{"error":"used","result":"connected","reference":"tenant-42"}`, ErrorUsed, "redeemed before"},
		"not ours":       {200, `<html>`, "-", "check PublicURL"},
		"no result":      {200, `{}`, "-", "check PublicURL"},
		"not enabled":    {404, `<html>`, "-", "ReturnUrls"},
		"another key":    {401, `{"error":"unauthorized"}`, ErrorUnauthorized, "compare the secret"},
		"for a while":    {503, `{"error":"unavailable"}`, ErrorUnavailable, "again"},
		"elsewhere":      {307, ``, "-", "check PublicURL"},
		"without an end": {200, strings.Repeat(" ", 2*maxAnswer) + `{"result":"connected"}`, "-", "check PublicURL"},
	} {
		var sent []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if err := k.VerifyRedemption(token, now); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			sent = append(sent, r.Method+" "+r.URL.Path+" "+r.FormValue("code")+" "+r.FormValue("verifier"))
			w.Header().Set("Location", r.URL.Path)
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		}))
		h := &Host{PublicURL: server.URL, Keys: secrettest.Constant(k), Clock: procore.Clock{Time: func() time.Time { return now }}}
		got, err := h.Redeem(t.Context(), "a-code", procore.NewSecret("a-verifier"))
		server.Close()
		if len(sent) != 1 || sent[0] != "POST /links/redeem a-code a-verifier" {
			t.Errorf("%s: sent %q", name, sent)
		}
		e, refused := errors.AsType[*RedeemError](err)
		switch {
		case tt.want == "" && (err != nil || got.CompanyID != 5678):
			t.Errorf("%s: %+v, %v", name, got, err)
		case tt.want != "" && (!refused || e.Code != strings.Trim(tt.want, "-") || !strings.Contains(e.Error(), tt.says)):
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		case tt.want == ErrorUsed && e.Result.Reference != "tenant-42":
			t.Errorf("%s: the result is %+v", name, e.Result)
		}
	}
}
