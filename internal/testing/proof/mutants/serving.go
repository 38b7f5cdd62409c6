package main

// serving breaks access-token, which serves tokens to programs in other languages.
func serving() []mutant {
	const serves = "./functions/access-token/handler"
	const handler, request = "functions/access-token/handler/handler.go", "functions/access-token/handler/request.go"
	return []mutant{
		{"D", "what a caller claims refreshes a token", handler, `if err := h.check(ctx, k); err != nil {`,
			`if _, err := h.store.Tokens.Upkeep().Refresh(ctx, k.Principal, 24*time.Hour); err != nil {`, only("TestFalseRejections", serves)},
		{"D", "an access token is served for a company that does not hold the grant", "pkg/connections/client.go",
			`if t.key.Principal == tokens.App || a.HeldBy(t.key.holder()) {`, `if true {`, only("TestAccess", "./pkg/connections")},
		{"D", "a request of any size is read", request, `if len(in) > maxRequest {`, `if len(in) > maxRequest<<20 {`, only("TestRequests", serves)},
		{"", "a field that is misspelt is not noticed", request, `			err = &requestError{fmt.Sprintf("there is`, `			_ = &requestError{fmt.Sprintf("there is`,
			only("TestRequests", serves)},
		{"", "a rejected token is served again", handler, `	if rejected {`, `	if rejected && k.CompanyID == 0 {`, only("TestRejectedToken", serves)},
		{"", "a caller keeps a token beyond its end", handler, `if now.Add(keep).Before(until) {`, `if true {`, only("TestIsValidForTwoMinutes", serves)},
		{"", "another connection of the company is not tried", handler, `if err == nil || !unusable(err) {`, `if true {`, only("TestNextConnection", serves)},
		{"", "a call without permission counts against the connection", handler, `errors.Is(err, procore.ErrForbidden), `, ``, only("TestForbidden", serves)},
	}
}
