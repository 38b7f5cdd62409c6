package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/operator"
)

// since are the times of which events are listed, as the command takes them. The first one is the default.
var since = []choice{{"24h", "24 hours", 24 * time.Hour}, {"1h", "1 hour", time.Hour}, {"3d", "3 days", 72 * time.Hour}, {"14d", "14 days", 14 * 24 * time.Hour}}

type choice struct {
	Value, Text string
	length      time.Duration
}

// chosen returns the choice of a query, and whether there is such a one.
func chosen(all []choice, value string) (choice, bool) {
	if value == "" {
		return all[0], true
	}
	i := slices.IndexFunc(all, func(c choice) bool { return c.Value == value })
	return all[max(i, 0)], i >= 0
}

// eventsView is the list of events. It does not renew itself, because each reading is a search of the logs, which costs money.
type eventsView struct {
	about
	At       time.Time
	Since    string
	Sinces   []choice
	Type     string
	Outcome  string
	Outcomes []string
	Rows     []eventRow
	Filtered bool
	Latest   string // the path of the first page, on another one
	Older    string
	More     bool // there may be more, and no page has them
	Command  string
	Replay   url.Values
	Unread   error
}

// maxChoices is how many companies are offered whose names have what was typed.
const maxChoices = 20

// about is whose deliveries a list has.
type about struct {
	Company string // as it was typed
	ID      int64  // 0: all companies
	Name    string
	Unknown string  // what was typed is not the id or the name of one company
	Choices []entry // the first ones that what was typed is in the names of
	Many    int     // so many companies are not listed together
	Wait    bool    // the list of companies is being read
	all     []int64
	names   map[int64]string
}

// Asks reports whether a company has to be named before anything is listed.
func (a about) Asks() bool { return a.Unknown != "" || a.Many > 0 || a.Wait }

// about finds the company that was typed: by its id, or by what is in its name.
func (c *Console) about(r *http.Request) (about, error) {
	a := about{Company: strings.TrimSpace(first(r.FormValue("company"), 200)), names: map[int64]string{}}
	list, at, unread := c.list.get(r.Context(), c.now())
	var found []entry
	search := strings.ToLower(a.Company)
	for _, e := range list {
		a.names[e.CompanyID] = e.Company
		a.all = append(a.all, e.CompanyID)
		if search != "" && strings.Contains(e.order, search) {
			found = append(found, e)
		}
	}
	id, err := strconv.ParseInt(a.Company, 10, 64)
	switch {
	case err == nil && id > 0:
		a.ID = id
	case len(found) == 1:
		a.ID = found[0].CompanyID
	case a.Company != "":
		a.Unknown, a.Choices = a.Company, found[:min(len(found), maxChoices)]
	case at.IsZero() && unread == nil:
		a.Wait = true
	case len(a.all) > operator.MaxCompanies:
		a.Many = len(a.all)
	}
	if a.ID != 0 {
		a.Name, a.Company = a.names[a.ID], strconv.FormatInt(a.ID, 10)
	}
	return a, unread
}

// of are the companies that are listed.
func (a about) of() []int64 {
	if a.ID != 0 {
		return []int64{a.ID}
	}
	return a.all
}

// eventRow is an event in the list.
type eventRow struct {
	operator.Event
	Name string // of its company
}

// Path is the path of the event's page.
func (e eventRow) Path() string { return eventPath(e.Event) }

func eventPath(e operator.Event) string {
	resource, id := e.Key()
	if e.State == operator.EventQuarantined {
		return fmt.Sprintf("/quarantine/%d/%s", e.CompanyID, url.PathEscape(id))
	}
	return keyPath(e.CompanyID, resource, id)
}

func keyPath(company int64, resource, id string) string {
	return fmt.Sprintf("/events/%d/%s?%s", company, url.PathEscape(id), url.Values{"resource": {resource}}.Encode())
}

// events shows what arrived: GET /events?company=&since=&type=&outcome=&to=&skip=.
func (c *Console) events(r *http.Request) (page, error) {
	q := r.URL.Query()
	length, known := chosen(since, q.Get("since"))
	outcome := q.Get("outcome")
	if !known || outcome != "" && !slices.Contains(operator.EventOutcomes(), outcome) {
		return page{}, errNotFound
	}
	of, unread := c.about(r)
	v := eventsView{
		about: of, At: c.now(), Since: length.Value, Sinces: since, Type: strings.TrimSpace(first(q.Get("type"), 100)), Outcome: outcome,
		Outcomes: operator.EventOutcomes(), Unread: unread,
	}
	v.Filtered = v.Type != "" || v.Outcome != ""
	v.Command = c.Line(v.args())
	if v.Replay = (url.Values{"from": {length.Value}}); v.ID != 0 {
		v.Replay.Set("company", v.Company)
	}
	p := page{Template: "events", Title: "Events", Menu: "/events"}
	if v.Asks() {
		if v.Wait {
			p.Live = 1
		}
		p.Main = v
		return p, nil
	}
	c.listEvents(r, &v, length.length)
	p.Main = v
	return p, nil
}

// listEvents reads a page of the list.
func (c *Console) listEvents(r *http.Request, v *eventsView, length time.Duration) {
	q := r.URL.Query()
	to, _ := time.Parse(time.RFC3339Nano, q.Get("to")) // anything else is now
	skip := min(max(atoi(q.Get("skip")), 0), operator.MaxEvents-perPage)
	f := operator.EventFilter{CompanyID: v.ID, Among: v.of(), From: v.At.Add(-length), To: to, Type: v.Type, Outcome: v.Outcome, Limit: perPage + skip}
	if len(f.Among) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), searchWithin)
	defer cancel()
	found, err := c.Operator.EventPage(ctx, f)
	v.Unread = errors.Join(v.Unread, err)
	for _, e := range found.Events[min(skip, len(found.Events)):] {
		v.Rows = append(v.Rows, eventRow{e, v.names[e.CompanyID]})
	}
	if !to.IsZero() {
		v.Latest = v.path(time.Time{}, 0)
	}
	until := found.Until
	if n := len(found.Events); n == f.Limit {
		until = found.Events[n-1].ReceivedAt
	}
	switch again := arrivedAt(found.Events, until); {
	case !found.More:
	case until.IsZero() || until.Equal(to) && again == skip: // several companies, or no progress
		v.More = true
	default:
		v.Older = v.path(until, again)
	}
}

// arrivedAt counts the events that arrived at a time. A page that ends there is followed by one that begins behind them.
func arrivedAt(all []operator.Event, at time.Time) (n int) {
	for _, e := range all {
		if e.ReceivedAt.Equal(at) {
			n++
		}
	}
	return n
}

// path is the path of a page of the list.
func (v eventsView) path(to time.Time, skip int) string {
	q := url.Values{"since": {v.Since}}
	for name, value := range map[string]string{"company": v.Company, "type": v.Type, "outcome": v.Outcome} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if !to.IsZero() {
		q.Set("to", to.UTC().Format(time.RFC3339Nano))
	}
	if skip > 0 {
		q.Set("skip", strconv.Itoa(skip))
	}
	return "/events?" + q.Encode()
}

// args is what is typed for the same list.
func (v eventsView) args() []string {
	args := []string{"events", "list"}
	for _, one := range [][2]string{{"company", v.Company}, {"since", v.Since}, {"type", v.Type}, {"outcome", v.Outcome}} {
		if one[1] != "" {
			args = append(args, "--"+one[0]+"="+one[1])
		}
	}
	return args
}
