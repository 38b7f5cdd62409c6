package procoretest

import (
	"encoding/json"
	"fmt"
	"time"
)

// counters are single values of the server.
type counters struct {
	LastID, Created int64
	Ahead           time.Duration // in nanoseconds
}

func (s *Server) keepCounters() {
	s.mu.mark("counters", func() any { return counters{s.lastID, s.created, s.ahead} })
}

func (l *loading) loadCounters(all []counters) error {
	for _, c := range all {
		l.lastID, l.created, l.ahead = c.LastID, c.Created, c.Ahead
	}
	return nil
}

// keepPatch adds a patch of the options to those that are kept, which change the options of
// the next server.
func (s *Server) keepPatch(p OptionsPatch) {
	b, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(b, &s.patched) // fields that the patch lacks stay
	}
	if err != nil {
		s.mu.fail(err)
	}
	s.mu.mark("options", func() any { return s.patched })
}

func (l *loading) loadOptions(all []OptionsPatch) error {
	for _, p := range all {
		l.patched = p
		if err := l.bend(p.apply(l.plain)); err != nil {
			return err
		}
	}
	return nil
}

// keepUser keeps a user in the order of users, who never change.
func (s *Server) keepUser(n int, u *User) {
	s.mu.mark(numbered("user", int64(n)), func() any { return u })
}

func (l *loading) loadUsers(all []*User) error {
	for _, u := range all {
		l.users = append(l.users, u)
		l.byUserID[u.ID] = u
	}
	return nil
}

func (s *Server) keepCompany(c *Company) {
	s.mu.mark(numbered("company", c.ID), func() any { return c })
}

func (l *loading) loadCompanies(all []*Company) error {
	for _, c := range all {
		l.companies[c.ID] = c
		for _, p := range c.Projects {
			l.projects[p.ID] = c.ID
		}
	}
	return nil
}

// keepOrder keeps the place of a company among all, which never changes.
func (s *Server) keepOrder(n int, company int64) {
	s.mu.mark(numbered("listed", int64(n)), func() any { return company })
}

func (l *loading) loadOrder(all []int64) error {
	l.order = all
	for _, id := range all {
		if l.companies[id] == nil {
			return fmt.Errorf("company %d is missing", id)
		}
	}
	return nil
}

type resourceRecord struct {
	Resource
	Order int64
}

func resourceKey(r *Resource) string { return numbered("resource", r.order) }

func (s *Server) keepResource(r *Resource) {
	s.mu.mark(resourceKey(r), func() any { return resourceRecord{*r, r.order} })
}

func (l *loading) loadResources(all []*resourceRecord) error {
	for _, k := range all {
		r := k.Resource
		r.order = k.Order
		l.shelve(&r)
	}
	return nil
}

type faultRecord struct {
	Fault
	Until time.Time
}

// keepFaults keeps all faults at once, because they are few.
func (s *Server) keepFaults() {
	s.mu.mark("faults", func() any {
		all := []faultRecord{}
		for _, f := range s.faults {
			all = append(all, faultRecord{*f, f.until})
		}
		return all
	})
}

func (l *loading) loadFaults(lists [][]faultRecord) error {
	for _, all := range lists {
		for _, k := range all {
			f := k.Fault
			f.until = k.Until
			l.faults = append(l.faults, &f)
		}
	}
	return nil
}

type answerRecord struct {
	Answer
	Raw []byte // the body as it was, with its blanks
}

// keepAnswers keeps all own answers at once, because they are few.
func (s *Server) keepAnswers() {
	s.mu.mark("answers", func() any {
		all := []answerRecord{}
		for _, a := range s.answers {
			k := answerRecord{a, a.Body}
			k.Body = nil
			all = append(all, k)
		}
		return all
	})
}

func (l *loading) loadAnswers(lists [][]answerRecord) error {
	for _, all := range lists {
		for _, k := range all {
			k.Body = k.Raw
			l.answers = append(l.answers, k.Answer)
		}
	}
	return nil
}
