package main

// calls breaks the API client: what it sends again, where, and how often.
func calls() []mutant {
	const client, pace, retry, transport = "pkg/procore/client.go", "pkg/procore/pace.go", "pkg/procore/retry.go", "pkg/tokens/transport.go"
	return []mutant{
		{"", "a call is sent into a window that is used up", pace,
			`	if !h.usedUp || !now.Before(h.until) {`, `	if true {`, only("TestUsedUp", apiPackage)},
		{"", "slowing down lasts longer than the caller's deadline", pace,
			`	case s.end.Before(slower):
		return now
`, ``, apiPackage},
		{"", "a POST that was sent is repeated", retry,
			`	return harmless
}`, `	return true
}`, apiPackage},
		{"", "net/http repeats what a reset stream may have done", retry,
			`				if p.http2 && !p.answered {`, `				if false {`, apiPackage},
		{"", "any repeated DELETE that is answered 404 counts as done", client,
			`case done && c.method`, `case attempt > 1 && c.method`, apiPackage},
		{"", "the time has a monotonic reading, which stops in a frozen sandbox", "pkg/procore/seams.go",
			`return time.Now().Round(0)`, `return time.Now()`, apiPackage},
		{"D", "a connection's token goes wherever a redirect leads", transport,
			`	if !t.Environment.HasAPI(req.URL) {`, `	if false {`, only("TestTransportKeepsItsToken", storePackage)},
		{"", "an abandoned session's pair can still be chosen with", "internal/connect/session/row.go",
			`	next.Status = Abandoned
	next.Expires = s.Clock.Now().Add(-time.Second)`, `	next.Expires = s.Clock.Now().Add(-time.Second)`, only("TestCancel", selection)},
	}
}
