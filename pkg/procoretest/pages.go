package procoretest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// paging is the default and the largest page size of an endpoint.
type paging struct{ size, most int }

// Page sizes of REST v1 and v2.
//
// https://developers.procore.com/documentation/pagination
func v1() paging { return paging{100, 2000} }
func v2() paging { return paging{10, 100} }

// page returns the requested page of a list, and sets the headers that link to the
// other pages. It reports whether the request is valid, and answers 400 if not.
func page[T any](c *call, p paging, all []T) ([]T, bool) {
	q := c.r.URL.Query()
	number, size := 1, p.size
	for _, p := range []struct {
		name string
		to   *int
	}{{"page", &number}, {"per_page", &size}} {
		text := q.Get(p.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1_000_000 {
			return nil, c.fail(http.StatusBadRequest, fmt.Sprintf("%s must be a number, 1 or more.", p.name))
		}
		*p.to = n
	}
	size = min(size, p.most, or(c.opts.MaxPerPage, p.most))
	last := max((len(all)+size-1)/size, 1)
	c.w.Header().Set("Total", strconv.Itoa(len(all)))
	c.w.Header().Set("Per-Page", strconv.Itoa(size))
	var links []string
	link := func(n int, rel string, there bool) {
		if there {
			q.Set("page", strconv.Itoa(n))
			q.Set("per_page", strconv.Itoa(size))
			links = append(links, fmt.Sprintf("<http://%s%s?%s>; rel=%q", c.r.Host, c.r.URL.EscapedPath(), q.Encode(), rel))
		}
	}
	link(1, "first", number > 1)
	link(number-1, "prev", number > 1)
	link(last, "last", number < last)
	link(number+1, "next", number < last)
	if len(links) > 0 {
		c.w.Header().Set("Link", strings.Join(links, ", "))
	}
	from := min((number-1)*size, len(all))
	return all[from:min(from+size, len(all))], true
}
