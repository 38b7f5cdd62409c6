package system

import (
	"strconv"
	"strings"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procore"
)

// stored judges the way of deliveries to the queue: R4, R6, at least once and in order of
// arrival.
type stored struct {
	court
	events      map[string]*arrival // by resource and id
	quarantined map[string]int      // by company
	forged      map[string]bool     // events that no one may store, by resource and id
	forgeries   map[string]int      // their number, by the company of the credential
	count       int
	last        map[string]int    // of a resource, the number of the last event that was sent first
	reconciled  map[string]string // of a resource, the time in the id of its last reconciled event
	late        int               // deliveries of changes that were reconciled before
}

// arrival is an event in the inbox.
type arrival struct {
	number   int // of those that arrived
	at       string
	resource string
	sent     bool
	explain  string // why it is not sent
}

func newStored(c court) *stored {
	return &stored{court: c, events: map[string]*arrival{}, quarantined: map[string]int{}, forged: map[string]bool{}, forgeries: map[string]int{}, last: map[string]int{},
		reconciled: map[string]string{}}
}

// text returns an attribute that is a text, or a number as a text.
func text(i invariants.Item, name string) string {
	switch a := i[name]; {
	case a.S != nil:
		return *a.S
	case a.N != nil:
		return *a.N
	}
	return ""
}

// number returns an attribute that is a number, 0 if there is none.
func number(i invariants.Item, name string) int64 {
	n, _ := strconv.ParseInt(text(i, name), 10, 64)
	return n
}

// wrote learns of a write of the inbox.
func (s *stored) wrote(i invariants.Item) {
	resource, id, at := text(i, "resource"), text(i, "event_id"), text(i, "received_at_ms")
	company, rest, _ := strings.Cut(resource, "#")
	switch {
	case at == "", rest == "": // a counter or a heartbeat
		return
	case rest == "quarantine":
		s.quarantined[company]++
		return
	case company != text(i, "company_id"):
		s.problem("R6: an event of company %s is stored for %s", company, text(i, "company_id"))
	case s.forged[resource+" "+id]:
		s.problem("R6: a forged event of %s is stored", resource)
	}
	key := resource + " " + id
	if a := s.events[key]; a != nil {
		a.explain = text(i, "undeliverable")
		if a.at != at {
			s.problem("R4: event %s of %s was written again", id, resource)
		}
		return
	}
	s.count++
	s.events[key] = &arrival{number: s.count, at: at, resource: resource}
	switch made := id[:min(len(id), 10)]; { // the time in an id
	case strings.HasSuffix(id, "-reconciled"):
		s.reconciled[resource] = made
	case made <= s.reconciled[resource]:
		s.late++
	}
}

// forge learns of an event that is sent with another company's credential.
func (s *stored) forge(company string, e procore.Event) {
	s.forged[e.Key()+" "+e.ID] = true
	s.forgeries[company]++
}

// answered checks the answer to a delivery.
func (s *stored) answered(authorization string, body []byte, status int) {
	if status < 200 || status > 299 {
		return
	}
	parts := strings.Split(authorization, ".") // Bearer key.company.epoch.mac
	if len(parts) != 4 {
		s.problem("R6: a delivery without a credential is answered %d", status)
		return
	}
	e, err := procore.DecodeEvent(body)
	if err != nil || strconv.FormatInt(e.CompanyID, 10) != parts[1] {
		if s.quarantined[parts[1]] == 0 {
			s.problem("R4: a delivery that is no event is answered %d and not quarantined", status)
		}
		return
	}
	if s.events[e.Key()+" "+e.ID] == nil {
		s.problem("R4: a delivery for %s is answered %d and not stored", e.Key(), status)
	}
}

// sent checks that events of a resource are sent in the order of their arrival, for the
// first time each.
func (s *stored) sent(m simulation.Message) {
	e, err := procore.ParseEvent([]byte(m.Body))
	if err != nil {
		s.problem("a message has no event: %v", err)
		return
	}
	a := s.events[e.Key()+" "+e.ID]
	switch {
	case a == nil:
		s.problem("R4: event %s of %s is sent and not stored", e.ID, e.Key())
	case a.sent: // repeated
	case a.number < s.last[e.Key()]:
		s.problem("event %s of %s is sent after one that arrived later", e.ID, e.Key())
		a.sent = true
	default:
		a.sent, s.last[e.Key()] = true, a.number
	}
}

// settled checks that everything was sent, and that there is a reason for what is in
// quarantine.
func (s *stored) settled() {
	each(s.quarantined, func(company string, n int) {
		if n > s.forgeries[company] {
			s.problem("%d deliveries of company %s are in quarantine, of which %d were forged", n, company, s.forgeries[company])
		}
	})
	each(s.events, func(key string, a *arrival) {
		if !a.sent && a.explain == "" {
			s.problem("event %s was never sent", key)
		}
	})
}
