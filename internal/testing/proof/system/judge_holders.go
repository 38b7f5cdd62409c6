package system

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/operator"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/tokens"
)

// holdings judges that no company is called by a grant that does not name it among its holders: R8. A process remembers
// holders for some minutes. With a pair that came after the end it has read them since.
type holdings struct {
	court
	held  map[holding]bool
	ended map[holding]time.Time // zero: it was never held
}

// holding is a company that a grant names.
type holding struct{ grant, company string }

func newHoldings(c court) *holdings {
	return &holdings{court: c, held: map[holding]bool{}, ended: map[holding]time.Time{}}
}

// remembered is how long a call may go on that began when its process had read the holders some minutes before.
const remembered = 15 * time.Minute

// wrote learns of a grant's holders.
func (h *holdings) wrote(grant string, old, now []string) {
	for _, company := range old {
		if of := (holding{grant, company}); h.held[of] && !slices.Contains(now, company) {
			delete(h.held, of)
			h.ended[of] = h.now()
		}
	}
	for _, company := range now {
		h.held[holding{grant, company}] = true
	}
}

// restored learns that the table has these rows now, and no others.
func (h *holdings) restored(all []invariants.Item) {
	for of := range h.held {
		h.ended[of] = h.now()
	}
	clear(h.held)
	for _, i := range all {
		h.wrote(text(i, "grant"), nil, i["holders"].SS)
	}
}

// called checks a call for a company, by the access token of a pair. A company is chosen by a call before it is held, and
// its hook is deleted after.
func (h *holdings) called(r *simulation.Request, pair *simulation.Pair) {
	company := r.Header.Get("Procore-Company-Id")
	if company == "" || pair == nil || pair.User == 0 || strings.HasPrefix(r.Actor.Name, "company-select") || strings.Contains(r.Path, "/webhooks/") {
		return
	}
	if h.over(company, pair) {
		h.problem("R8: %s calls %s for company %s by the grant of user %d, which is not held for it", r.Actor.Name, r.Path, company, pair.User)
	}
}

// over reports whether a user's grant has not been held for a company for so long that no process may use its pair.
func (h *holdings) over(company string, pair *simulation.Pair) bool {
	of := holding{prefix + string(tokens.User(pair.User)), company}
	at, since := h.ended[of], h.now().Sub(h.ended[of])
	return !h.held[of] && (since > remembered || pair.Issued.After(at))
}

// served checks an access token that a program gets for a company of a user's.
func (h *holdings) served(company, user int64, pair *simulation.Pair) {
	switch {
	case pair == nil || pair.User != user:
		h.problem("R8: a program gets a token for company %d that is not of user %d", company, user)
	case h.over(strconv.FormatInt(company, 10), pair):
		h.problem("R8: a program gets a token for company %d by the grant of user %d, which is not held for it", company, user)
	}
}

// unheld returns the companies whose hold by a grant has ended.
func (h *holdings) unheld() map[holding]time.Time {
	all := map[holding]time.Time{}
	for of, at := range h.ended {
		if !h.held[of] {
			all[of] = at
		}
	}
	return all
}

// listed checks that a list asks for a person where the grant of a connection is not held for its company. before are
// those that were not when the list was asked for.
func (h *holdings) listed(before map[holding]time.Time, all []operator.Connection) {
	for _, c := range all {
		of := holding{prefix + c.Principal, strconv.FormatInt(c.CompanyID, 10)}
		if _, was := before[of]; was && !h.held[of] && c.State == operator.Connected && !c.NeedsPerson {
			h.problem("R8: the list says that company %s is connected, and %s is not held for it", of.company, of.grant)
		}
	}
}
