package procoretest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"procore-connect/pkg/procore"
)

// paste runs a command as a person pastes it into a terminal.
func paste(t *testing.T, command string) string {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("needs curl: ", err)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-ec", command).Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// asked returns what the real client gets at a path.
func asked(t *testing.T, p *Server, path string, query url.Values) (json.RawMessage, error) {
	t.Helper()
	env := procore.Environment{Name: "custom", LoginURL: p.URL, APIURL: p.URL}
	token := procore.NewSecret(p.Token(t, Joe, redirect).AccessToken)
	return procore.Get[json.RawMessage](t.Context(), procore.NewCompanyClient(env, env.Bearer(token, nil), MyConstruction), path, query)
}

// The error that a client returns for a path that the fake lacks has the command that adds it, and no advice that is
// about permissions.
func TestMissingPath(t *testing.T) {
	t.Parallel()
	p := Start(t)
	for path, want := range map[string]string{
		"/rest/v1.0/projects/2001/widgets/77":            `{"id":77}`,
		"/rest/v1.0/projects/2001/widgets":               `[]`,
		"/rest/v2.0/companies/5678/widgets":              `[]`, // of data
		"/rest/v1.3/it's $HOME; `whoami` \"x\" \\ & <é>": `[]`,
	} {
		_, err := asked(t, p, path, url.Values{"secret": {"hush"}})
		if !errors.Is(err, procore.ErrNotFound) || strings.Contains(err.Error(), "may not see it") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want not found, without advice or query", path, err)
			continue
		}
		found := regexp.MustCompile(`^procore: GET .*: 404: the fake Procore does not have GET (\S+); add an answer with: (curl .*') \(company 5678\)$`).FindStringSubmatch(err.Error())
		if found == nil {
			t.Errorf("%s: %v, want a command", path, err)
			continue
		}
		if strings.ContainsAny(found[2], "\"\\") {
			t.Errorf("%v: a log would quote what is in it", err)
		}
		if out := paste(t, found[2]); !strings.Contains(out, `"ok":true`) {
			t.Errorf("%s: %s", found[2], out)
		}
		if got, err := asked(t, p, path, nil); err != nil || string(got) != want {
			t.Errorf("%s: after the command: %s, %v, want %s", path, got, err, want)
		}
	}
	// A client cuts a message at 500 bytes, and a cut command does harm.
	if _, err := asked(t, p, "/rest/v1.0/"+strings.Repeat("long", 100), nil); err == nil || !strings.Contains(err.Error(), "docs/FAKE.md") || strings.Contains(err.Error(), "curl") {
		t.Errorf("a long path: %v, want the document", err)
	}
	r := request(t, "GET", p.URL+"/rest/v1.0/widgets", "", "Authorization", "Bearer "+p.Token(t, Joe, redirect).AccessToken)
	r.Host = "x;reboot"
	mustSend(t, r).wants(t, 404, "http://127.0.0.1:4000/_fake/answers")
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	p := Start(t)
	token := p.Token(t, Joe, redirect).AccessToken
	get := func(path string) reply { t.Helper(); return api(t, p, token, MyConstruction, "GET", path, "") }
	add := func(a Answer) {
		t.Helper()
		if err := p.Answer(a); err != nil {
			t.Fatal(err)
		}
	}
	add(Answer{Path: "/rest/v1.0/widgets/{id}", Body: json.RawMessage(`{"any":true}`)})
	add(Answer{Method: "GET", Path: "/rest/v1.0/widgets/7?view=all", Status: 202, Headers: map[string]string{"X-Kind": "odd"}, Body: json.RawMessage(`"plain text"`)})
	get("/rest/v1.0/widgets/7").wants(t, 200, `{"any":true}`)
	if got := get("/rest/v1.0/widgets/7?page=1&view=all").wants(t, 202, "plain text"); got.header.Get("X-Kind") != "odd" || got.body != "plain text" {
		t.Errorf("answer %+v", got)
	}
	get("/rest/v1.0/widgets/7?view=some").wants(t, 200, "any")
	get("/rest/v1.0/widgets/7/parts").wants(t, 404, "does not have")
	get("/rest/v1.0/widgets/").wants(t, 404, "does not have")
	api(t, p, token, MyConstruction, "DELETE", "/rest/v1.0/widgets/7", "").wants(t, 200, "any")
	add(Answer{Path: "/rest/v1.0/widgets/*", Times: 2, Status: 204})
	for _, want := range []int{204, 204, 200} { // the last added applies, as often as it may
		get("/rest/v1.0/widgets/7").wants(t, want, "")
	}
	add(Answer{Path: "/rest/v1.0/projects/2001/rfis", Body: json.RawMessage(`[{"id":1}]`), CompanyID: MyConstruction})
	get("/rest/v1.0/projects/2001/rfis").wants(t, 200, `[{"id":1}]`) // in place of the fake's own
	api(t, p, token, HarborHill, "GET", "/rest/v1.0/projects/2001/rfis", "").wants(t, 404, "project does not exist")
	steer(t, p, "GET", "answers", "").wants(t, 200, `"path":"/rest/v1.0/widgets/7?view=all"`)
	steer(t, p, "POST", "answers", "method=GET&path=/rest/v1.0/widgets/8&status=203&times=1&company_id=5678&body=plain+text").wants(t, 200, "ok")
	get("/rest/v1.0/widgets/8").wants(t, 203, "plain text")
	steer(t, p, "DELETE", "answers", "").wants(t, 200, "ok")
	get("/rest/v1.0/widgets/7").wants(t, 404, "does not have")
	get("/rest/v1.0/projects/2001/rfis").wants(t, 200, "RFI 1")
}

