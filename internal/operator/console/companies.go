package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/internal/webhook/inbox"
)

// perPage is how many companies a page has. The connections, grants and activity of these are read by key.
const perPage = 50

// entry is a company in the list: its connection that serves it, or is the nearest to it.
type entry struct {
	operator.Connection
	Others int // further connections
	search string
	order  string
}

// entries returns the companies of connections that are in order, those that need a person first, and then by name.
func entries(all []operator.Connection) (list []entry) {
	for _, c := range all {
		text := strings.ToLower(strings.Join([]string{c.Company, strconv.FormatInt(c.CompanyID, 10), c.ConnectedBy, c.Principal, c.Reference}, "\n"))
		if last := len(list) - 1; last >= 0 && list[last].CompanyID == c.CompanyID {
			list[last].Others++
			list[last].NeedsPerson = list[last].NeedsPerson || c.NeedsPerson
			list[last].search += "\n" + text
			continue
		}
		list = append(list, entry{Connection: c, search: text, order: strings.ToLower(c.Company)})
	}
	slices.SortStableFunc(list, func(a, b entry) int {
		return cmp.Or(-compareBool(a.NeedsPerson, b.NeedsPerson), cmp.Compare(a.order, b.order), cmp.Compare(a.CompanyID, b.CompanyID))
	})
	return list
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// tab is a filter of the list by state.
type tab struct {
	Text, Value, Path string
	Count             int
	Chosen            bool
}

// needsPerson is the value of the filter for companies that need a person. Others are states.
const needsPerson = "needs-person"

// filters are the values of the filter. An uncertain grant is known by its row alone, and a connection that has ended is in
// no index, so that neither can be chosen.
func filters() []string {
	return []string{"", needsPerson, string(operator.Connected), string(operator.Paused), string(operator.Reauthorize), string(operator.Disconnected)}
}

func (e entry) is(filter string) bool {
	return filter == "" || filter == needsPerson && e.NeedsPerson || filter == string(e.State)
}

// companiesView is the list.
type companiesView struct {
	At      time.Time // when it was read; zero: it is being read
	Tabs    []tab
	Search  string
	State   string
	Found   int
	First   int // the number of the first row
	Rows    []row
	Before  string // the path of the page before; empty: this is the first one
	After   string
	Urgent  bool  // the rows are those that need a person, while the list is being read
	ID      int64 // the search is the id of a company that is not in the list
	Unread  error
	Breaker operator.Breaker
}

// row is a company with what is read of it by key.
type row struct {
	entry
	Activity inbox.Activity
}

// companies shows the list: GET /?q=&state=&page=.
func (c *Console) companies(r *http.Request) (page, error) {
	q := r.URL.Query()
	v := companiesView{Search: strings.TrimSpace(first(q.Get("q"), 200)), State: q.Get("state")}
	if !slices.Contains(filters(), v.State) {
		return page{}, errNotFound
	}
	list, at, unread := c.list.get(r.Context(), c.now())
	v.At = at
	search := strings.ToLower(v.Search)
	matches := slices.Collect(func(yield func(entry) bool) {
		for _, e := range list {
			if strings.Contains(e.search, search) && !yield(e) {
				return
			}
		}
	})
	v.Tabs = tabs(matches, v)
	chosen := slices.DeleteFunc(slices.Clone(matches), func(e entry) bool { return !e.is(v.State) })
	v.Found = len(chosen)
	number := min(max(atoi(q.Get("page")), 1), max(1, (v.Found+perPage-1)/perPage))
	v.First = (number-1)*perPage + 1
	if number > 1 {
		v.Before = v.path(v.State, number-1)
	}
	if number*perPage < v.Found {
		v.After = v.path(v.State, number+1)
	}
	if id, err := strconv.ParseInt(v.Search, 10, 64); err == nil && id > 0 && !slices.ContainsFunc(chosen, func(e entry) bool { return e.CompanyID == id }) {
		v.ID = id
	}
	shown, live := chosen[v.First-1:min(v.First-1+perPage, v.Found)], 5
	var rowsErr, breakerErr, firstErr error
	var all sync.WaitGroup
	all.Go(func() { v.Breaker, breakerErr = c.Operator.Breaker(r.Context()) })
	if at.IsZero() && unread == nil {
		live = 1
		if v.Urgent = v.Search == "" && (v.State == "" || v.State == needsPerson); v.Urgent {
			shown, firstErr = c.urgent(r)
		}
	}
	v.Rows, rowsErr = c.rows(r, shown)
	all.Wait()
	v.Unread = errors.Join(unread, rowsErr, breakerErr, firstErr)
	return page{Template: "companies", Title: "Companies", Menu: "/", Live: live, Main: v}, nil
}

// urgent returns the companies that need a person, which an index has. They are shown while the list is
// being read.
func (c *Console) urgent(r *http.Request) ([]entry, error) {
	found, err := c.Operator.List(r.Context(), operator.Filter{NeedsPerson: true})
	list := entries(found)
	return list[:min(len(list), perPage)], err
}

// rows reads the companies of a page by key.
func (c *Console) rows(r *http.Request, shown []entry) ([]row, error) {
	ids, rows := make([]int64, len(shown)), make([]row, len(shown))
	for i, e := range shown {
		ids[i], rows[i].entry = e.CompanyID, e
	}
	var activity map[int64]inbox.Activity
	var err error
	var beside sync.WaitGroup
	beside.Go(func() { activity, err = c.activity.get(r.Context(), c.Operator, ids, c.now()) })
	judged, unread := c.Operator.Judged(r.Context(), ids)
	exact := map[int64]entry{}
	for _, e := range entries(judged) {
		exact[e.CompanyID] = e
	}
	beside.Wait()
	for i, id := range ids {
		if e, ok := exact[id]; ok {
			rows[i].entry = e
		}
		rows[i].Activity = activity[id]
	}
	return rows, errors.Join(unread, err)
}

func tabs(matches []entry, v companiesView) (all []tab) {
	text := map[string]string{"": "All", needsPerson: "Needs a person", string(operator.Reauthorize): "Reauthorize"}
	for _, f := range filters() {
		t := tab{Text: cmp.Or(text[f], capital(f)), Value: f, Path: v.path(f, 1), Chosen: f == v.State}
		for _, e := range matches {
			if e.is(f) {
				t.Count++
			}
		}
		all = append(all, t)
	}
	return all
}

// path is the path of a page of the list.
func (v companiesView) path(state string, number int) string {
	q := url.Values{}
	if v.Search != "" {
		q.Set("q", v.Search)
	}
	if state != "" {
		q.Set("state", state)
	}
	if number > 1 {
		q.Set("page", strconv.Itoa(number))
	}
	return strings.TrimSuffix("/?"+q.Encode(), "?")
}

// Last is the number of the last row.
func (v companiesView) Last() int { return v.First - 1 + len(v.Rows) }

// first returns the beginning of a text, of at most n bytes.
func first(text string, n int) string { return strings.ToValidUTF8(text[:min(len(text), n)], "") }

// atoi reads a number; anything else is zero.
func atoi(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
