package procoretest

import (
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestQuirkTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, q := range Quirks() {
		if seen[q.Name] || q.Does == "" || strings.ContainsAny(q.Name, ", :") {
			t.Errorf("quirk %q: %q; want a new name and what it does", q.Name, q.Does)
		}
		seen[q.Name] = true
	}
	for _, text := range []string{"gzip,curl", "seed:", "seed:x", " "} {
		if all, err := Crooked(text); err == nil {
			t.Errorf("Crooked(%q) = %v, want an error", text, all)
		}
	}
	if all, err := Crooked(" gzip, pages"); err != nil || quirkNames(all) != "pages, gzip" {
		t.Errorf("got %s, %v, want both, in the table's order", quirkNames(all), err)
	}
}

// A seed chooses the same three quirks of different kinds, and all seeds together choose
// all quirks.
func TestCrookedBySeed(t *testing.T) {
	t.Parallel()
	met := map[string]bool{}
	for _, seed := range []string{"0", "1", "42", "18446744073709551615"} {
		all, err := Crooked("seed:" + seed)
		again, _ := Crooked("seed:" + seed)
		if err != nil || len(all) != 3 || quirkNames(all) != quirkNames(again) {
			t.Errorf("seed %s: %s and then %s, %v", seed, quirkNames(all), quirkNames(again), err)
		}
	}
	for seed := range uint64(500) {
		var kinds []string
		for _, q := range threeQuirks(Quirks(), seed) {
			met[q.Name] = true
			if q.kind != "" && slices.Contains(kinds, q.kind) {
				t.Errorf("seed %d has two quirks of the kind %s", seed, q.kind)
			}
			kinds = append(kinds, q.kind)
		}
	}
	if len(met) != len(Quirks()) {
		t.Errorf("500 seeds chose %d of %d quirks", len(met), len(Quirks()))
	}
}

// A patch sets quirks and ends them, and leaves the other options as they are.
func TestCrookedByPatch(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{SecondAuthorization: Return, Crooked: "second-kill,gateway-502"})
	token := p.Token(t, Joe, redirect).AccessToken
	me := func(company int64, path string) reply {
		t.Helper()
		return api(t, p, token, company, "GET", path, "")
	}
	me(0, "/rest/v1.0/me").wants(t, 502, "<h1>")
	me(0, "/rest/v1.0/me").wants(t, 200, "Joe")
	steer(t, p, "PATCH", "options", `{"crooked":"second-kill,gateway-502"}`).wants(t, 200, "ok")
	me(0, "/rest/v1.0/me").wants(t, 200, "Joe") // nothing has changed
	steer(t, p, "PATCH", "options", `{"crooked":"curly"}`).wants(t, 400, "gzip")
	steer(t, p, "PATCH", "options", `{"crooked":"link-host"}`).wants(t, 200, "ok")
	if got := me(0, "/rest/v1.0/companies?per_page=50").header.Get("Link"); !strings.Contains(got, `<http://us02.procore.com/rest/v1.0/companies?page=2&per_page=1>; rel="next"`) {
		t.Errorf("Link = %s, want another host and pages of one", got)
	}
	steer(t, p, "PATCH", "options", `{"crooked":""}`).wants(t, 200, "ok")
	if got := me(0, "/rest/v1.0/companies").header.Get("Link"); got != "" || p.opts.SecondAuthorization != Return {
		t.Errorf("Link = %s, options %+v, want the plain ones", got, p.opts)
	}
}

// The coding of an answer is what its header says, and the control interface stays plain.
func TestGzip(t *testing.T) {
	t.Parallel()
	p := Start(t, Options{Crooked: "gzip,bom,blanks"})
	r := request(t, "GET", p.URL+"/rest/v1.0/me", "", "Authorization", "Bearer "+p.Token(t, Joe, redirect).AccessToken, "Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	z, err := gzip.NewReader(resp.Body)
	if err != nil || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v, headers %v", err, resp.Header)
	}
	if body, err := io.ReadAll(z); err != nil || !strings.HasPrefix(string(body), "\xef\xbb\xbf\r\n") {
		t.Errorf("body %q, %v", body, err)
	}
	steer(t, p, "GET", "state", "").wants(t, 200, `{"now"`)
}
