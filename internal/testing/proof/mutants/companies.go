package main

// companies breaks the connections of companies: which of them make calls, by which grant, and until when.
func companies() []mutant {
	const connect, change, client = "pkg/connections/connect.go", "pkg/connections/change.go", "pkg/connections/client.go"
	const company, memory, hold = "pkg/connections/company.go", "pkg/connections/memory.go", "pkg/tokens/hold.go"
	const pkg = "./pkg/connections"
	return []mutant{
		{"R8", "a restored connection makes calls", client,
			`t.key.Principal == tokens.App || a.HeldBy(t.key.holder())`, `true`, only("TestRestoredConnections", pkg)},
		{"R8", "a restored connection serves its company", company,
			`if !g.HeldBy(c.holder()) {`, `if false {`, only("TestRestoredConnections", pkg)},
		{"R8", "a connection ends without its grant while a user authorizes", hold,
			`slices.Concat([]types.TransactWriteItem{gone}, also)`, `append([]types.TransactWriteItem{gone}[:0], also...)`, only("TestEndWithoutAGrant", pkg)},
		{"R8", "a call is repeated for a company that has ended", "pkg/tokens/transport.go",
			`	return t.admitted(ctx)`, `	return t.Store.token(ctx, t.Principal, demand{use: !t.Background})`, only("TestNoLongerAHolderAfterA401", pkg)},
		{"R8", "an older reading of a connection outlasts its end", memory,
			`	if m.writes != before {`, `	if false {`, only("TestMemoryIsNoOlderThanAWrite", pkg)},
		{"", "the end of the last connection leaves the grant", connect,
			`		err = s.Tokens.Revoke(ctx, c.Principal, reason)`, `		err = nil`, only("TestEnd", pkg)},
		{"", "ending a connection again revokes an authorization that was made since", connect,
			`g.UnheldAt.After(c.ReasonAt.Add(underWay))`, `g.UnheldAt.IsZero()`, only("TestEndTwice", pkg)},
		{"", "a transaction whose answer is lost is made twice", connect,
			`err == nil && c.write == next.write {`, `err == nil && false {`, only("TestLostAnswers", pkg)},
		{"", "a lost race of a connection is an error", connect,
			`!errors.Is(failed, tokens.ErrUsed) || !reasons.Failed(1)`, `true || reasons.Failed(1)`, only("TestLostRaces", pkg)},
		{"", "a late answer disconnects a connection that was made again", change,
			`same := c.State == Connected && c.ConnectedAt.Equal(seen.ConnectedAt)`, `same := c.State == Connected`, only("TestFiveAnswersDisconnectOnce", pkg)},
		{"", "an answer disconnects a connection that was made while the call was under way", change,
			`Before(now.Add(-underWay))`, `Before(now.Add(underWay))`, only("TestClientRecordsADisconnection", pkg)},
		{"", "a disconnected connection holds its grant for ever", change,
			`		c.CheckAt = c.ReasonAt.Add(disconnectedFor)
`, ``, only("TestDisconnectedFor30Days", pkg)},
		{"", "two calls under way pause a connection twice", change,
			` || now.Before(c.PausedUntil)`, ``, only("TestPauseOfTheConnectionBefore", pkg)},
		{"", "a company's work waits for a user whose grant is dead", company,
			`	if err := g.Err(); err != nil {
		return unserved(c.Key, err)
	}
`, ``, only("TestForCompany", pkg)},
		{"", "all users of a company are read for one call", company, `aws.Int32(batch)`, `nil`, only("TestForCompanyOf2000Users", pkg)},
	}
}
