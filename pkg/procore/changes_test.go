package procore

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func resource(t *testing.T, name string) Resource {
	t.Helper()
	r, ok := ResourceOf(name)
	if !ok {
		t.Fatalf("no resource %s", name)
	}
	return r
}

// An odd part of an item costs nothing else, and times are as exact as they are written.
func TestChanges(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	const body = `[{"id":9007199254740993,"created_at":"2026-01-31T12:00:01Z","updated_at":"2026-01-31T12:00:02Z","title":"x"},
		{"id":"01JMYXMZRBVKK0PC6XS8SA4QRE","updated_at":"2026-01-31T12:00:02.123456Z","created_at":null},
		{"id":3},{"id":4,"updated_at":"yesterday"},{"updated_at":"2026-01-31T12:00:02Z"},7,null]`
	want := []Changed{
		{"9007199254740993", from.Add(2 * time.Second), from.Add(time.Second), true},
		{"01JMYXMZRBVKK0PC6XS8SA4QRE", from.Add(2*time.Second + 123456*time.Microsecond), time.Time{}, false},
		{ID: "3", Whole: true}, {ID: "4", Whole: true}, {UpdatedAt: from.Add(2 * time.Second), Whole: true},
	}
	for _, tt := range []struct{ resource, route, query, body string }{
		{"RFIs", "/rest/v1.0/projects/7/rfis", "filters%5Bupdated_at%5D=2026-01-31T12%3A00%3A00Z...2026-01-31T13%3A00%3A00Z&page=1&per_page=100", body},
		{"Company Vendors", "/rest/v1.0/vendors", inTestCompany + "&filters%5Bupdated_at%5D=2026-01-31T12%3A00%3A00Z...2026-01-31T13%3A00%3A00Z&page=1&per_page=100", body},
		{"Prime Contracts", "/rest/v2.0/companies/9007199254740993/projects/7/prime_contracts",
			"filters%5Bupdated_at%5D=2026-01-31T12%3A00%3A00Z...2026-01-31T13%3A00%3A00Z&page=1&per_page=100", `{"data":` + body + `}`},
	} {
		f := serve(t, map[string]http.HandlerFunc{"GET " + tt.route: answers(200, tt.body)})
		got, more, err := Changes(t.Context(), f.company(), resource(t, tt.resource), ChangeQuery{ProjectID: 7, From: from, To: from.Add(time.Hour)})
		if diff := cmp.Diff(want, got); diff != "" || more || err != nil {
			t.Errorf("%s: %v, %v (-want +got):\n%s", tt.resource, more, err, diff)
		}
		if q := f.all()[0].URL.RawQuery; q != tt.query {
			t.Errorf("%s: got query %s, want %s", tt.resource, q, tt.query)
		}
	}
}

func TestChangesRefuses(t *testing.T) {
	t.Parallel()
	f := serve(t, nil)
	for _, name := range []string{"RFI Replies", "Task Items", "Company Files", "Purchase Order Contract Line Items", "RFIs"} { // RFIs without a project
		if _, _, err := Changes(t.Context(), f.company(), resource(t, name), ChangeQuery{}); !errors.Is(err, ErrNoChanges) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if n := len(f.all()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestChangedItem(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{
		"GET /rest/v1.0/projects/7/rfis/42": answers(200, `{"id":42,"updated_at":"2026-01-31T12:00:02.5Z"}`),
		"GET /rest/v1.0/projects/7/rfis/43": answers(404, `{}`),
	})
	got, err := ChangedItem(t.Context(), f.company(), resource(t, "RFIs"), 7, "42")
	want := Changed{ID: "42", UpdatedAt: time.Date(2026, 1, 31, 12, 0, 2, 5e8, time.UTC)}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := ChangedItem(t.Context(), f.company(), resource(t, "RFIs"), 7, "43"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an item that is gone: %v", err)
	}
}

// Another page follows where Procore announces it, and may follow where it announces
// nothing.
func TestFollows(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		link, total, perPage string
		n, number            int
		want                 bool
	}{
		{"", "", "", 99, 1, false},
		{"", "", "", 100, 1, true},
		{"", "", "", 101, 1, false}, // the endpoint has no pages
		{"", "", "50", 50, 1, true}, // and serves fewer than asked for
		{"", "100", "", 100, 1, false},
		{"", "101", "", 100, 1, true},
		{"", "101", "", 1, 2, false},
		{"", "0", "", 100, 1, true}, // a total of nothing announces nothing
		{`<http://x/?page=2>; rel="next"`, "", "", 1, 1, true},
		{`<http://x/?page=1>; rel="first"`, "", "", 100, 2, false},
	} {
		h := http.Header{}
		for name, value := range map[string]string{"Link": tt.link, "Total": tt.total, "Per-Page": tt.perPage} {
			if value != "" {
				h.Set(name, value)
			}
		}
		if got := follows(h, tt.n, tt.number, 100); got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}

func TestProjectPage(t *testing.T) {
	t.Parallel()
	f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.1/projects": answers(200, `[{"id":7,"name":"Tower"},{"id":"8"},9]`)})
	got, more, err := f.company().ProjectPage(t.Context(), 2)
	if diff := cmp.Diff([]Project{{ID: 7, Name: "Tower"}, {ID: 8}}, got); diff != "" || more || err != nil {
		t.Errorf("%v, %v (-want +got):\n%s", more, err, diff)
	}
	if q := f.all()[0].URL.RawQuery; q != inTestCompany+"&page=2&per_page=1000" {
		t.Errorf("got query %s", q)
	}
}

// Each answer's header is noted, also that of a failed call, and only a limit that is not
// the short window's is the hourly one.
func TestWithAnswers(t *testing.T) {
	t.Parallel()
	date := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	header := func(reset string, status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Date", date.Format(http.TimeFormat))
			h.Set("X-Rate-Limit-Limit", "3600")
			h.Set("X-Rate-Limit-Remaining", "3000")
			h.Set("X-Rate-Limit-Reset", reset)
			w.WriteHeader(status)
			_, _ = w.Write([]byte("{}"))
		}
	}
	for reset, want := range map[string]int{"1769862600": 3600, "1769860805": 0, "": 0} { // ten minutes, five seconds
		for _, status := range []int{200, 404} {
			f := serve(t, map[string]http.HandlerFunc{"GET /rest/v1.0/me": header(reset, status)})
			var got []Answer
			c := NewCompanyClient(f.env(), f.Client(), testCompany, WithAttempts(1), WithAnswers(func(a Answer) { got = append(got, a) }),
				WithClock(Clock{Time: func() time.Time { return date.Add(5 * time.Hour) }}))
			_, _ = c.Me(t.Context())
			if diff := cmp.Diff([]Answer{{date, want}}, got); diff != "" {
				t.Errorf("%d, reset %s (-want +got):\n%s", status, reset, diff)
			}
		}
	}
}
