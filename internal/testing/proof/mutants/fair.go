package main

// fair breaks the order and the limits of housekeeping's checks.
func fair() []mutant {
	const checks, refresh, hooks, turns, verdict = "functions/refresher/handler/checks.go", "functions/refresher/handler/refresh.go", "functions/refresher/handler/webhooks.go", "pkg/connections/checks.go", "internal/webhook/provision/verdict.go"
	return []mutant{
		{"", "a rate limit ends the run", checks, `return r.inVain >= maxInVain ||`, `return len(r.limited) > 0 ||`, only("TestRateLimitSkipsItsOwner", refresher)},
		{"", "each company of a limited user is tried", hooks,
			`if until := r.limitedUntil(all); !until.IsZero() {`, `if until := r.limitedUntil(all); !until.IsZero() && false {`, only("TestRateLimitSkipsItsOwner", refresher)},
		{"", "a company waits for the limit of one of its users", hooks,
			`			return time.Time{}
		}
		if until.IsZero()`, `			continue
		}
		if until.IsZero()`, only("TestRateLimitOfOneUser", refresher)},
		{"", "a rate limit of one company is the service account's", "pkg/connections/connection.go",
			`return "company#" + k.holder()`, `return "company#"`, only("TestRateLimitOfTheServiceAccount", refresher)},
		{"", "what waits for a rate limit is overdue", hooks,
			`r.store.SetWebhooks(ctx, c, c.Webhooks, until)`, `r.store.SetWebhooks(ctx, c, c.Webhooks, c.CheckAt)`, only("TestRateLimitSkipsItsOwner", refresher)},
		{"", "a limit's end is guessed", verdict, `min(max(rl.Answer.RetryAfter, wait), 12*time.Hour)`, `min(max(rl.Answer.RetryAfter/100, wait), 12*time.Hour)`,
			only("TestRateLimitSkipsItsOwner", refresher)},
		{"", "routine checks go before a new customer", checks,
			`soon(), connections.First, connections.Routine)`, `soon(), connections.Routine, connections.First)`, only("TestNewCustomersAreFirst", refresher)},
		{"", "a new customer waits for the run's end", checks, `>= relistEvery {`, `>= 100*relistEvery {`, only("TestNewCustomersAreFirst", refresher)},
		{"", "a webhook that has been pending for days goes first", turns, ` && c.CheckAt.Before(c.ConnectedAt.Add(firstFor))`, ``, only("TestFirstTurn", "./pkg/connections")},
		{"", "two companies of a user are checked at once", checks, `	case r.busy[owner]:`, `	case r.busy[owner] && false:`, only("TestPassesAtOnce", refresher)},
		{"", "one company is checked after the other", checks, `cmp.Or(h.passes, defaultPasses)`, `cmp.Or(h.passes, 1)`, only("TestPassesAtOnce", refresher)},
		{"", "the runs of all shares do the whole", "functions/refresher/handler/share.go", `return shard%s.of == s.index`, `return true`, only("TestSharesOfGrants", refresher)},
		{"", "a run has ten refreshes in flight, whatever is set", refresh, `cmp.Or(h.window, defaultWindow)`, `cmp.Or(0, defaultWindow)`, only("TestWindow", refresher)},
		{"R7", "a run begins with all that may be in flight", refresh, `run{window: 1, most:`, `run{window: defaultWindow, most:`, only("TestWindow", refresher)},
		{"R7", "a success allows many more refreshes", refresh, `min(r.window+1, r.most)`, `r.most`, only("TestWindow", refresher)},
		{"", "a refresh waits for the slowest", refresh, `return r.inFlight < r.window`, `return r.inFlight < 1`, only("TestSlowestHoldsUpNoOther", refresher)},
		{"R7", "more refreshes are in flight than the brake allows", refresh, `r.window = min(r.window, maxRefused-r.refused)`, ``, only("TestRefusedInFlight", refresher)},
		{"R7", "a run goes on at an open breaker", refresh, `	case b.Open:
		r.stop(errors.New(b.Reason))
`, ``, only("TestOutageInFlight", refresher)},
		{"R7", "a run is as fast as before after a failure", refresh, `		r.window = min(r.window, 1) // each refresh is a trial
`, ``, only("TestOutageInFlight", refresher)},
		{"R7", "a run that stopped goes on", refresh, `		r.window, r.most = 0, 0
`, ``, only("TestOutageInFlight", refresher)},
		{"", "some shards have no turn", "functions/refresher/handler/share.go", `% int64(of)), of}`, `% 4), of}`, only("TestTurns", refresher)},
		{"", "each share lists the installations", "functions/refresher/handler/housekeeping.go", `if !s.first() {`, `if false {`, only("TestOneShareKeepsTheRest", refresher)},
		{"", "a company is checked for each of its connections", checks, `	case r.seen[key.CompanyID]:`, `	case r.seen[key.CompanyID] && false:`,
			only("TestOneLookForACompany", refresher)},
		{"", "a run goes on while Procore answers nothing", checks, `return r.inVain >= maxInVain ||`, `return`, only("TestPassesInVain", refresher)},
		{"", "each of a run's errors is in one", checks, `r.failed <= maxErrors {`, `true {`, only("TestPassesInVain", refresher)},
		{"", "a company that nobody uses costs a refresh a day", verdict, `period = UnusedRecheck`, `period = IdleRecheck`, only("TestIdleCompany", hooking)},
		{"R7", "an outage costs a grant of each company that is checked at once", checks,
			`for r.held < cap(r.passes)-1 {`, `for r.held < 0 {`, only("TestChecksStartSlowly|TestChecksDuringAnOutage", refresher)},
		{"", "a panic for one company ends all", checks, `p := recover(); p != nil {`, `p := any(nil); p != nil {`, only("TestPanicOfOneCompany", refresher)},
		{"", "the lag of new customers is not the lag", "functions/refresher/handler/housekeeping.go", `max(first, oldest)`, `oldest`, only("TestHeartbeats", refresher)},
	}
}
