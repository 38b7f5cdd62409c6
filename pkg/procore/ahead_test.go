package procore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A book is a list of pages of three numbers each, with the header and answer of a page
// that a test changes.
type book struct {
	pages  int
	change func(n int, h http.Header) (status int, body string) // nil, status 0 or body "": as it is
	calls  atomic.Int64
}

func (b *book) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := max(1, atoi(r.URL.Query().Get("page")))
	b.calls.Add(1)
	h := w.Header()
	h.Set("Total", strconv.Itoa(3*b.pages))
	h.Add("Link", fmt.Sprintf(`<?page=%d&per_page=3>; rel="last"`, b.pages))
	if n < b.pages {
		h.Add("Link", fmt.Sprintf(`<?page=%d&per_page=3>; rel="next"`, n+1))
	}
	status, body := 200, numbers(n)
	if n > b.pages {
		body = "[]"
	}
	if b.change != nil {
		s, text := b.change(n, h)
		if s != 0 {
			status = s
		}
		if text != "" {
			body = text
		}
	}
	answers(status, body)(w, r)
}

func numbers(page int) string { return fmt.Sprintf("[%d,%d,%d]", 3*page-2, 3*page-1, 3*page) }

// To read ahead changes neither what a list has nor how it ends, however it is announced.
func TestReadAheadReadsTheSame(t *testing.T) {
	t.Parallel()
	header := func(name string, values ...string) func(int, http.Header) (int, string) {
		return func(_ int, h http.Header) (int, string) { h[name] = values; return 0, "" }
	}
	total := func(text string) func(int, http.Header) (int, string) {
		return func(_ int, h http.Header) (int, string) { h.Del("Link"); h.Set("Total", text); return 0, "" }
	}
	last := func(link string) func(int, http.Header) (int, string) {
		return func(n int, h http.Header) (int, string) {
			h.Del("Total")
			h["Link"] = append([]string{fmt.Sprintf(`<%s>; rel="last"`, link)}, h["Link"][1:]...)
			return 0, ""
		}
	}
	at := func(page, status int, body string, links ...string) func(int, http.Header) (int, string) {
		return func(n int, h http.Header) (int, string) {
			if n != page {
				return 0, ""
			}
			if links != nil {
				h["Link"] = links
			}
			return status, body
		}
	}
	numbered := func(page, status int, body string) func(int, http.Header) (int, string) {
		return func(n int, h http.Header) (int, string) {
			h.Del("Link")
			return at(page, status, body)(n, h)
		}
	}
	for name, change := range map[string]func(int, http.Header) (int, string){
		"plain":                       nil,
		"neither total nor last page": last("?"),
		"total alone":                 total("18"),
		"a total too small":           header("Total", "7"),
		"a total too large":           header("Total", "900"),
		"a total alone, too small":    total("10"),
		"a total alone, too large":    total("900"),
		"a total of one page":         total("3"),
		"an odd total":                header("Total", "9999999999999999999999"),
		"last alone":                  last("?page=6"),
		"last too small":              last("?page=3"),
		"last too large":              last("?page=900"),
		"last negative":               last("?page=-6"),
		"last elsewhere":              last("http://127.0.0.2:1/other?page=6"),
		"no link to the next":         at(3, 0, "", ""),
		"a link ahead":                at(3, 0, "", `<?page=5&per_page=3>; rel="next"`),
		"a link back":                 at(4, 0, "", `<?page=2&per_page=3>; rel="next"`),
		"the first link ahead":        at(1, 0, "", `<?page=4&per_page=3>; rel="next"`, `<?page=6>; rel="last"`),
		"a link in other words":       at(3, 0, "", `<?per_page=3&page=4&cursor=x>; rel="next"`),
		"a link that cannot be read":  at(3, 0, "", `<?%zz>; rel="next"`),
		"a page again":                numbered(4, 0, numbers(3)),
		"a page again, linked":        at(4, 0, numbers(3)),
		"an empty page":               numbered(4, 0, "[]"),
		"an empty page, linked":       at(4, 0, "[]"),
		"an empty first page":         at(1, 0, "[]"),
		"a short first page":          at(1, 0, "[1]"),
		"a long first page":           at(1, 0, "[1,2,3,4,5,6,7,8]"),
		"odd items":                   at(4, 0, `[null,"x",{},10]`),
		"404":                         at(4, 404, `{"message":"no"}`),
		"401":                         at(3, 401, `{"message":"no"}`),
		"500":                         at(6, 500, `{"message":"no"}`),
		"429":                         at(5, 429, `{"message":"no"}`),
		"a gateway's page":            at(2, 200, "<html>"),
		"not a list":                  at(2, 200, `{"a":1}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read := func(opts ...Option) (items []int, text string, calls int64) {
				b := &book{pages: 6, change: change}
				f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/x": b.ServeHTTP})
				c := NewCompanyClient(f.env(), f.Client(), testCompany, append(opts, WithAttempts(1))...)
				items, err := Collect(List[int](t.Context(), c, "/rest/v1.0/x", nil))
				text = fmt.Sprint(err)
				if partial, ok := errors.AsType[*PartialError](err); ok {
					text = fmt.Sprint(partial.Read, partial.Total, err)
				}
				return items, text, b.calls.Load()
			}
			want, wantErr, calls := read()
			got, gotErr, ahead := read(WithReadAhead(100))
			if d := cmp.Diff(got, want); d != "" || gotErr != wantErr {
				t.Errorf("%s, want %s (-got +want):\n%s", gotErr, wantErr, d)
			}
			if ahead > calls+maxAtOnce {
				t.Errorf("%d calls, and %d one after another", ahead, calls)
			}
		})
	}
}

// A shelf answers each page of a list of n pages of a hundred, and counts calls in flight.
type shelf struct {
	pages         int
	calls, flying atomic.Int64
	hold          func(r *http.Request, page int) (int, http.Header, error) // nil, or a delay and another answer
}

func (s *shelf) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls.Add(1)
	s.flying.Add(1)
	defer s.flying.Add(-1)
	page := max(1, atoi(r.URL.Query().Get("page")))
	h, body := http.Header{}, "["
	if s.hold != nil {
		got, header, err := s.hold(r, page)
		if err != nil {
			return nil, err
		}
		if got != 0 {
			return response(r, got, header, `{}`), nil
		}
	}
	for i := range 100 {
		body += fmt.Sprintf(`{"id":%d},`, page*1000+i)
	}
	h.Set("Total", strconv.Itoa(100*s.pages))
	return response(r, 200, h, body[:len(body)-1]+"]"), nil
}

func (s *shelf) companies(ctx context.Context, opts ...Option) func(func(Company, error) bool) {
	return NewUserClient(Sandbox(), &http.Client{Transport: s}, opts...).Companies(ctx)
}

// A loop that ends after n items costs no call for pages that begin later.
func TestReadAheadIsBounded(t *testing.T) {
	t.Parallel()
	s, n := &shelf{pages: 100}, 0
	for _, err := range s.companies(t.Context(), WithReadAhead(2000)) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n > 2000 {
			break
		}
	}
	if got := s.calls.Load(); got != 21 {
		t.Errorf("got %d calls, want 21", got)
	}
	s = &shelf{pages: 100}
	if all, err := Collect(s.companies(t.Context(), WithReadAhead(2000))); err != nil || len(all) != 10_000 {
		t.Errorf("got %d companies, %v, want 10,000", len(all), err)
	}
}

// A loop that stops ends the calls that are on their way, and leaves none behind. One that
// does not ask for the second page reads none ahead.
func TestReadAheadStopsWithTheLoop(t *testing.T) {
	t.Parallel()
	for items, want := range map[int]int64{50: 1, 150: 1 + maxAtOnce} {
		synctest.Test(t, func(t *testing.T) {
			begin, n := time.Now(), 0
			s := &shelf{pages: 100, hold: func(r *http.Request, page int) (int, http.Header, error) {
				if page < 3 {
					time.Sleep(time.Second)
					return 0, nil, nil
				}
				<-r.Context().Done()
				time.Sleep(time.Millisecond)
				return 0, nil, r.Context().Err()
			}}
			for range s.companies(t.Context(), WithReadAhead(5000)) {
				if n++; n == items {
					break
				}
			}
			if calls, flying := s.calls.Load(), s.flying.Load(); calls != want || flying != 0 || time.Since(begin) > 3*time.Second {
				t.Errorf("%d calls, want %d, of which %d are on their way after %v", calls, want, flying, time.Since(begin))
			}
		})
	}
}

// If the page that the loop waits for is late, those after it are not read without end.
func TestReadAheadWaitsForTheLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{pages: 100}
		s.hold = func(_ *http.Request, page int) (int, http.Header, error) {
			if page == 2 {
				time.Sleep(time.Second)
				if got := s.calls.Load(); got != 1+maxAtOnce {
					t.Errorf("%d calls were made before the second page came, want %d", got, 1+maxAtOnce)
				}
			}
			return 0, nil, nil
		}
		if all, err := Collect(s.companies(t.Context(), WithReadAhead(10_000))); err != nil || len(all) != 10_000 {
			t.Errorf("got %d companies, %v, want 10,000", len(all), err)
		}
	})
}

// A page that is refused (429) is read again after the reset, and those after it one at a
// time. A token that is revoked in the middle ends the list.
func TestReadAheadRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		header http.Header
		read   int
		want   error
	}{
		"429":       {429, http.Header{"Retry-After": {"2"}}, 4000, nil},
		"429, long": {429, http.Header{"Retry-After": {"3600"}}, 600, ErrRateLimited},
		"401":       {401, nil, 600, ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var refused atomic.Bool
				var after sync.Map // page -> how many were in flight
				s := &shelf{pages: 40}
				s.hold = func(_ *http.Request, page int) (int, http.Header, error) {
					after.Store(page, s.flying.Load())
					time.Sleep(time.Second)
					if page == 7 && !refused.Swap(true) {
						return tt.status, tt.header, nil
					}
					return 0, nil, nil
				}
				got, err := Collect(s.companies(t.Context(), WithReadAhead(4000)))
				if len(got) != tt.read || !errors.Is(err, tt.want) {
					t.Errorf("got %d companies, %v, want %d, %v", len(got), err, tt.read, tt.want)
				}
				for page := 30; tt.want == nil && page <= s.pages; page++ {
					if n, _ := after.Load(page); n != int64(1) {
						t.Errorf("page %d: %v calls were in flight after the refusal, want 1", page, n)
					}
				}
			})
		})
	}
}

// The companies around a position are read by one call, without those that have no id.
func TestCompaniesNear(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/companies": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", `<?page=99>; rel="next"`)
		answers(200, `[{"id":1,"name":"A"},{"name":"none"},null,{"id":-2},{"id":"3"}]`)(w, r)
	}})
	c := NewUserClient(f.env(), f.Client())
	for position, page := range map[int]string{0: "1", 99: "1", 100: "2", 1999: "20"} {
		got, err := c.CompaniesNear(t.Context(), position)
		if d := cmp.Diff(got, []Company{{ID: 1, Name: "A"}, {ID: 3}}); d != "" || err != nil {
			t.Errorf("%v (-got +want):\n%s", err, d)
		}
		calls := f.all()
		if want := (url.Values{"page": {page}, "per_page": {"100"}}); !cmp.Equal(calls[len(calls)-1].URL.Query(), want) {
			t.Errorf("position %d: query %s, want %v", position, calls[len(calls)-1].URL.RawQuery, want)
		}
	}
	if n := len(f.all()); n != 4 {
		t.Errorf("got %d calls, want 4", n)
	}
}
