package main

// links removes guards of a host application's links: who made them, how often they work, where they lead, and when the
// reference takes effect.
func links() []mutant {
	const (
		format, row, read, redeem = "pkg/link/link.go", "internal/connect/session/linked.go", "internal/connect/linked/linked.go", "functions/company-select/handler/redeem.go"

		pkg, sessions, callback = "./pkg/link", "./internal/connect/session", "./functions/oauth-callback/handler"
	)
	return []mutant{
		{"D", "a link is signed by any algorithm", format, `jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), `, ``, only("TestVerify", pkg)},
		{"D", "a link is valid for as long as it says", format, `at.After(now.Add(longest + skew))`, `false`, only("TestVerify", pkg)},
		{"D", "a link never expires", format, `jwt.WithExpirationRequired(), `, ``, only("TestVerify", pkg)},
		{"D", "a link redeems", "pkg/link/redeem.go", `!slices.Contains(audience, redemptionAudience)`, `slices.Contains(audience, "nothing")`, only("TestVerifyRedemption", pkg)},
		{"D", "a link works in every browser", row, `		unused.Absent("session")`, `		unused.Absent("nothing")`, only("TestLinkIsUsedOnce", sessions)},
		{"D", "a link works after a flow that it did not begin", row, `unused.Equal("flow", dynamo.Text(o.Before))`, `unused.Absent("nothing")`, only("TestLinkIsUsedOnce", sessions)},
		{"D", "another browser repeats a link", "functions/oauth-callback/handler/linked.go", `	case errors.Is(e, session.ErrUnknown):
		return st, err
`, `	case errors.Is(e, session.ErrUnknown):
`, only("TestUsedLink", callback)},
		{"D", "a browser is led anywhere", read, `return slices.Contains(l.Returns, address) }`, `return slices.Contains(l.Returns, address) || address != "" }`, only("TestRefusedLinks", callback)},
		{"D", "a link from another site begins at once", "functions/oauth-callback/handler/handler.go", `!again && r.Header.Get("Sec-Fetch-Site") == "cross-site"`, `!again && l.Name == "" && r.Header.Get("Sec-Fetch-Site") == "cross-site"`,
			only("TestLinkFromAnotherSite", callback)},
		{"D", "any code is redeemed", row, `!equal(found.code, hash(code)), `, ``, only("TestCode", sessions)},
		{"D", "a code never expires", row, `, s.Clock.Now().After(found.codeExpires):`, `:`, only("TestCode", sessions)},
		{"D", "a code is redeemed twice", row, `	return s.update(found, found.redeemed(), "code", "redeemed")`, `	return s.update(found, found.redeemed())`, only("TestRedeemedAtATime", selection)},
		{"D", "the code of one outcome is redeemed for another", row, `	s.code, s.codeExpires, s.Redeemed = "", time.Time{}, false
`, ``, only("TestCodeOfAnEarlierOutcome", sessions)},
		{"D", "anyone redeems", redeem, `	if errors.Is(err, link.ErrInvalid) || errors.Is(err, link.ErrExpired) {
		return`, `	if false {
		return`, only("TestRedemptionIsSigned", selection)},
		{"D", "a connection that was made again takes the reference", redeem, `err == nil && c.Origin != s.Flow {`, `err == nil && c.Origin == "" {`, only("TestRedeemedTooLate", selection)},
		{"", "a problem makes a user connect for no tenant", "functions/oauth-callback/handler/linked.go", `	if before, _ := h.before(r, flow); before.Link.Name != "" {`, `	if false {`, only("TestLinkIsKeptAfterAProblem", callback)},
		{"", "a host application does not learn that its user declined", "functions/oauth-callback/handler/handler.go", `s.Link.Name != "" && knownError`, `s.Link.Name == "" && knownError`, only("TestLinkIsDeclined", callback)},
		{"", "a form leads to no host application", "internal/connect/pages/headers.go", `append([]string{"'self'"}, origins(returns)...)`, `[]string{"'self'"}`, only("TestFormActionAdmitsTheHost", selection)},
	}
}
