package procore

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// paged serves numbers 1 to 5, two to a page, with Link as Procore writes it.
func paged(w http.ResponseWriter, r *http.Request) {
	page := max(1, atoi(r.URL.Query().Get("page")))
	link := func(n int, rel string) string {
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		return fmt.Sprintf(`<http://%s%s?%s>; rel="%s"`, r.Host, r.URL.Path, q.Encode(), rel)
	}
	links := []string{link(1, "first"), link(3, "last")}
	if page < 3 {
		links = append(links, link(page+1, "next"))
	}
	w.Header().Set("Link", strings.Join(links, ", "))
	answers(200, []string{"[1,2]", "[3,4]", "[5]"}[page-1])(w, r)
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

func TestListPages(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/x": paged})
	got, err := Collect(List[int](t.Context(), f.company(), "/rest/v1.0/x", url.Values{"company_id": {"5"}}))
	if d := cmp.Diff(got, []int{1, 2, 3, 4, 5}); d != "" || err != nil {
		t.Fatalf("%v (-got +want):\n%s", err, d)
	}
	for _, r := range f.all() {
		if q := r.URL.Query(); q.Get("company_id") != "5" || q.Get("per_page") != "100" {
			t.Errorf("query %v lost something", q)
		}
		if r.Header.Get("Procore-Company-Id") == "" {
			t.Errorf("no company header on %s", r.URL)
		}
	}
}

func TestListStopsWithTheLoop(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/x": paged})
	for range List[int](t.Context(), f.company(), "/rest/v1.0/x", nil) {
		break
	}
	if got := len(f.all()); got != 1 {
		t.Errorf("got %d calls, want 1", got)
	}
}

func TestListKeepsPerPageAndQuery(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/x": answers(200, `[]`)})
	query := url.Values{}
	if _, err := Collect(List[int](t.Context(), f.company(), "/rest/v1.0/x", query)); err != nil || len(query) != 0 {
		t.Errorf("got %v; the caller's query is now %v", err, query)
	}
	query.Set("per_page", "7")
	if _, err := Collect(List[int](t.Context(), f.company(), "/rest/v1.0/x", query)); err != nil {
		t.Error(err)
	}
	if got := f.all()[1].URL.Query().Get("per_page"); got != "7" {
		t.Errorf("got per_page %s, want 7", got)
	}
}

func TestListV2(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v2.0/x": answers(200, `{"data":[1,2]}`)})
	got, err := Collect(List[int](t.Context(), f.company(), "/rest/v2.0/x", nil))
	if d := cmp.Diff(got, []int{1, 2}); d != "" || err != nil {
		t.Errorf("%v (-got +want):\n%s", err, d)
	}
}

func TestNextIsNotFollowed(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"itself":        `</rest/v1.0/companies?per_page=100>; rel="next"`,
		"another host":  `<http://127.0.0.1:1/rest/v1.0/companies?page=2>; rel="next"`,
		"a suffix host": `<http://HOST.example.com/rest/v1.0/companies?page=2>; rel="next"`,
		"userinfo":      `<http://HOST@127.0.0.1:1/rest/v1.0/companies?page=2>; rel="next"`,
		"https":         `<https://HOST/rest/v1.0/companies?page=2>; rel="next"`,
		"another path":  `</rest/v1.0/projects?page=2>; rel="next"`,
		"no query":      `</rest/v1.0/companies>; rel="next"`,
		"not a URL":     `<http://%zz>; rel="next"`,
		"scheme-less":   `<//127.0.0.1:1/rest/v1.0/companies?page=2>; rel="next"`,
	}
	for name, link := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/companies": func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Link", strings.ReplaceAll(link, "HOST", r.Host))
				answers(200, `[{"id":1,"name":"A"}]`)(w, r)
			}})
			got, err := Collect(NewUserClient(f.env(), f.Client()).Companies(t.Context()))
			if !errors.Is(err, errPaging) || len(got) != 1 {
				t.Errorf("got %v, %v, want one company and errPaging", got, err)
			}
			if n := len(f.all()); n != 1 {
				t.Errorf("%d calls were made", n)
			}
		})
	}
}

// An endless list links to a new page each time.
func TestEndlessList(t *testing.T) {
	t.Parallel()
	rt := roundTripper(func(r *http.Request) (*http.Response, error) {
		page := atoi(r.URL.Query().Get("page"))
		h := http.Header{"Link": {fmt.Sprintf(`<%s?page=%d>; rel="next"`, r.URL.Path, page+1)}}
		return response(r, 200, h, `[1]`), nil
	})
	c := NewCompanyClient(Sandbox(), &http.Client{Transport: rt}, 1)
	got, err := Collect(List[int](t.Context(), c, "/rest/v1.0/x", nil))
	if !errors.Is(err, errPaging) || len(got) != maxPages {
		t.Errorf("got %d items, %v, want %d and errPaging", len(got), err, maxPages)
	}
}

func TestLinkNext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		links []string
		want  string
	}{
		{"none", nil, ""},
		{"only last", []string{`<a>; rel="last"`}, ""},
		{"among others, comma at the end", []string{`<a>; rel="first", <b>; rel="next",`}, "b"},
		{"unquoted", []string{`<a>;rel=next`}, "a"},
		{"capitals", []string{`<A>; Rel="Next"`}, "A"},
		{"another parameter first", []string{`<a>; title="x"; rel="next"`}, "a"},
		{"two fields", []string{`<a>; rel="prev"`, `<b>; rel="next"`}, "b"},
		{"commas in the address", []string{`<a?x=1,2>; rel="next"`}, "a?x=1,2"},
		{"several relations", []string{`<a>; rel="next last"`}, "a"},
		{"several relations, last", []string{`<a>; rel="last  NEXT "; title=x`}, "a"},
		{"rel in a title", []string{`<a>; title="x; rel=next"`}, ""},
		{"rel in a title, quoted", []string{`<a>; title="\"; rel=next"; rel=last`}, ""},
		{"a link in a title", []string{`<a>; title="<b>, <c>; rel=next"; rel="next"`}, "a"},
		{"of two rels the first", []string{`<a>; rel=prev; rel=next`}, ""},
		{"extension", []string{`<a>; rel*=next`}, ""},
		{"not next", []string{`<a>; rel="nextish"`}, ""},
		{"unfinished", []string{`<a; rel="next"`, `;;`, `<`, `>`}, ""},
	}
	for _, tt := range tests {
		if got := linkNext(http.Header{"Link": tt.links}); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzLinkNext(f *testing.F) {
	f.Add(`<https://api.procore.com/rest/v1.0/x?page=2>; rel="next", <b>; rel="last",`)
	f.Add(`</rest/v1.0/x?page=2>;rel=next`)
	f.Add(`<https://api.procore.com.example.com/rest/v1.0/x?page=2>; rel="next"`)
	f.Add(`<//api.procore.com/rest/v1.0/../../oauth?page=2>; title="a,b;<c>"; rel="last next"`)
	f.Add(`</rest/v1.0/x?page=2>; title="\";"; rel="next last"`)
	f.Add(`<?page=2&page=3&%zz>; REL=NEXT, <`)
	a := api{base: "https://api.procore.com"}
	f.Fuzz(func(t *testing.T, link string) {
		h := http.Header{"Link": {link}}
		q, err := a.nextPage(h, "/rest/v1.0/x")
		if err != nil && !errors.Is(err, errPaging) {
			t.Errorf("got error %v", err)
		}
		if q != nil && (!strings.Contains(link, "<") || !strings.Contains(strings.ToLower(link), "next") || len(q) == 0) {
			t.Errorf("%q leads to %v", link, q)
		}
	})
}
