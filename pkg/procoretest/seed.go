package procoretest

import (
	"fmt"

	"procore-connect/pkg/procore"
)

// Ids in the world that every server starts with. Joe belongs to three companies,
// one of which does not allow user installs. Ann belongs to one, whose id a float64
// cannot represent. Max belongs to no company, and ClosedBook has no members.
const (
	Joe int64 = 1234567
	Ann int64 = 2345678
	Max int64 = 3456789

	MyConstruction  int64 = 5678
	HarborHill      int64 = 4294967311 // above 2^32
	LockedGate      int64 = 91011      // user installs off
	NorthernPlanner int64 = 9007199254740993
	ClosedBook      int64 = 121314
)

// firstID is one less than the first id that is assigned at run time, above 2^32.
const firstID int64 = 8_589_934_592

func seedUsers() []*User {
	return []*User{
		{ID: Joe, Login: "joe@acme.example", Name: "Joe Builder"},
		{ID: Ann, Login: "ann@northern.example", Name: "Ann Planner"},
		{ID: Max, Login: "max@visitor.example", Name: "Max Visitor"},
	}
}

func seedCompanies() []Company {
	mine := NewCompany(MyConstruction, "My Construction Company", Joe)
	mine.Projects = []Project{{ID: 2001, Name: "Riverside School"}, {ID: 2002, Name: "Station Square, Lot 4"}}
	harbor := NewCompany(HarborHill, "Harbor & Hill Builders", Joe)
	harbor.Projects = []Project{{ID: 4294968001, Name: "Pier 9 Warehouse"}}
	locked := NewCompany(LockedGate, "Locked Gate Contractors", Joe)
	locked.UserInstalls = false
	locked.Projects = []Project{{ID: 3001, Name: "Gatehouse"}}
	northern := NewCompany(NorthernPlanner, "Northern Planning Ltd", Ann)
	northern.Projects = []Project{{ID: 9007199254741993, Name: "Fjord Bridge"}}
	closed := NewCompany(ClosedBook, "Closed Book Developments")
	closed.Projects = []Project{{ID: 5001, Name: "Unseen Tower"}}
	return []Company{mine, harbor, locked, northern, closed}
}

// seed fills a new server with the users, the companies, two RFIs per project, and
// the members of each company as its company users. The caller holds mu.
func (s *Server) seed() {
	for _, u := range seedUsers() {
		s.addUser(u)
	}
	now := s.now()
	add := func(r Resource) {
		r.Revision, r.CreatedAt, r.UpdatedAt = 1, now, now
		s.put(&r)
	}
	for _, c := range seedCompanies() {
		if err := s.addCompany(c); err != nil {
			panic(err) // a bug in this file
		}
		for _, p := range c.Projects {
			for i, title := range []string{"Which door schedule applies?", "Slab edge at grid line C"} {
				add(Resource{ID: procore.NewID(s.newID()), CompanyID: c.ID, ProjectID: p.ID, Name: "RFIs",
					Title: fmt.Sprintf("RFI %d: %s", i+1, title)})
			}
		}
		for _, m := range c.Members {
			add(Resource{ID: procore.NewID(m), CompanyID: c.ID, Name: "Company Users", Title: s.user(m).Name})
		}
	}
}
