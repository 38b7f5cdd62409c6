package procoretest

import "slices"

// Overwrite does what Procore does to its monthly sandbox at the start of each month, when
// production overwrites it: no token, code or hook made since is left, and the app is
// installed nowhere. Users, companies and resources stay.
//
// https://procore.github.io/documentation/development-environments
func (s *Server) Overwrite() (err error) {
	defer s.mu.synced(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	for code := range s.codes {
		s.deleteCode(code)
	}
	for _, p := range s.pairs {
		if p.refreshState == Live || p.usable(s.now()) {
			s.revoke(p, ByOverwrite)
		}
	}
	for _, h := range slices.Clone(s.hooks) {
		s.deleteHook(h)
	}
	for _, id := range s.order {
		c := s.companies[id]
		c.Installed, c.ServiceAccount = false, false
		s.keepCompany(c)
	}
	return nil
}
