package procoretest

import (
	"math/rand/v2"
	"net/http"
	"time"

	"procore-connect/pkg/procore"
)

// Lost is an event that a hook should have reported and, by [Options], did not.
type Lost struct {
	HookID       int64      `json:"hook_id"`
	CompanyID    int64      `json:"company_id"`
	ProjectID    int64      `json:"project_id"`
	EventID      string     `json:"event_id"` // that it would have had
	ResourceName string     `json:"resource_name"`
	ResourceID   procore.ID `json:"resource_id"`
	EventType    string     `json:"event_type"`
	At           time.Time  `json:"at"`
}

// maxLost limits the record of lost events. The oldest are dropped first.
const maxLost = 100_000

// loses reports whether the next event of a company is lost. The caller holds mu.
func (s *Server) loses(company int64) bool {
	if s.opts.LoseDeliveries == 0 {
		return false
	}
	s.reports[company]++
	s.keepReport(company)
	chosen := rand.New(rand.NewPCG(s.opts.LoseSeed^uint64(company), s.reports[company])).Float64()
	return chosen < s.opts.LoseDeliveries
}

// lose records an event that is not delivered to the hook. The caller holds mu.
func (s *Server) lose(h *hook, q queued, e Event) {
	if len(s.lost) >= maxLost {
		for range maxLost / 10 {
			s.dropped++
			s.mu.forget(lostKey(s.dropped))
		}
		s.lost = append(s.lost[:0:0], s.lost[maxLost/10:]...)
	}
	s.lost = append(s.lost, Lost{HookID: h.id, CompanyID: e.CompanyID, ProjectID: e.ProjectID, EventID: q.eventID,
		ResourceName: e.ResourceName, ResourceID: e.ResourceID, EventType: e.EventType, At: q.at})
	s.keepLost()
	if s.opts.LoseAs == LoseSilently {
		return
	}
	q.id = s.newID()
	s.keepEvent(h, &q)
	d := s.attemptOf(h, &q, s.now())
	d.ID, d.CompletedAt, d.Outcome = s.newID(), d.StartedAt, OutcomeDiscarded
	if s.opts.LoseAs == LoseSucceeded {
		d.Outcome, d.ResponseStatus = OutcomeOK, http.StatusOK
	}
	s.remember(h, d)
}
