package procore

import (
	"context"
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

// Only the query of a link counts, whatever address it names.
func TestNextIsFollowedAtTheSameAddress(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"another scheme":       `<https://HOST/rest/v1.0/companies?page=2&per_page=3>; rel="next"`,
		"another host":         `<http://us02.procore.com/rest/v1.0/companies?page=2&per_page=3>; rel="next"`,
		"another port":         `<http://127.0.0.1:9292/rest/v1.0/companies?page=2&per_page=3>; rel="next"`,
		"a suffix host":        `<http://HOST.example.com/rest/v1.0/companies?page=2>; rel="next"`,
		"userinfo":             `<http://HOST@127.0.0.1:1/rest/v1.0/companies?page=2>; rel="next"`,
		"query alone":          `<?page=2&per_page=3>; rel="next"`,
		"path alone":           `</rest/v1.0/companies?page=2>; rel="next"`,
		"trailing slash":       `<http://HOST/rest/v1.0/companies/?page=2&per_page=3>; rel="next"`,
		"another path":         `</rest/v1.0/projects?page=2>; rel="next"`,
		"scheme-less":          `<//127.0.0.1:1/rest/v1.0/companies?page=2>; rel="next"`,
		"no URL but for that":  `<http://%zz?page=2>; rel="next"`,
		"a fragment":           `<?page=2#top>; rel="next"`,
		"escaped as in a page": `<?per_page=3&amp;page=2>; rel="next"`,
		"single quotes":        `<?page=2>; rel='next'`,
		"blanks":               `< ?page=2 > ; rel = next`,
	}
	for name, link := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/companies": func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("page") == "2" {
					answers(200, `[{"id":4},{"id":5},{"id":6}]`)(w, r)
					return
				}
				w.Header().Set("Link", strings.ReplaceAll(link, "HOST", r.Host))
				answers(200, `[{"id":1},{"id":2},{"id":3}]`)(w, r)
			}})
			got, err := Collect(NewUserClient(f.env(), f.Client()).Companies(t.Context()))
			if err != nil || len(got) != 6 {
				t.Errorf("got %v, %v, want six companies", got, err)
			}
			if calls := f.all(); len(calls) != 2 || calls[1].URL.Path != "/rest/v1.0/companies" || calls[1].Host != calls[0].Host {
				t.Errorf("%d calls, the last of %v", len(calls), calls[len(calls)-1].URL)
			}
		})
	}
}

