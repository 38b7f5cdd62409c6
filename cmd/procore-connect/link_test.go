package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
)

// onceOnly matches what is made at random for a link.
var onceOnly = regexp.MustCompile(`ref=[\w.-]+|[\w-]{43,}`)

// wantsLink compares an answer with testdata, without what is made at random, and returns it.
func wantsLink(t *testing.T, w *world, file string, typed string, args ...string) (out string) {
	t.Helper()
	out, aside, code := w.typed(streams{in: strings.NewReader(typed)}, args...)
	golden(t, file, args, w.stable(onceOnly.ReplaceAllString(out, "…")), w.stable(aside), code)
	return out
}

// linkKeys are those of the world.
func linkKeys(t *testing.T) *link.Keys {
	t.Helper()
	k, err := link.ParseKeys(functiontest.LinkValue)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// An operator signs a link as a host application does, and the log has the reference. What no one could use is refused.
func TestSignedLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wantsLink(t, w, "link-signed", "", "link", "--reference", "tenant-42", "--tenant", "Acme & Sons", "--yes")
	out := wantsLink(t, w, "link-signed-json", "", "link", "--reference", "tenant-42", "--tenant", "Acme & Sons", "--lifetime", "1h", "--json", "--yes")
	var got struct{ Link, Challenge, Verifier string }
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(got.Link)
	if err != nil {
		t.Fatal(err)
	}
	l, err := linkKeys(t).Verify(u.Query().Get(link.ParameterLink), w.Clock.Now())
	if err != nil || l.Reference != "tenant-42" || l.Tenant != "Acme & Sons" || l.Challenge != got.Challenge ||
		l.Challenge != link.Challenge(procore.NewSecret(got.Verifier)) || !l.Expires.Equal(w.Clock.Now().Add(time.Hour)) {
		t.Errorf("the link says %+v, %v", l, err)
	}
	wants(t, w, "link-signed-unasked", "link", "--reference", "tenant-42", "--tenant", "Acme")
	wants(t, w, "link-signed-blank", "link", "--reference", "tenant 42", "--tenant", "Acme", "--yes")
	wants(t, w, "link-signed-half", "link", "--reference", "tenant-42", "--yes")
	wants(t, w, "link-signed-long", "link", "--reference", "tenant-42", "--tenant", "Acme", "--lifetime", "61m", "--yes")
	wants(t, w, "link-signed-company", "link", "5678", "--reference", "tenant-42", "--tenant", "Acme", "--yes")
	wants(t, w, "link-signed-foreign", "link", "--reference", "tenant-42", "--tenant", "Acme", "--return", "https://elsewhere.example/", "--yes")
	w.variable("RETURN_URLS", "https://host.example/a,https://host.example/b")
	wants(t, w, "link-signed-several", "link", "--reference", "tenant-42", "--tenant", "Acme", "--yes")
	w.withoutLinks()
	wants(t, w, "link-signed-off", "link", "--reference", "tenant-42", "--tenant", "Acme", "--yes")
	wants(t, w, "redeem-off", "redeem", "--yes")
	wants(t, w, "keys-rotate-link-off", "keys", "rotate", "link", "--yes")
	wants(t, w, "keys-without-links", "keys", "status")
}

// withoutLinks deploys a stack without return addresses.
func (w *world) withoutLinks() {
	env := w.environment("http://" + w.addr)
	env["RETURN_URLS"], env["LINK_SECRET_ID"] = "", ""
	for _, function := range []string{"refresher", "reconciler"} {
		w.lambda.Put(function, env)
	}
}

// An operator redeems a code. The verifier is read, and not shown.
func TestRedeem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const verifier = "a-verifier-of-the-session-0123456789-0123456789"
	w.Log.Secret(verifier)
	status, answer := http.StatusOK, link.Result{
		Outcome: link.Connected, Reference: "tenant-42", Tenant: "Acme & Sons", CompanyID: 5678, CompanyName: "My Construction Co.", UserID: 1234567, UserName: "Joe Builder",
	}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if err := linkKeys(t).VerifyRedemption(token, w.Clock.Now()); err != nil || r.FormValue("code") != "one-time" || r.FormValue("verifier") != verifier {
			t.Errorf("%s %s with the code %q: %v", r.Method, r.URL, r.FormValue("code"), err)
		}
		rw.WriteHeader(status)
		_ = json.NewEncoder(rw).Encode(answer)
	}))
	t.Cleanup(front.Close)
	w.variable("PUBLIC_URL", front.URL)
	typed := "one-time\n" + verifier + "\n"
	wantsLink(t, w, "redeem", typed, "redeem", "--yes")
	wantsLink(t, w, "redeem-json", "http://127.0.0.1:3500/procore?link=x&result=connected&code=one-time\n"+verifier, "redeem", "--json", "--yes")
	wantsLink(t, w, "redeem-no-verifier", "one-time\n", "redeem", "--yes")
	wantsLink(t, w, "redeem-no-code", "http://127.0.0.1:3500/procore?link=x\n"+verifier, "redeem", "--yes")
	wants(t, w, "redeem-unasked", "redeem")
	status, answer.Error = http.StatusConflict, link.ErrorUsed
	wantsLink(t, w, "redeem-used", typed, "redeem", "--yes")
	status, answer = http.StatusNotFound, link.Result{Error: link.ErrorUnknown}
	wantsLink(t, w, "redeem-unknown", typed, "redeem", "--yes")
	status, answer = http.StatusOK, link.Result{Outcome: link.NeedsAdmin, Reference: "tenant-42", Tenant: "Acme", CompanyID: 5678, CompanyName: "My Construction Co.", Reason: "The app is not installed."}
	wantsLink(t, w, "redeem-needs-admin", typed, "redeem", "--yes")
	answer = link.Result{Outcome: link.Declined, Reference: "tenant-42", Tenant: "Acme"}
	wantsLink(t, w, "redeem-declined", typed, "redeem", "--yes")
}

// A key of links is rotated as the others are, and retired when no link that it signed is valid any longer.
func TestRotateLinkKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.passes = true
	host := &link.Host{PublicURL: app, Keys: w.LinkKeys(), Clock: w.Clock.Seam()}
	address, _, err := host.Start(t.Context(), "tenant-42", "Acme", "")
	if err != nil {
		t.Fatal(err)
	}
	wants(t, w, "keys-rotate-link", "keys", "rotate", "link", "--yes")
	wants(t, w, "keys-link-old", "keys", "status")
	wants(t, w, "keys-retire-link-early", "keys", "retire", "link", "k1", "--yes")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	k, err := w.LinkKeys().Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Verify(u.Query().Get(link.ParameterLink), w.Clock.Now()); err != nil {
		t.Errorf("a link of the key before: %v", err)
	}
	w.Clock.Advance(67 * time.Minute)
	wants(t, w, "keys-retire-link", "keys", "retire", "link", "k1", "--yes")
}
