package simulation

import (
	"fmt"
	"slices"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// What people and administrators do, besides the fake's own methods, of which AddUser,
// AddCompany, Emit, UpdateCompany and Overwrite are for a scenario too. A mistake of the
// scenario panics.

// Authorize is a user who opens the app's authorization URL and clicks Authorize. It
// returns where the browser is redirected to.
func (p *FakeProcore) Authorize(user int64, authorizeURL string) string {
	return p.Server.Authorize(strict{}, user, authorizeURL)
}

// Deny is Authorize with a click on Deny.
func (p *FakeProcore) Deny(user int64, authorizeURL string) string {
	return p.Server.Deny(strict{}, user, authorizeURL)
}

// Issue returns the pair of an authorization whose code was exchanged already.
func (p *FakeProcore) Issue(user int64, redirectURI string) *Pair {
	return p.byToken[p.Token(strict{}, user, redirectURI).AccessToken]
}

// Member adds a user to a company, or removes the user. Its hooks report that.
func (p *FakeProcore) Member(company, user int64, member bool) {
	e := procoretest.Event{CompanyID: company, ResourceName: "Company Users", ResourceID: procore.NewID(user), EventType: "update", Inactive: !member}
	_, err := p.Emit(e)
	strict{}.must(err)
	members := slices.DeleteFunc(p.members(company), func(id int64) bool { return id == user })
	if member {
		members = append(members, user)
	}
	p.update(company, procoretest.CompanyPatch{Members: &members})
}

// members returns those of a company: the event of an unknown one may have changed them.
func (p *FakeProcore) members(company int64) []int64 { return p.Company(company).Members }

// UserInstalls sets whether the members of a company may install the app.
func (p *FakeProcore) UserInstalls(company int64, allowed bool) {
	p.update(company, procoretest.CompanyPatch{UserInstalls: &allowed})
}

// Install is an administrator who installs the app in App Management, or removes it.
func (p *FakeProcore) Install(company int64, installed bool) {
	p.update(company, procoretest.CompanyPatch{Installed: &installed, Connected: &installed, ServiceAccount: &installed})
}

// EnableHook makes a hook active, or disabled as after repeated failures, which discards
// what waits.
func (p *FakeProcore) EnableHook(hook int64, enabled bool) {
	disabled := !enabled
	strict{}.must(p.UpdateHook(hook, procoretest.HookPatch{Disabled: &disabled}))
}

func (p *FakeProcore) update(company int64, patch procoretest.CompanyPatch) {
	strict{}.must(p.UpdateCompany(company, patch))
}

// strict is a test that panics.
type strict struct{}

// Helper implements procoretest.TB.
func (strict) Helper() {}

// Cleanup implements procoretest.TB. A world needs none.
func (strict) Cleanup(func()) {}

// Fatalf implements procoretest.TB.
func (strict) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (s strict) must(err error) {
	if err != nil {
		s.Fatalf("%v", err)
	}
}