// An own answer is no way around the rules of the API.
func TestAnswersAreStrict(t *testing.T) {
	t.Parallel()
	p := Start(t)
	for _, path := range []string{"/rest/v1.0/me", "/rest/v1.0/companies/{id}/*"} {
		if err := p.Answer(Answer{Path: path, Body: json.RawMessage(`{"own":1}`)}); err != nil {
			t.Fatal(err)
		}
	}
	token := p.Token(t, Joe, redirect).AccessToken
	const path = "/rest/v1.0/companies/5678/widgets"
	api(t, p, "wrong", MyConstruction, "GET", path, "").wants(t, 401, "invalid_token")
	api(t, p, token, 0, "GET", path, "").wants(t, 400, "Missing Procore-Company-Id")
	api(t, p, token, HarborHill, "GET", path, "").wants(t, 400, "different company")
	api(t, p, token, HarborHill, "GET", path+"/7/parts/8", "").wants(t, 400, "different company") // for which there is no route
	api(t, p, token, LockedGate, "GET", strings.Replace(path, "5678", "91011", 1), "").wants(t, 403, "not installed")
	api(t, p, token, 0, "GET", "/rest/v1.0/me", "").wants(t, 200, "own")
	api(t, p, p.ServiceToken().AccessToken, 0, "GET", "/rest/v1.0/me", "").wants(t, 400, "Missing Procore-Company-Id")
	api(t, p, token, MyConstruction, "GET", path, "").wants(t, 200, "own")
	if st := p.State(); !st.Company(MyConstruction).Installed || len(st.Calls) != 8 {
		t.Errorf("installed %t after %d calls, want so after 8", st.Company(MyConstruction).Installed, len(st.Calls))
	}
}

func TestAnswerRefusals(t *testing.T) {
	t.Parallel()
	p := Start(t)
	for _, body := range []string{
		`{"path":"/oauth/token"}`, `{"path":"/rest/` + strings.Repeat("x", maxPath) + `"}`, `{"path":"/rest/*/x"}`, `{"path":"/rest/x?a=%"}`,
		`{"path":"/rest/x","status":101}`, `{"path":"/rest/x","times":-1}`, `{"path":"/rest/x","company_id":-1}`, `{"path":"/rest/x","misspelt":1}`,
		`path=/rest/x&misspelt=1`, `path=/rest/x&status=ok`, `path=/oauth/token`, `%zz`,
		`{"path":"/rest/x","method":"` + strings.Repeat("X", 21) + `"}`, `{"path":"/rest/x","headers":{"A":"` + strings.Repeat("b", maxHeaderBytes) + `"}}`,
	} {
		steer(t, p, "POST", "answers", body).wants(t, 400, `"error":"`)
	}
	if err := p.Answer(Answer{Path: "/rest/x", Body: json.RawMessage("{")}); err == nil {
		t.Error("a body that is not JSON was accepted")
	}
	big := json.RawMessage(`"` + strings.Repeat("x", maxBody-2) + `"`)
	for i := range 11 {
		if err := p.Answer(Answer{Path: "/rest/x", Body: big}); (err == nil) != (i < 10) {
			t.Errorf("body %d: %v", i, err)
		}
	}
	p.ClearAnswers()
	for i := range maxAnswers + 1 {
		if err := p.Answer(Answer{Path: fmt.Sprint("/rest/", i)}); (err == nil) != (i < maxAnswers) {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
}
