package main

// calls breaks the API client: what it sends again, where, and how often.
func calls() []mutant {
	const client, pace, retry, transport = "pkg/procore/client.go", "pkg/procore/pace.go", "pkg/procore/retry.go", "pkg/tokens/transport.go"
	return []mutant{
		{"", "a call is sent into a window that is used up", pace,
			`w.limit-w.used <= n`, `w.limit-w.used < n`, apiPackage},
		{"", "a call waits although more calls are left than are in flight", pace,
			`	inFlight := p.inFlight
`, `	inFlight := p.inFlight + 1
`, only("TestLowRateNeverWaits", apiPackage)},
		{"", "a call waits for longer than its maxWait", pace,
			`at.Before(end) && end.Sub(at) > maxWait`, `false`, only("TestUsedUp", apiPackage)},
		{"", "a call does not wait for the first answer of a window", pace,
			`p.inFlight > 0 && !at.Before(p.reportedUntil)`, `false`, only("TestBurst", apiPackage)},
		{"", "a call overtakes those before it", pace,
			`	if p.queue[0] != w {`, `	if false {`, only("TestBurstInOrder", apiPackage)},
		{"", "a queued call is not woken when it would have to wait for too long", pace,
			`i == 0 || now.Before(next)`, `i == 0 || false && now.Before(next)`, only("TestQueuedCallFailsAtOnce", apiPackage)},
		{"", "Retry-After delays only the call that was refused", pace,
			`			p.blocked.end = end
`, ``, only("TestRefusalHoldsAll", apiPackage)},
		{"", "less is in flight although no call was refused", pace,
			`at.Before(p.crowdedUntil)`, `true`, only("TestLowRateNeverWaits", apiPackage)},
		{"", "a refusal does not change what is in flight", pace,
			`		inFlight *= 4`, `		inFlight *= 1`, only("TestInFlightAfterARefusal", apiPackage)},
		{"", "a call that is lost is not counted", pace,
			`	if resp != nil || sent {`, `	if resp != nil {`, only("TestUnsentCallsAreNotCounted", apiPackage)},
		{"", "windows that reset together are mistaken for each other", pace,
			`(w.limit != p.hour.limit || !w.sameAs(p.hour))`, `!w.sameAs(p.hour)`, only("TestWindowsThatResetTogether", apiPackage)},
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
		{"", "one odd field costs its item", "pkg/procore/lenient.go",
			`			l.note(name + "." + tag)
`, `			return false
`, only("TestOddFields", apiPackage)},
		{"", "one odd item costs its list", "pkg/procore/lenient.go",
			`			l.note(name + "[]")
			continue`, `			return false`, only("TestUnmarshalList", apiPackage)},
		{"", "a list that is shorter than announced ends without an error", "pkg/procore/pages.go",
			`!p.numbers || p.total <= p.read`, `true`, only("TestTotal", apiPackage)},
		{"", "a gateway's 401 is taken for Procore's", "pkg/procore/errors.go",
			`	if e.byGateway() {`, `	if false {`, only("TestGatewayRefuses", apiPackage)},
		{"", "a gateway's 401 costs a refresh", transport,
			`resp.StatusCode == http.StatusUnauthorized && !procore.FromGateway(resp)`, `resp.StatusCode == http.StatusUnauthorized`,
			only("TestGatewayIsNotProcore", storePackage)},
		{"", "a gateway's page is the answer to a GET", client,
			`fromGateway(b) || len(plainText(b)) == 0 && c.method == http.MethodGet`, `false`, only("TestGatewayAnswersOnce", apiPackage)},
		{"", "a write of another company is one's own", "pkg/procore/own_writes.go",
			`return ownWrite{companyID, v.ID`, `return ownWrite{0, v.ID`, only("TestOwnWrites", apiPackage)},
		{"D", "a connection's token goes wherever a redirect leads", transport,
			`	if !t.Store.Environment.HasAPI(req.URL) {`, `	if false {`, only("TestTransportKeepsItsToken", storePackage)},
		{"", "a canceled session can still be chosen with", "internal/connect/session/choice.go",
			`		return s.write(ctx, held, held.abandoned(Canceled))`, `		return nil`, only("TestCancel", selection)},
	}
}

// readAhead breaks how pages of a list are read at once.
func readAhead() []mutant {
	const ahead, pace = "pkg/procore/ahead.go", "pkg/procore/pace.go"
	return []mutant{
		{"", "pages are read ahead beyond what the loop needs", ahead,
			`min(p.pages(h), r.api.ahead/p.read+1)`, `p.pages(h)`, only("TestReadAheadIsBounded", apiPackage)},
		{"", "pages that are read ahead use up the rate limit", pace,
			`return int64(left / 2)`, `return int64(left)`, only("TestReadAheadWithinTheRateLimit", apiPackage)},
		{"", "pages are read at once after a refusal", pace,
			`	if now.Before(p.crowdedUntil) {
		return 0
	}
`, ``, only("TestReadAheadRefused", apiPackage)},
		{"", "a page that is linked elsewhere is one that was read ahead", ahead,
			`c.query.Encode() != r.call(n).query.Encode()`, `false`, only("TestReadAheadReadsTheSame", apiPackage)},
		{"", "pages are read without end while one is late", ahead,
			`r.next < n+maxAtOnce && `, ``, only("TestReadAheadWaitsForTheLoop", apiPackage)},
		{"", "calls of a list go on after its loop", "pkg/procore/pages.go",
			`		defer r.calls.Wait()
`, ``, only("TestReadAheadStopsWithTheLoop", apiPackage)},
		{"", "a background job reads pages at once", ahead,
			`r.api.ahead/p.read+1`, `max(r.api.ahead, 2000)/p.read+1`, only("TestReadAheadWithinTheRateLimit", apiPackage)},
	}
}
