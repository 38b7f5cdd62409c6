package pages

import (
	"net/http"
	"strconv"

	"procore-connect/pkg/procore"
)

// Ending is what Disconnect asks about.
type Ending struct {
	CompanyID   int64
	CompanyName string // empty shows the id alone
	UserName    string // who connected; empty leaves the line out

	Webhooks  WebhookStatus // off: the page doesn't mention webhooks
	Others    int           // the other users whose connections of the company work
	Installed bool          // so does the service account's

	Flow string
	CSRF procore.Secret
}

// disconnectView is the data of templates/disconnect.html.
type disconnectView struct {
	disconnectWords
	Company, CompanyID, User string
	EndsParts, StaysParts    [][]part
	Flow                     string
	CSRF                     procore.Secret
	Action, Back             string
}

// Disconnect asks whether to end a connection, and lists what ends and what stays. It changes nothing.
func (p *Pages) Disconnect(w http.ResponseWriter, r *http.Request, e Ending) {
	e.CompanyName, e.UserName = clean(e.CompanyName, maxName), clean(e.UserName, maxName)
	id := strconv.FormatInt(e.CompanyID, 10)
	t := p.words.disconnect(e)
	t.Lead = p.fill(t.Lead)
	v := disconnectView{disconnectWords: t, Company: e.CompanyName, CompanyID: id, User: e.UserName, Flow: e.Flow, CSRF: e.CSRF,
		EndsParts: p.points(t.Ends), StaysParts: p.points(t.Stays), Action: p.link(PathConnected), Back: p.flowLink(PathConnected, e.Flow)}
	if v.Company == "" {
		v.Company, v.CompanyID = p.words.CompanyIDLabel+" "+id, ""
	}
	p.show(w, r, http.StatusOK, "disconnect", t.Title, v)
}

// points fills sentences.
func (p *Pages) points(all []string) [][]part {
	out := make([][]part, len(all))
	for i, s := range all {
		out[i] = p.parts(s)
	}
	return out
}
