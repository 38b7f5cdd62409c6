package console

import (
	"net/http"
	"net/url"
	"strings"

	"procore-connect/internal/operator"
)

// deadView is the dead letters. It does not renew itself, because to read them hides them from a move for a moment.
type deadView struct {
	operator.Letters
	Rows    []deadRow
	Behind  int // events that wait behind those
	Lost    []lostRow
	Redrive button
	Command string
}

// deadRow is an event in the list.
type deadRow struct {
	operator.DeadEvent
	CompanyName string
}

// Path is the path of the event's page. The message has no key of the inbox, but what that is made of.
func (d deadRow) Path() string {
	return keyPath(d.CompanyID, d.Resource+"#"+d.ResourceID, d.EventID)
}

// lostRow is a position, and what to do because of it.
type lostRow struct {
	operator.Position
	First   string // the command that is typed before it is purged
	Actions []button
}

// Readable reports whether it names a time.
func (p lostRow) Readable() bool { return !p.From.IsZero() }

// dead shows the dead letters: GET /dead.
func (c *Console) dead(r *http.Request) (page, error) {
	l, err := c.Operator.Letters(r.Context())
	if err != nil {
		return page{}, err
	}
	v := deadView{Letters: l, Behind: l.EventsTotal - len(l.Events), Redrive: c.button("dead redrive", "Move the events back", nil, false), Command: c.Line([]string{"dead", "list"})}
	names, _ := c.list.names(r.Context(), c.now()) // without one a company is shown by its id
	for _, e := range l.Events {
		v.Rows = append(v.Rows, deadRow{e, names[e.CompanyID]})
	}
	for _, p := range l.Positions {
		row := lostRow{Position: p, First: c.Line(p.First())}
		if p.Of == operator.Dispatcher && row.Readable() {
			from, to := p.Replay()
			row.Actions = append(row.Actions, c.button("replay", "Replay that time", url.Values{"all-companies": {"1"}, "from": {from}, "to": {to}}, false))
		}
		row.Actions = append(row.Actions, c.button("dead purge", "Delete the position", url.Values{"id": {p.MessageID}}, false))
		v.Lost = append(v.Lost, row)
	}
	return page{Template: "dead", Title: "Dead letters", Menu: "/dead", Main: v}, nil
}

// Name is what changed.
func (d deadRow) Name() string { return strings.TrimSpace(d.Resource + " " + d.ResourceID) }
