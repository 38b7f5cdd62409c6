package main

// companies breaks the connections of companies: which of them make calls, by which grant, and until when.
func companies() []mutant {
	const connect, change, client = "pkg/connections/connect.go", "pkg/connections/change.go", "pkg/connections/client.go"
	const company, memory, hold = "pkg/connections/company.go", "pkg/connections/memory.go", "pkg/tokens/hold.go"
	const reference, pkg = "pkg/connections/reference.go", "./pkg/connections"
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
			`errors.Is(err, tokens.ErrUsed) && reasons.Failed(1), `, `false && reasons.Failed(1), `, only("TestLostRaces", pkg)},
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
		{"D", "a connection that was made again has the reference of the one before", reference,
			`err == nil && !c.made(seen)`, `err == nil && !c.made(seen) && false`, only("TestReferenceOfWhatWasSeen", pkg)},
		{"D", "a reference is set after the connection has ended", reference,
			`	err := c.unusable(c.PausedUntil) // a pause is no reason`, `	var err error`, only("TestReferenceOfWhatWasSeen", pkg)},
		{"D", "a reference is set without what joins it", reference,
			`slices.Concat([]types.TransactWriteItem{write}, also)...`, `slices.Concat([]types.TransactWriteItem{write}, also[:0])...`, only("TestReferenceInATransaction", pkg)},
		{"D", "a company that is connected after its end belongs to the tenant before", connect,
			`	if c.State == Ended {
		c.Reference = ""
	}
`, ``, only("TestReferenceIsKept", pkg)},
		{"", "a reference loses a race for good", reference, `reasons.Failed(0), reasons.Conflicted():`, `reasons.Conflicted():`, only("TestReferenceOfWhatWasSeen", pkg)},
		{"", "a reference of any length is stored", reference, ` || n > maxReference`, ``, only("TestCheckReference", pkg)},
		{"", "all users of a company are read for one call", company, `aws.Int32(batch)`, `nil`, only("TestForCompanyOf2000Users", pkg)},
	}
}
