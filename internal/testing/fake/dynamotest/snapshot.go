package dynamotest

import "slices"

// A Snapshot has what tables contained at a time.
type Snapshot map[string][]item

// Snapshot returns what the tables contain now.
func (s *Server) Snapshot(tables ...string) Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Snapshot{}
	for _, name := range tables {
		out[name] = slices.Collect(s.tables[name].primary().all())
	}
	return out
}

// Revert puts a snapshot's content in the place of what those tables contain, as if a backup had been restored under
// the table's name. A stream has no record of it, and the history of point-in-time recovery begins again.
func (s *Server) Revert(to Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, items := range to {
		t := s.tables[name]
		for i := range t.primary().all() {
			t.saveChange(i, nil)
		}
		for _, x := range t.indexes {
			x.clear()
		}
		for _, i := range items {
			t.index(nil, i)
			t.saveChange(nil, i)
		}
		if t.recovery != nil {
			t.recovery = &history{since: s.Now()}
		}
	}
	s.saved()
}
