package main

// races breaks what a grant survives when two processes, or Procore and a process, do something at once.
func races() []mutant {
	const authorize, rescue, claim, token = "pkg/tokens/authorize.go", "pkg/tokens/rescue.go", "pkg/tokens/claim.go", "pkg/tokens/token.go"
	return []mutant{
		{"", "a later pair is kept although it is dead", authorize,
			`	return s.accepts(ctx, n.Principal, current.AccessToken)`, `	return !current.AccessToken.IsZero(), nil`, only("TestLaterPairIsDead", storePackage)},
		{"", "a pair that is kept may be in the ledger", authorize,
			`	g, again, err = s.join(ctx, old, next, slices.Concat(also, n.ledger.absent()))`,
			`	absent := n.ledger.absent()
	if keeps {
		absent = nil
	}
	g, again, err = s.join(ctx, old, next, slices.Concat(also, absent))`, only("TestRestoredPairIsIssuedAgain", storePackage)},
		{"", "a stale pair leaves the ledger before it is discarded", "pkg/tokens/ledger.go",
			`new(dynamo.Expression).Set(l.entry(attempt, now))`, `new(dynamo.Expression).SetAbsent(l.entry(attempt, now))`, only("TestStalePairIsReleased", storePackage)},
		{"R8", "a release heals a grant whose token another attempt entered", claim,
			`s.swap(ctx, g, g.unclaimed())`, `s.swap(ctx, g, g.released(s.Clock.Now()))`, only("TestReleaseLeavesADoubt", storePackage)},
		{"R8", "a late pair is revoked outside the ledger", rescue,
			`l.enter(revocation+s.Random.Text(), s.Clock.Now())`, `l.enter(revocation, s.Clock.Now())[:0]`, only("TestLatePairIsIssuedAgain", storePackage)},
		{"R8", "a late pair is revoked although an authorization has it", rescue,
			`err != nil || !g.withdrawn() {`, `err != nil {`, only("TestLatePairIsIssuedAgain", storePackage)},
		{"R8", "a late pair outlives a revocation that was cut short", rescue,
			`g.State == Revoked || g.revokes()`, `g.State == Revoked || g.claimed() && g.revokes()`, only("TestLatePairAfterHalfARevocation", storePackage)},
		{"", "a rejected token ends a grant whose refresh is in flight", token,
			`!(rejected && g.Reason == noAnswer)`, `!rejected`, only("TestRejectedWhileARefreshIsInFlight", storePackage)},
		{"", "a revocation misses an authorization of the same second", "pkg/tokens/grant.go",
			`g.UnheldAt = last.Add(time.Second)`, `g.UnheldAt = last`, only("TestAuthorizeWithinASecond", storePackage)},
		{"", "background work hides the use of a grant", token,
			`(!d.use || recorded(p, k.access.LastUsed, now))`, `(!d.use || now.After(k.readAt.AddDate(-1, 0, 0)))`, only("TestUseFromMemory", storePackage)},
	}
}
