package procoretest

import "procore-connect/pkg/procore"

// Client returns an API client for a company, with a token of the company's first member.
// It does not refresh it.
func (s *Server) Client(t TB, companyID int64, opts ...procore.Option) *procore.CompanyClient {
	t.Helper()
	var members []int64
	s.mu.Lock()
	if company := s.companies[companyID]; company != nil {
		members = company.Members
	}
	s.mu.Unlock()
	if len(members) == 0 {
		t.Fatalf("procoretest: company %d does not exist, or has no members", companyID)
		return nil
	}
	env, err := procore.ParseEnvironment("custom", s.URL, s.URL)
	if err != nil {
		t.Fatalf("procoretest: %v", err)
		return nil
	}
	token := s.Token(t, members[0], "http://127.0.0.1/callback")
	return procore.NewCompanyClient(env, env.Bearer(procore.NewSecret(token.AccessToken), nil), companyID, opts...)
}

// Change is [Server.Emit] for a test of what handles events: it returns the event in the
// form in which a consumer receives it, whether or not a hook reports it.
func (s *Server) Change(t TB, e Event) procore.Event {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	made, err := s.emit(e)
	if err != nil {
		t.Fatalf("procoretest: %v", err)
		return procore.Event{}
	}
	now := s.now()
	id := newULID(now, s.opts.Random)
	if len(made.EventIDs) > 0 {
		id = made.EventIDs[0]
	}
	out := procore.Event{
		Version: procore.EventVersion, ID: id, ULID: id, CompanyID: e.CompanyID, ProjectID: e.ProjectID, UserID: e.UserID,
		Resource: procore.CanonicalResource(e.ResourceName), ResourceID: made.ResourceID, Type: e.EventType,
		Timestamp: or(e.At, now), PayloadVersion: "v3.0", SourceApplicationID: e.SourceApplicationID, Data: e.Data,
	}
	for _, r := range e.Related {
		out.Related = append(out.Related, procore.RelatedResource{ID: procore.NewID(r.ID), Name: r.Name})
	}
	return out
}
