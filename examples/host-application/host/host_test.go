package host

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/link"
)

// Only the browser that asked for a link makes the product redeem its code. internal/testing/stack does the same with the
// whole system.
func TestReturned(t *testing.T) {
	t.Parallel()
	keys, err := link.ParseKeys(`{"current":"k1","k1":"fake-link-key-0123456789-0123456789-01234567"}`)
	if err != nil {
		t.Fatal(err)
	}
	redeemed := make(chan string, 10)
	deployment := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		redeemed <- r.FormValue(link.FieldCode)
		_, _ = w.Write([]byte(`{"result":"connected","reference":"tenant-42","company_id":5678,"company_name":"My Construction Co.","user_name":"Joe Builder"}`))
	}))
	t.Cleanup(deployment.Close)
	product := httptest.NewUnstartedServer(nil)
	address := "http://" + product.Listener.Addr().String()
	product.Config.Handler = New(&link.Host{PublicURL: deployment.URL, Keys: secrettest.Constant(keys)}, address)
	product.Start()
	t.Cleanup(product.Close)
	signedIn := func(tenant string) *browsertest.Browser {
		b := browsertest.New()
		b.StopAt = func(u *url.URL) bool { return u.Path == "/oauth/start" }
		b.Open(t.Context(), address+"/")
		b.Click(t.Context(), tenant)
		return b
	}
	user := signedIn("Acme Corp")
	user.Click(t.Context(), "Connect Procore")
	if user.Err() != nil {
		t.Fatal(user.Err())
	}
	signed, err := keys.Verify(user.URL.Query().Get(link.ParameterLink), (&link.Host{}).Clock.Now())
	if err != nil || signed.Reference != "tenant-42" || user.URL.Query().Get(link.ParameterReturn) != address+ReturnPath {
		t.Fatalf("the link is %+v, %v", signed, err)
	}
	back := address + ReturnPath + "?" + url.Values{link.ParameterName: {signed.Challenge}, link.ParameterOutcome: {"connected"}, link.ParameterCode: {"one-time"}}.Encode()
	for name, b := range map[string]*browsertest.Browser{"no session": browsertest.New(), "another tenant": signedIn("Bolt & Sons"), "the same tenant": signedIn("Acme Corp")} {
		b.Open(t.Context(), back)
		if b.Err() != nil || b.Status != http.StatusForbidden || len(redeemed) > 0 {
			t.Errorf("%s: status %d, %d redemptions, %v", name, b.Status, len(redeemed), b.Err())
		}
	}
	user.Open(t.Context(), back)
	if user.Err() != nil || !strings.Contains(user.Text(), "Connected to My Construction Co. (5678) by Joe Builder.") || len(redeemed) != 1 || <-redeemed != "one-time" {
		t.Errorf("%v: %s", user.Err(), user.Text())
	}
}

// Another site cannot make a browser ask for a link.
func TestConnectFromAnotherSite(t *testing.T) {
	t.Parallel()
	product := httptest.NewServer(New(&link.Host{}, "http://127.0.0.1:3500"))
	t.Cleanup(product.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, product.URL+"/connect", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %d, want 403", resp.StatusCode)
	}
}
