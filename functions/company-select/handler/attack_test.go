package handler

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procoretest"
)

// No parameter of the address or the form decides where the browser goes.
func TestOpenRedirect(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	evil := url.Values{}
	for _, name := range []string{"next", "url", "to", "return_to", "redirect", "redirect_uri", "continue", "action"} {
		evil.Set(name, "https://evil.example/")
	}
	form := v.form("5678")
	for name := range evil {
		form.Set(name, evil.Get(name))
	}
	flow := "flow=" + v.flow + "&"
	for name, page := range map[string]functiontest.Page{
		"list":          v.Get("/companies?" + flow + evil.Encode()),
		"other flow":    v.Get("/companies?flow=https://evil.example/&" + evil.Encode()),
		"choice":        v.Post("/companies?"+evil.Encode(), form),
		"list, later":   v.Get("/companies?" + flow + evil.Encode()),
		"connected":     v.Get("/connected?" + flow + evil.Encode()),
		"other browser": s.Browser(s.base).Get("/connected?" + flow + evil.Encode()),
	} {
		to := page.Header.Get("Location")
		if to != "" && !strings.HasPrefix(to, s.base+"/connected?flow=") || strings.Contains(to+page.Body, "evil.example") {
			t.Errorf("%s: leads to %q, or shows the address", name, to)
		}
	}
}

// No cache, frame or next site sees an answer.
func TestAnswersStayPrivate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	forged := url.Values{pages.FieldFlow: form[pages.FieldFlow], pages.FieldCompany: {"5678"}}
	for name, page := range map[string]functiontest.Page{
		"list": v.list(), "forged": v.Post("/companies", forged), "no flow": v.Get("/companies"), "choice": v.Post("/companies", form),
		"connected": v.Get("/connected?flow=" + v.flow), "other browser": s.Browser(s.base).Get("/connected"),
	} {
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		} {
			if got := page.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "form-action 'self'") {
			t.Errorf("%s: policy %q", name, csp)
		}
		if to := page.Header.Get("Location"); strings.Contains(to, form.Get(pages.FieldCSRF)) {
			t.Errorf("%s: the CSRF token is in an address", name)
		}
	}
}

// An attacker who has read every table has no token, no cookie and no state, and can't
// open a session with any stored value.
func TestStolenTables(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	waiting, v := s.visitor(procoretest.Ann), s.visitor(procoretest.Joe)
	s.visitor(procoretest.Max) // whose session still has its pair
	v.connect(procoretest.MyConstruction)
	c := s.connection(procoretest.MyConstruction)
	s.Clock.Advance(10 * time.Minute)
	if _, err := s.Tokens().Upkeep().Refresh(t.Context(), c.Principal, 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	form := waiting.form(fmt.Sprint(procoretest.NorthernPlanner))
	var loot []string
	for name, table := range map[string]string{"Grants": s.Tables.Grants, "Connections": s.Tables.Connections, "Spends": s.Tables.Spends, "Sessions": s.Tables.Sessions} {
		items := s.scan(table)
		if len(items) == 0 {
			t.Errorf("%s is empty", name)
		}
		for _, text := range items {
			s.Log.Search(t, name, text)
			loot = append(loot, text)
		}
	}
	thief := s.Browser(s.base)
	u, err := url.Parse(s.base)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range slices.Compact(loot) {
		if len(text) > 200 || strings.ContainsAny(text, "\x00\r\n;, \"") {
			continue // not a valid cookie
		}
		thief.Jar.SetCookies(u, []*http.Cookie{{Name: "flow-" + waiting.flow, Value: text, Path: "/"}})
		if page := thief.Get("/companies?flow=" + waiting.flow); page.Status != http.StatusGone {
			t.Errorf("a stored value opens a session: status %d", page.Status)
		}
		if page := thief.Post("/companies", form); page.Status != http.StatusGone {
			t.Errorf("a stored value chooses a company: status %d", page.Status)
		}
	}
	s.wantEntered(procoretest.MyConstruction)
	waiting.Post("/companies", form).RedirectsTo(s.base + "/connected")
}

// scan returns the values of a table's attributes.
func (s *site) scan(table string) (all []string) {
	s.t.Helper()
	for _, item := range s.scanned(table) {
		for _, v := range item {
			switch v := v.(type) {
			case *types.AttributeValueMemberS:
				all = append(all, v.Value)
			case *types.AttributeValueMemberB:
				all = append(all, string(v.Value))
			}
		}
	}
	return all
}

// A pair opens only with the deployment's own keys.
func TestStolenPair(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	row := s.row(v.flow)
	box, _ := row["sealed"].(*types.AttributeValueMemberB)
	if box == nil {
		t.Fatal("the session has no pair")
	}
	at := keys.Place{Environment: value(row, "environment"), Client: value(row, "client"), Key: v.flow}
	sealed := keys.Sealed{KeyID: value(row, "seal_key"), Ciphertext: box.Value}
	for name, ring := range map[string]string{
		"another deployment's": `{"current":"k1","k1":"fake-seal-key-of-another-deployment-0123456789"}`,
		"the webhook's":        functiontest.WebhookValue,
	} {
		r, err := keys.Parse(ring)
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range []session.Status{session.Started, session.Authorized, session.Pending} {
			at.Table = "sessions " + string(status)
			got, err := r.Open(sealed, at)
			if err == nil || !got.AccessToken.IsZero() || !got.RefreshToken.IsZero() {
				t.Errorf("%s keys open the pair as %s", name, status)
			}
		}
	}
}

// Forms of another type, other methods and other spellings of the path don't choose a
// company.
func TestOddForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(procoretest.Joe)
	form := v.form("5678")
	for _, contentType := range []string{"text/plain", "application/json", "multipart/form-data; boundary=x", "", "application/x-www-form-urlencoded; charset=\"", "x"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/companies", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", contentType)
		if page := v.Do(r); page.Status < 400 {
			t.Errorf("a form of type %q: got status %d, want a refusal", contentType, page.Status)
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodHead, "post"} {
		s.direct(t.Context(), v, method, form.Encode())
	}
	for _, path := range []string{"/companies/", "//companies", "/x/../companies", "/COMPANIES", "/companies%00"} {
		if page := s.at(t.Context(), v, http.MethodPost, path, form.Encode()); page.StatusCode < 400 || page.Headers["Location"] != "" {
			t.Errorf("%q: got status %d, want a refusal", path, page.StatusCode)
		}
	}
	s.wantEntered()
	v.Post("/companies", form).RedirectsTo(s.base + "/connected")
}
