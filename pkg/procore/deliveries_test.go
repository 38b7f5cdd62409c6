package procore

import (
	"net/http"
	"testing"
)

// A page is read by number or, after a delivery, by cursor. A server that does not
// report the end has not reached it.
func TestDeliveryPage(t *testing.T) {
	t.Parallel()
	const path = "/rest/v1.0/webhooks/hooks/8/deliveries"
	link := ""
	f := serve(t, map[string]http.HandlerFunc{"GET " + path: func(w http.ResponseWriter, r *http.Request) {
		if link != "" {
			w.Header().Set("Link", link)
		}
		answers(200, `[{"id":71,"outcome":"discarded","started_at":null,"completed_at":null,"event":{"id":1}},{"id":"01HZX"},{"id":null},{}]`)(w, r)
	}})
	c := f.company()
	for i, tt := range []struct {
		page  DeliveryPage
		link  string
		last  bool
		query string
	}{
		{DeliveryPage{}, "", false, "page=1&per_page=100"},
		{DeliveryPage{Number: 3}, `<` + f.URL + path + `?page=4>; rel="next"`, false, "page=3&per_page=100"},
		{DeliveryPage{Number: 4}, `<` + f.URL + path + `?page=1>; rel="first"`, true, "page=4&per_page=100"},
		{DeliveryPage{Number: 4, After: "71"}, "", false, "page_size=100&page_start=71"},
	} {
		link = tt.link
		got, last, err := c.DeliveryPage(t.Context(), 8, DiscardedDeliveries, tt.page)
		if err != nil || last != tt.last || len(got) != 4 {
			t.Errorf("%+v: got %d deliveries, last %t, %v", tt.page, len(got), last, err)
			continue
		}
		query := f.all()[i].URL.Query()
		query.Del("filter[status]")
		query.Del("filters[status]")
		if want := inTestCompany + "&" + tt.query; query.Encode() != want {
			t.Errorf("%+v: got query %s, want %s", tt.page, query.Encode(), want)
		}
		for i, want := range []string{"71", "01HZX", "", ""} {
			if cursor := got[i].Cursor(); cursor != want {
				t.Errorf("cursor %d is %q, want %q", i, cursor, want)
			}
		}
	}
}
