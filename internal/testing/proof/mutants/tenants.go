package main

// tenants breaks what a host application learns about the connections of its tenants.
func tenants() []mutant {
	const tenants, announcer = "internal/upkeep/announce/tenants.go", "./internal/upkeep/announce"
	return []mutant{
		{"", "a replaced reference has not ended", tenants, `was.reference() != "" && was.reference() != now.reference()`, `was.reference() != "" && now.reference() == ""`, only("TestTenants", announcer)},
		{"", "a host is told again of what it knows", tenants, `now.reference() == "" || !begins:`, `now.reference() == "" || !begins && false:`, only("TestTenants", announcer)},
		{"", "a host does not learn that its user is needed", tenants, `		s = needsUser
`, `		return nil
`, only("TestTenants", announcer)},
		{"", "a host does not learn that its user has authorized again", tenants, `now.State.S == string(tokens.Active) && was.State.S == dead`, `false`, only("TestTenants", announcer)},
		{"", "a connection that is disconnected is announced as connected by its grant", tenants, ` || c.State != connections.Connected {`, ` {`, only("TestTenants", announcer)},
		{"", "holders that cannot be read are never announced", tenants, `	case errors.Is(err, tokens.ErrTryAgain):
		return none, err
`, `	case errors.Is(err, tokens.ErrTryAgain):
`, only("TestHoldersAreRepeated", announcer)},
		{"", "a repeated announcement sends the operator's mail again", "internal/upkeep/announce/announce.go", `	if err := a.tell(ctx, r); err != nil {
		return err
	}
	message := announcement(r)
	if message == nil {
		return nil
	}
`, `	message := announcement(r)
	if message == nil {
		return a.tell(ctx, r)
	}
	defer func() { _ = a.tell(ctx, r) }()
`, only("TestHoldersAreRepeated", announcer)},
	}
}
