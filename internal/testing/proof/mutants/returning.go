package main

// returning removes guards of the page to which a browser comes back, and of the end of the connection there.
func returning() []mutant {
	const page, ending, row, step = "functions/company-select/handler/connected.go", "functions/company-select/handler/disconnect.go", "internal/connect/session/choice.go", "pkg/connections/connect.go"
	return []mutant{
		{"D", "a disconnection needs no token", ending, `	case !ok:
		h.pages.Problem`, `	case !ok && err != nil:
		h.pages.Problem`, only("TestForgedDisconnection", selection)},
		{"D", "another site's form disconnects", "functions/company-select/handler/handler.go", `h.sameOrigin(inTime(h.disconnect))`, `inTime(h.disconnect)`, only("TestForgedDisconnection", selection)},
		{"D", "a link disconnects", ending, `r.PostForm.Get(pages.FieldFlow)`, `r.FormValue(pages.FieldFlow)`, only("TestForgedDisconnection", selection)},
		{"D", "the question disconnects", ending, `	token, err := h.sessions.CSRFToken(r.Context(), s, cookie)
`, `	token, err := h.sessions.CSRFToken(r.Context(), s, cookie)
	_ = h.end(r.Context(), c)
`, only("TestDisconnect", selection)},
		{"D", "a browser shows another one's connection", page, `	case c.Origin != s.Flow && !c.HasEnded():`, `	case c.Origin == "" && !c.HasEnded():`, only("TestReturnToAnotherConnection", selection)},
		{"D", "an old page ends a connection that was made again", step, `func(c Connection) bool { return c.made(seen) })`, `func(c Connection) bool { return true || c.made(seen) })`,
			only("TestDisconnectWhatWasMadeAgain", selection)},
		{"D", "an end is not bound to what was seen", "pkg/connections/connection.go", `c.ConnectedAt.Equal(seen.ConnectedAt) && c.Origin == seen.Origin`, `c.Key == seen.Key`,
			only("TestEndSeen", "./pkg/connections")},
		{"D", "a finished flow keeps its user's name", row, `next.Status, next.UserName, next.Refusal = Connected, "", Refusal{}`, `next.Status, next.Refusal = Connected, Refusal{}`, only("TestReturnHoldsNoPair", selection)},
		{"D", "a browser ends its connection for ever", "internal/connect/session/session.go", `ReturnLifetime = 14 * 24 * time.Hour`, `ReturnLifetime = 14000 * 24 * time.Hour`,
			only("TestReturn", selection)},
		{"D", "a disconnection ends another company of the user", ending, `	return end(ctx, seen, byUser)`, `	seen.CompanyID = max(seen.CompanyID, 4294967311)
	return end(ctx, seen, byUser)`, only("TestForgedDisconnection", selection)},
		{"", "a cookie costs a read without a bound", "internal/connect/session/cookie.go", `	names = names[max(len(names)-maxCookies, 0):]
`, ``, only("TestReturnIsBounded", selection)},
		{"", "the page loads itself again for ever", page, `h.sessions.Clock.Now().Before(c.ConnectedAt.Add(checkingFor)) && `, ``, only("TestPageChecks", selection)},
		{"", "the page cannot be stopped", page, ` && !r.URL.Query().Has(pages.FieldStill)`, ``, only("TestPageChecks", selection)},
		{"", "a slow inbox keeps the page away", page, `		return nil
	case at.IsZero():`, `		panic(err)
	case at.IsZero():`, only("TestLastEvent", selection)},
		{"", "an outage of Procore keeps a user connected", ending, `		err = within(ctx, endTimeout, seen, h.connections.EndSeen)
`, ``, only("TestDisconnectWithoutProcore", selection)},
		{"", "a user who disconnects leaves the hook", ending, `seen, h.hooks.EndSeen)`, `seen, h.connections.EndSeen)`, only("TestDisconnect", selection)},
		{"", "the second click looks for the hook", "internal/webhook/provision/end.go", `	if !connected(all, key.Principal) {`, `	if false {`, only("TestDisconnectTwiceAtOnce", selection)},
		{"", "a pass and a user work at one hook", ending, `!errors.Is(err, provision.ErrBusy) && `, `!(errors.Is(err, provision.ErrBusy) && seen.HasEnded()) && `, only("TestDisconnectDuringAPass", selection)},
	}
}
