package console

import (
	"net/http"
	"net/url"

	"procore-connect/internal/operator"
)

// keysView is the rings with their keys, of which no key is shown.
type keysView struct {
	Rings   []ringView
	Counted bool // what needs each key was counted, for which two tables are read
	Old     bool // there is a key that may be retired one day
	Raise   button
	Command string
}

type ringView struct {
	Name   operator.RingName
	What   string
	Keys   []keyRow
	Rotate button
}

type keyRow struct {
	operator.RingKey

	Actions []button
}

// State is a word for what the key is.
func (k keyRow) State() string {
	switch {
	case k.Current:
		return "current"
	case k.New:
		return "new"
	}
	return "old"
}

// what is what a ring is for.
var what = map[operator.RingName]string{
	operator.SealRing:    "It seals the pairs of tokens, and names spent refresh tokens in the ledger.",
	operator.WebhookRing: "It makes the credentials by which deliveries are known to be Procore’s.",
	operator.LinkRing:    "It signs the links of a host application.",
}

// keys shows the keys: GET /keys?count=1.
func (c *Console) keys(r *http.Request) (page, error) {
	v := keysView{Counted: r.URL.Query().Get("count") != "", Command: c.Line([]string{"keys", "status"}), Raise: c.button("keys raise-epoch", "Retire one company’s webhook credential", nil, true)}
	read := c.Operator.RingKeys
	if v.Counted {
		read = c.Operator.Keys
	}
	all, err := read(r.Context())
	if err != nil {
		return page{}, err
	}
	for _, k := range all {
		if len(v.Rings) == 0 || v.Rings[len(v.Rings)-1].Name != k.Ring {
			ring := url.Values{"ring": {string(k.Ring)}}
			v.Rings = append(v.Rings, ringView{Name: k.Ring, What: what[k.Ring], Rotate: c.button("keys rotate", "Rotate "+string(k.Ring), ring, false)})
		}
		row := keyRow{RingKey: k}
		if !k.Current && !k.New {
			v.Old = true
		}
		if k.Retire {
			row.Actions = []button{c.button("keys retire", "Retire "+k.ID, url.Values{"ring": {string(k.Ring)}, "key": {k.ID}}, false)}
		}
		of := &v.Rings[len(v.Rings)-1]
		of.Keys = append(of.Keys, row)
	}
	return page{Template: "keys", Title: "Keys", Menu: "/keys", Main: v}, nil
}
