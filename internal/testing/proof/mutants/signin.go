package main

// terminal breaks what the operator's command does at Procore for a person.
func terminal() []mutant {
	const call, login, pkg = "internal/operator/call.go", "internal/operator/login.go", "./cmd/procore-connect"
	return []mutant{
		{"", "call goes to a host that was typed", call, `u.Scheme != "" || u.Host != "" || `, ``, only("TestCall", pkg)},
		{"", "call shows a webhook's credential", call, `(?:authorization|`, `(?:`, only("TestCall", pkg)},
		{"", "an answer of Procore moves the operator's cursor", "cmd/procore-connect/call.go", `unicode.IsControl(r) && `, `false && `, only("TestCall", pkg)},
		{"", "a company outside ALLOWED_COMPANIES is connected at a terminal", login, `case !o.Allowed.Admits(companyID):`, `case false:`, only("TestLoginInVain", pkg)},
		{"", "a company is connected that Procore refuses", login, `o.chooser().Enter(ctx, key); err != nil {`, `o.chooser().Enter(ctx, key); err != nil && false {`, only("TestLoginInVain", pkg)},
		{"", "a refresh names another redirect URI than the authorization", login, `Pair: pair, RedirectURI: procore.OutOfBand`, `Pair: pair, RedirectURI: o.PublicURL`, only("TestLogin", pkg)},
		{"", "a grant that has ended is in no index", "pkg/tokens/item.go", `		return person, g.ReasonAt, true`, `		return "", time.Time{}, false`, only("TestMorning", pkg)},
		{"", "a paused connection is in no index", "pkg/connections/company.go", `c.Webhooks == WebhooksNeedsAdmin || !c.PausedUntil.IsZero())`, `c.Webhooks == WebhooksNeedsAdmin)`, only("TestMorning", pkg)},
		{"", "a company that is not connected differs from none", "internal/upkeep/installations/compare.go", `return i.State != connections.Connected`, `return false`, only("TestServiceAccount", pkg)},
	}
}