// What a link does not repeat of the query still counts.
func TestNextKeepsTheQuery(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/x": func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("page") == "" {
			w.Header().Set("Link", `<?page=2&per_page=50>; rel="next"`)
		}
		answers(200, `[1]`)(w, r)
	}})
	if _, err := Collect(List[int](t.Context(), f.company(), "/rest/v1.0/x", url.Values{"company_id": {"5"}, "per_page": {"100"}})); err != nil {
		t.Fatal(err)
	}
	if got, want := f.all()[1].URL.RawQuery, "company_id=5&page=2&per_page=50"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNextIsNotFollowed(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]string{
		"itself":                `</rest/v1.0/companies?per_page=2000>; rel="next"`,
		"no query":              `</rest/v1.0/companies>; rel="next"`,
		"a query without a key": `<?>; rel="next"`,
		"not a query":           `<?%zz>; rel="next"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/companies": func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Link", link)
				answers(200, `[{"id":1,"name":"A"}]`)(w, r)
			}})
			got, err := Collect(NewUserClient(f.env(), f.Client()).Companies(t.Context()))
			if partial, ok := errors.AsType[*PartialError](err); !errors.Is(err, errPaging) || !ok || partial.Read != 1 || len(got) != 1 {
				t.Errorf("got %v, %v, want one company and errPaging", got, err)
			}
			if n := len(f.all()); n != 1 {
				t.Errorf("%d calls were made", n)
			}
		})
	}
}

// Without a link, the announced total decides whether a page follows.
func TestTotal(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		total string
		pages []string
		query url.Values
		want  []int
		err   string // a part of the error
	}{
		"two pages":         {total: "5", pages: []string{"[1,2,3]", "[4,5]"}, want: []int{1, 2, 3, 4, 5}},
		"one page":          {total: "3", pages: []string{"[1,2,3]"}, want: []int{1, 2, 3}},
		"smaller":           {total: "1", pages: []string{"[1,2,3]"}, want: []int{1, 2, 3}},
		"not a number":      {total: "many", pages: []string{"[1,2,3]"}, want: []int{1, 2, 3}},
		"negative":          {total: "-6", pages: []string{"[1]"}, want: []int{1}},
		"the rest missing":  {total: "6", pages: []string{"[1,2,3]", "[]"}, want: []int{1, 2, 3}, err: "3 of 6 items"},
		"nothing sent":      {total: "6", pages: []string{"[]"}, err: "Procore does not send it"},
		"the page again":    {total: "6", pages: []string{"[1,2]", "[1,2]"}, want: []int{1, 2, 1, 2}, err: "does not send"},
		"from another page": {total: "6", pages: []string{"[1,2]", "[3,4]"}, query: url.Values{"page": {"1"}}, want: []int{1, 2}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/x": func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Total", tt.total)
				answers(200, tt.pages[max(1, atoi(r.URL.Query().Get("page")))-1])(w, r)
			}})
			got, err := Collect(List[int](t.Context(), f.company(), "/rest/v1.0/x", tt.query))
			if d := cmp.Diff(got, tt.want); d != "" || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v, want %q (-got +want):\n%s", err, tt.err, d)
			}
		})
	}
}

// What came before an error is right, and the error says how much that is.
func TestPartialList(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/x": func(w http.ResponseWriter, r *http.Request) {
		if page := r.URL.Query().Get("page"); page == "2" {
			answers(404, `{"message":"no"}`)(w, r)
			return
		}
		w.Header().Set("Total", "5")
		w.Header().Set("Link", `<?page=2>; rel="next"`)
		answers(200, "[1,2]")(w, r)
	}})
	got, err := Collect(List[int](t.Context(), f.company(), "/rest/v1.0/x", nil))
	partial, ok := errors.AsType[*PartialError](err)
	if !ok || partial.Read != 2 || partial.Total != 5 || len(got) != 2 || !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, %v", got, err)
	}
}

// One odd item never costs its list.
func TestListWithOddItems(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.1/projects": answers(200,
		`[{"id":1,"updated_at":"soon"},null,"x",[],{"id":"2","active":"yes"},{"id":{},"name":"n"}]`)})
	var odd []string
	count := WithOdd(func(_ context.Context, path string, names []string) { odd = append(odd, names...) })
	c := NewCompanyClient(f.env(), f.Client(), testCompany, count)
	got, err := Collect(c.Projects(t.Context()))
	if d := cmp.Diff(got, []Project{{ID: 1}, {ID: 2}, {Name: "n"}}); d != "" || err != nil {
		t.Errorf("%v (-got +want):\n%s", err, d)
	}
	if d := cmp.Diff(odd, []string{"updated_at", "[]", "active", "id"}); d != "" {
		t.Errorf("odd parts (-got +want):\n%s", d)
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

func TestLinkTo(t *testing.T) {
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
		if got := linkTo(http.Header{"Link": tt.links}, "next"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzLinkTo(f *testing.F) {
	f.Add(`<https://api.procore.com/rest/v1.0/x?page=2>; rel="next", <b>; rel="last",`)
	f.Add(`</rest/v1.0/x?page=2>;rel=next`)
	f.Add(`<https://api.procore.com.example.com/rest/v1.0/x?page=2>; rel="next"`)
	f.Add(`<//api.procore.com/rest/v1.0/../../oauth?page=2>; title="a,b;<c>"; rel="last next"`)
	f.Add(`</rest/v1.0/x?page=2>; title="\";"; rel="next last"`)
	f.Add(`<?page=2&page=3&%zz>; REL=NEXT, <`)
	f.Fuzz(func(t *testing.T, link string) {
		h := http.Header{"Link": {link}}
		q, err := newPager("/rest/v1.0/x", nil).next(linkTo(h, "next"))
		if err != nil && !errors.Is(err, errPaging) {
			t.Errorf("got error %v", err)
		}
		if q != nil && (!strings.Contains(link, "<") || !strings.Contains(strings.ToLower(link), "next") || len(q) == 0) {
			t.Errorf("%q leads to %v", link, q)
		}
	})
}
