package procoretest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// An app's whole flow: log in, exchange, list, choose, hook, event, read, refresh,
// revoke.
func TestFlow(t *testing.T) {
	t.Parallel()
	p := Start(t)
	rec := receive(t, nil)

	page := mustSend(t, request(t, "GET", authorizeURL(p), "")).wants(t, 200, "Joe Builder")
	for _, want := range []string{"Ann Planner", ">Authorize</button>", ">Deny</button>", `value="s&amp;1"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("login page lacks %q", want)
		}
	}
	hinted := mustSend(t, request(t, "GET", authorizeURL(p, "login_hint", "ann@northern.example"), "")).wants(t, 200, "Ann Planner")
	if strings.Contains(hinted.body, "Joe Builder") {
		t.Error("a login page with a hint shows another user")
	}

	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	code := codeFor(t, p, Joe, "code_challenge", challenge, "code_challenge_method", "S256")
	var pair Pair
	mustSend(t, tokenRequest(t, p, credentials("grant_type", "authorization_code", "code", code, "code_verifier", verifier))).
		wants(t, 200, `"token_type":"bearer"`).into(t, &pair)
	if pair.ExpiresIn != 5400 || !strings.HasPrefix(pair.AccessToken, "fake-access-") || !strings.HasPrefix(pair.RefreshToken, "fake-refresh-") {
		t.Errorf("pair = %+v", pair)
	}

	api(t, p, pair.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, `"id":1234567,"login":"joe@acme.example","name":"Joe Builder"`)
	list := api(t, p, pair.AccessToken, 0, "GET", "/rest/v1.0/companies", "").wants(t, 200, `"name":"Harbor & Hill Builders"`)
	if strings.Contains(list.body, "Northern") {
		t.Errorf("Joe sees a company that is not his: %s", list.body)
	}
	for _, c := range p.State().Companies {
		if c.Installed {
			t.Errorf("listing installed the app in %s", c.Name)
		}
	}
	api(t, p, pair.AccessToken, MyConstruction, "GET", "/rest/v1.0/projects?company_id=5678", "").wants(t, 200, "Riverside School")
	if !p.Company(MyConstruction).Installed {
		t.Error("the first call into the company did not install the app")
	}

	hook := newHook(t, p, pair.AccessToken, rec.URL, "v2.0")
	addTrigger(t, p, pair.AccessToken, hook, "RFIs", "update")
	rfi := p.State().Resources[0]
	emitted, err := p.Emit(Event{CompanyID: MyConstruction, ProjectID: rfi.ProjectID, ResourceName: "RFIs", ResourceID: rfi.ID, EventType: "update", UserID: Joe})
	if err != nil || len(emitted.EventIDs) != 1 {
		t.Fatalf("emitted %+v, %v", emitted, err)
	}
	d := rec.next(t)
	if d.header.Get("Authorization") != "Bearer hook-secret" || !strings.Contains(d.body, emitted.EventIDs[0]) {
		t.Errorf("delivered %v %s", d.header, d.body)
	}
	api(t, p, pair.AccessToken, MyConstruction, "GET", fmt.Sprintf("/rest/v1.0/projects/%d/rfis/%s", rfi.ProjectID, rfi.ID), "").wants(t, 200, `"revision":2`)
	eventually(t, p, "delivery recorded", func(st State) bool { return len(st.Deliveries) == 1 && st.Deliveries[0].Outcome == OutcomeOK })
	mustSend(t, request(t, "GET", p.URL+"/", "")).wants(t, 200, "My Construction Company")

	refresh(t, p, pair.RefreshToken).wants(t, 200, "fake-refresh-").into(t, &pair)
	revoke(t, p, "token", pair.AccessToken).wants(t, 200, "{}")
	api(t, p, pair.AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 401, "invalid_token")
	refresh(t, p, pair.RefreshToken).wants(t, 400, "invalid_grant")
}

// newHook creates a hook in My Construction Company.
func newHook(t *testing.T, p *Server, token, destination, version string) int64 {
	t.Helper()
	body := fmt.Sprintf(`{"payload_version":%q,"namespace":"our-app","destination_url":%q,"destination_headers":{"Authorization":"Bearer hook-secret"}}`, version, destination)
	var made struct {
		Data struct {
			ID int64 `json:"id,string"`
		}
	}
	api(t, p, token, MyConstruction, http.MethodPost, hooksPath, body).wants(t, 201, destination).into(t, &made)
	return made.Data.ID
}

func addTrigger(t *testing.T, p *Server, token string, hook int64, resource, event string) {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"resource_name": resource, "event_type": event})
	api(t, p, token, MyConstruction, http.MethodPost, fmt.Sprintf("%s/%d/triggers", hooksPath, hook), string(body)).wants(t, 201, resource)
}
