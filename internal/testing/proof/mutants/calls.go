package main

// calls are breakages of the API client: of what is sent again, to whom, and how often.
func calls() []mutant {
	const client, pace, retry, transport = "pkg/procore/client.go", "pkg/procore/pace.go", "pkg/procore/retry.go", "pkg/tokens/transport.go"
	return []mutant{
		{"", "a call is sent into a window that is used up", pace,
			`	if !h.usedUp || !now.Before(h.until) {`, `	if true {`, only("TestUsedUp", apiPackage)},
		{"", "slowing down goes on past the caller's end", pace,
			`	case s.end.Before(slower):
		return now
`, ``, apiPackage},
		{"", "a POST that was sent is repeated", retry,
			`	return harmless
}`, `	return true
}`, apiPackage},
		{"", "net/http repeats what a reset stream may have done", retry,
			`				if p.http2 && !p.answered {`, `				if false {`, apiPackage},
		{"", "a 404 is the success of any repeated DELETE", client,
			`case done && c.method`, `case attempt > 1 && c.method`, apiPackage},
		{"D", "a connection's token goes wherever a redirect leads", transport,
			`	if !t.Environment.HasAPI(req.URL) {`, `	if false {`, only("TestTransportKeepsItsToken", storePackage)},
		{"", "an abandoned session's pair is given to its user's choice", "internal/connect/session/row.go",
			`	next.Status = Abandoned
	next.Expires = s.now().Add(-time.Second)`, `	next.Expires = s.now().Add(-time.Second)`, only("TestCancel", selection)},
	}
}
