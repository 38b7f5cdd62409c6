package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"procore-connect/internal/operator"
)

// maxHeld is how many deliveries in quarantine are read of all companies together that are listed. A body may have 128 KB.
const maxHeld = 1000

// heldSince are the times of which deliveries in quarantine are listed.
var heldSince = []choice{{"14d", "14 days", 14 * 24 * time.Hour}, {"3d", "3 days", 72 * time.Hour}, {"1d", "1 day", 24 * time.Hour}}

// quarantineView is the list of deliveries in quarantine.
type quarantineView struct {
	about
	At       time.Time
	Since    string
	Sinces   []choice
	Rows     []heldRow
	Found    int
	Cut      bool // there are at least so many
	First    int
	Before   string
	After    string
	Command  string
	Actions  []button
	Searched bool   // the companies are those that the log has
	Search   string // the path that finds the companies in the log; empty: they are known
	Unread   error
}

// heldRow is a delivery in the list.
type heldRow struct {
	operator.Quarantined
	Name string // of its company
}

// Path is the path of the delivery's page.
func (h heldRow) Path() string {
	return "/quarantine/" + strconv.FormatInt(h.CompanyID, 10) + "/" + h.Digest
}

// Bytes is the size as a number of bytes.
func (h heldRow) Bytes() int { return int(h.Size) }

// Last is the number of the last row.
func (v quarantineView) Last() int { return v.First - 1 + len(v.Rows) }

// quarantine shows the deliveries in quarantine: GET /quarantine?company=&since=&page=&search=.
func (c *Console) quarantine(r *http.Request) (page, error) {
	q := r.URL.Query()
	length, known := chosen(heldSince, q.Get("since"))
	if !known {
		return page{}, errNotFound
	}
	of, unread := c.about(r)
	v := quarantineView{about: of, At: c.now(), Since: length.Value, Sinces: heldSince, First: 1, Unread: unread}
	args := []string{"quarantine", "list"}
	if v.ID != 0 {
		args = append(args, "--company="+v.Company)
		v.Actions = []button{c.button("quarantine replay", "Replay those of this company", url.Values{"company": {v.Company}, "from": {v.Since}}, true)}
	}
	v.Command = c.Line(append(args, "--since="+v.Since))
	if v.Many > 0 {
		c.searchHeld(r, &v, length.length)
	}
	p := page{Template: "quarantine", Title: "Quarantine", Menu: "/quarantine"}
	switch {
	case v.Wait:
		p.Live = 1
	case !v.Asks():
		c.listHeld(r, &v, length.length)
	}
	p.Main = v
	return p, nil
}

// searchHeld searches the log for the companies whose deliveries are listed, of very many. That costs money, so that a
// person asks for it.
func (c *Console) searchHeld(r *http.Request, v *quarantineView, length time.Duration) {
	if r.URL.Query().Get("search") == "" {
		v.Search = "/quarantine?" + url.Values{"since": {v.Since}, "search": {"1"}}.Encode()
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), searchWithin)
	defer cancel()
	found, err := c.Operator.HeldCompanies(ctx, v.At.Add(-length))
	v.Unread = errors.Join(v.Unread, err)
	v.all, v.Many, v.Searched = found[:min(len(found), operator.MaxCompanies)], 0, true
}

// listHeld reads a page of the list.
func (c *Console) listHeld(r *http.Request, v *quarantineView, length time.Duration) {
	of := v.of()
	if len(of) == 0 {
		return
	}
	each := maxHeld / len(of)
	found, total, err := c.Operator.Quarantine(r.Context(), of, v.At.Add(-length), maxHeld, each)
	v.Unread, v.Found = errors.Join(v.Unread, err), total
	counts := map[int64]int{}
	for _, h := range found {
		counts[h.CompanyID]++
		v.Cut = v.Cut || counts[h.CompanyID] == each
	}
	number := min(max(atoi(r.URL.Query().Get("page")), 1), max(1, (len(found)+perPage-1)/perPage))
	v.First = (number-1)*perPage + 1
	for _, h := range found[v.First-1 : min(v.First-1+perPage, len(found))] {
		v.Rows = append(v.Rows, heldRow{h, v.names[h.CompanyID]})
	}
	if number > 1 {
		v.Before = v.path(number - 1)
	}
	if number*perPage < len(found) {
		v.After = v.path(number + 1)
	}
}

// path is the path of a page of the list.
func (v quarantineView) path(number int) string {
	q := url.Values{"since": {v.Since}, "page": {strconv.Itoa(number)}}
	if v.ID != 0 {
		q.Set("company", v.Company)
	}
	if v.Searched {
		q.Set("search", "1")
	}
	return "/quarantine?" + q.Encode()
}

// heldView is one delivery in quarantine.
type heldView struct {
	*operator.Quarantined
	Name    string // of its company
	Payload payload
	Stores  bool // a replay stores it
	Actions []button
	Unread  error
}

// held shows a delivery in quarantine: GET /quarantine/{company}/{digest}.
func (c *Console) held(r *http.Request) (page, error) {
	id := r.PathValue("company") + "/" + r.PathValue("digest")
	if operator.CheckQuarantineID(id) != nil {
		return page{}, errNotFound
	}
	q, err := c.Operator.Held(r.Context(), id)
	if q == nil {
		return page{}, err
	}
	names, _ := c.list.names(r.Context(), c.now()) // without one a company is shown by its id
	v := heldView{Quarantined: q, Name: names[q.CompanyID], Unread: err, Stores: q.Replayable()}
	v.Payload = c.payload(q.Body, q.Size, []string{"quarantine", "show", q.ID, "--body"})
	if v.Stores {
		v.Actions = []button{c.button("quarantine replay", "Replay this delivery", url.Values{"id": {q.ID}}, false)}
	}
	v.Actions = append(v.Actions, c.button("quarantine replay", "Replay those of this company",
		url.Values{"company": {strconv.FormatInt(q.CompanyID, 10)}, "from": {heldSince[0].Value}}, true))
	return page{Template: "held", Title: "Delivery " + q.ID, Menu: "/quarantine", Main: v}, nil
}
