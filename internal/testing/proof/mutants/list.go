package main

import "slices"

// The packages whose tests must fail.
const (
	storePackage    = "./pkg/tokens"
	apiPackage      = "./pkg/procore"
	receiverPackage = "./functions/webhook-receiver/handler"
	rowPackage      = "./internal/platform/dynamo"
)

// list returns all breakages.
func list() []mutant {
	return slices.Concat(once(), keep(), reach(), fence(), browser(), handing(), choice(), answers(), secrets(), calls(), readAhead(), deliver(), dispatching(), tenants(), hooks(), reconciling(), departures(), returning(), links(), restoring(), companies(), installations(), races(), fair(), crash(), copies(), operator(), serving(), examining(), terminal(), replaying(), sandbox(), console())
}

// once breaks R1: a refresh token is sent at most once.
func once() []mutant {
	return []mutant{
		{"R1", "the ledger accepts a token twice", "pkg/tokens/ledger.go",
			`Absent("fingerprint").Put(`, `Absent("nothing").Put(`, only("TestLedgerSurvivesKeyRotation", storePackage)},
		{"R1", "a pair older than the ledger is sent", "pkg/tokens/decide.go",
			`case v.now.After(g.RefreshedAt.Add(maxPairAge)):`, `case false:`, only("TestRestoredRowOlderThanTheLedger", storePackage)},
		{"R1", "a pair is sent to another environment", "pkg/tokens/token.go",
			`if oauth.Environment.Name != s.Environment.Name {`, `if false {`, only("TestOtherEnvironment", storePackage)},
		{"R1", "a pair is sent by another client", "pkg/tokens/token.go",
			`	case g.client != client:
		return procore.Token{}, nil, later(g.Principal, "check the client id", errOtherClient)
`, ``, only("TestCredentialsOfAnotherApp", storePackage)}, // other tests wait for an end that does not come
		{"R1", "the ledger knows a token by the current key only", "pkg/keys/ring.go",
			`for _, id := range r.IDs() {`, `for _, id := range []string{r.current} {`, only("TestLedgerSurvivesKeyRotation", storePackage)},
		{"R1", "writes are not conditional on what was read", "internal/platform/dynamo/rows.go",
			`Equal("rev", NonZero(*oldRev)).Equal("write", Text(*oldWrite))`, `Absent("never"+*oldWrite)`, only("TestRestoreDuringAWrite", storePackage)}, // other tests write for ever
		{"R1", "a lost race counts as won", "internal/platform/dynamo/rows.go", `*name == *write {`, `*name != "" || *write == "" {`, rowPackage},
		{"R1", "an unconfirmed claim spends", "pkg/tokens/claim.go",
			`			return g, claimLost, cause`, `			return wanted, claimTaken, nil`, only("TestUnconfirmedClaimDoesNotSpend", storePackage)},
		{"R1", "a claim counts as confirmed though another attempt holds it", "pkg/tokens/claim.go",
			`g.attempt == wanted.attempt && g.Generation`, `g.Generation`, only("TestAnothersClaimDoesNotConfirm", storePackage)},
		{"R1", "an unknown outcome counts as not sent", "pkg/tokens/refresh.go",
			`if e.Outcome == procore.NotSent || r.principal == App {`, `if e.Outcome != procore.Refused {`, only("TestOutcomes", storePackage)},
		{"R1", "an uncertain token is sent again", "pkg/tokens/decide.go",
			`	case g.State == Uncertain:
		return endDoubt, nil
`, ``, only("TestUncertainLastsItsTime", storePackage)},
		{"R1", "a request that failed while writing counts as not sent", "pkg/procore/line.go",
			`		return answer{}, l.fence.passed(), withContext(ctx, err)`, `		return answer{}, false, withContext(ctx, err)`, only("TestSpendWriteFails", apiPackage)},
		{"R1", "the clock is not checked before the first byte", "pkg/procore/line.go",
			`!f.clock.Now().Before(f.notAfter)`, `false`, only("TestSpendChecksTheClockLast", apiPackage)},
		{"R1", "a request goes out on a connection that has answered already", "pkg/procore/line.go",
			`	case <-l.begun:
		return answer{}, false, errEarly
`, ``, only("TestConnectionEndsBeforeTheRequest", apiPackage)},
		{"R2", "the connection is opened after the claim", "pkg/tokens/refresh.go",
			`	if err := r.connect(ctx); err != nil {
		r.unspent(ctx)
		return Access{}, false, err
	}
	if r.conn != nil {
		defer r.conn.Close()
	}
	if taken, again, err := r.takeClaim(ctx, g); !taken {
		r.unspent(ctx)
		return Access{}, again, err
	}
`, `	if taken, again, err := r.takeClaim(ctx, g); !taken {
		r.unspent(ctx)
		return Access{}, again, err
	}
	if err := r.connect(ctx); err != nil {
		r.releaseClaim(ctx)
		return Access{}, false, err
	}
	if r.conn != nil {
		defer r.conn.Close()
	}
`, only("TestUnreachableClaimsNothing", storePackage)},
		{"R1", "a connection of any age is used", "pkg/procore/line.go",
			`.Sub(l.opened) > maxIdle`, `.Sub(l.opened) > 9*time.Hour`, only("TestConnectionIsOld", apiPackage)},
		{"R1", "any 400 counts as a refusal", "pkg/procore/oauth.go",
			`e.Code == "invalid_grant" && (a.status == http.StatusBadRequest ||`, `(a.status == http.StatusBadRequest ||`, only("TestSpendUnusableAnswers", apiPackage)},
	}
}

// keep breaks R2: a received pair is not lost.
func keep() []mutant {
	return []mutant{
		{"R2", "a slow claim uses up the time that is reserved for the store", "pkg/tokens/refresh.go",
			`r.end.Sub(r.Clock.Now())-storeTime-rescueTime)`, `r.end.Sub(r.Clock.Now()))`, only("TestClaimNotReadBack", storePackage)},
		{"R2", "a claim on its way is released without a fence", "pkg/tokens/claim.go",
			`			stored, o, err = s.swap(ctx, g, g.unclaimed())
		}`, `			return nil
		}`, only("TestReleaseBeforeTheClaimLands", storePackage)},
		{"R2", "a claim that may still arrive is not released", "pkg/tokens/claim.go",
			`o == unanswered && now.Rev == g.Rev {`, `false {`, only("TestUnansweredClaimIsReleased", storePackage)},
		{"R2", "a claim that cannot be read back is left to expire", "pkg/tokens/refresh.go",
			`		r.releaseClaim(ctx)
		return false, false, later(g.Principal, "whether storage`, `		return false, false, later(g.Principal, "whether storage`, only("TestClaimNotReadBack", storePackage)},
		{"R2", "a rescued pair that does not open is stored", "pkg/tokens/rescue.go",
			`if home.pair, err = s.unseal(`, `if home.pair, _ = s.unseal(`, only("TestRestoreRefuses", storePackage)},
		{"R2", "a pair that storage refuses is not rescued", "pkg/tokens/rescue.go",
			`	if s.Rescue != nil {`, `	if s.Rescue == nil {`, only("TestLostPair", storePackage)},
		{"R2", "an expired claim forgets its attempt", "pkg/tokens/claim.go",
			`func (g Grant) doubt(attempt, reason, requestID string, now time.Time) Grant {
	g.claimUntil = time.Time{}`, `func (g Grant) doubt(attempt, reason, requestID string, now time.Time) Grant {
	g.claimUntil = time.Time{}
	g.attempt = ""`, storePackage},
		{"R2", "a caller that leaves ends the refresh", "pkg/tokens/refresh.go",
			`context.WithTimeout(context.WithoutCancel(ctx), left)`, `context.WithTimeout(ctx, left)`, only("TestCallerLeavesTheRefreshGoesOn", storePackage)},
		{"R2", "a handler returns before its refreshes ended", "pkg/tokens/wrap.go",
			`defer s.flights.wait()`, `_ = s`, storePackage},
		{"R2", "a pair in an unusual answer is thrown away", "pkg/procore/oauth.go",
			`if f.access != "" && (f.refresh`, `if err == nil && a.status == http.StatusOK && f.access != "" && (f.refresh`, apiPackage},
		{"R2", "an answer that is cut holds no pair", "pkg/procore/token_answer.go",
			`if f.value(d, ""); f == (tokenFields{}) {`, `if !f.value(d, "") {
		f = tokenFields{}
	}
	if f == (tokenFields{}) {`, apiPackage},
		{"R2", "a pair without a refresh token is never given up", "pkg/tokens/decide.go",
			`	case v.pair.RefreshToken.IsZero():
		return end, unsendable(noSuccessor)
`, ``, storePackage},
		{"R2", "a release leaves the token in the ledger", "pkg/tokens/claim.go",
			`g.released(s.Clock.Now()), l.unspend(claimed.attempt)...)`, `g.released(s.Clock.Now()))`, storePackage},
	}
}

// reach breaks R3: before the choice the app calls only /me and /companies.
func reach() []mutant {
	const client = "pkg/procore/client.go"
	return []mutant{
		{"R3", "the list reads each company's projects", "internal/connect/choice/choice.go",
			`		l, err = companies(user.Companies(ctx), wanted)
`, `		l, err = companies(user.Companies(ctx), wanted)
		for _, one := range l.Companies {
			for range procore.NewCompanyClient(c.Tokens.Environment, hc, one.ID, c.Tokens.Options("")...).Projects(ctx) {
				break
			}
		}
`, only("TestList", selection)},
		{"R3", "a user's client makes a company's calls", client,
			`type UserClient struct{ api api }`, `type UserClient struct{ api api }

func (c *UserClient) Company(id int64) *CompanyClient { return &CompanyClient{api: c.api, companyID: id} }`, only("TestUserClientHasNoCompanyCalls", apiPackage)},
		{"R3", "a user's client follows a redirect to another path", client,
			`	c.api.http.CheckRedirect = samePathOnly
`, ``, only("TestUserRedirects", apiPackage)},
	}
}

// fence breaks the other rules and the protocol's fences.
func fence() []mutant {
	const secret = "pkg/procore/secret.go"
	return []mutant{
		{"R5", "a secret prints itself", secret, `{ fmt.Fprint(f, s.String()) }`, `{ fmt.Fprint(f, s.Reveal()) }`, only("TestSecretIsNotPrinted", apiPackage)},
		{"R5", "a secret shows in an unexported field", secret,
			`	reveal func() string
}

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{func() string { return text }}
}`, `	reveal func() string
	text   string
}

func NewSecret(text string) Secret { return Secret{func() string { return text }, text} }`, only("TestNothingPrintsASecret", apiPackage)},
		{"R5", "a bearer client follows a redirect to another host", "pkg/procore/bearer.go",
			`if !b.environment.HasAPI(r.URL) {`, `if false {`, only("TestTokenStaysInTheEnvironment", apiPackage)},
		{"R6", "a company's credential writes another's event", "functions/webhook-receiver/handler/handler.go",
			`e.CompanyID != company`, `false`, only("TestCredentialOfAnotherCompany", receiverPackage)},
		{"R7", "three unknown outcomes do not open the breaker", "pkg/tokens/breaker.go",
			`const tripAfter = 3`, `const tripAfter = 300`, only("TestBreakerOpensAfterThree", storePackage)}, // the other tests wait for it to open
		{"R7", "a wrong client secret does not open the breaker", "pkg/tokens/breaker.go",
			`if v == invalidClient || b.unknown`, `if b.unknown`, storePackage},
		{"R7", "one customer's refused tokens open the breaker", "pkg/tokens/refresh.go",
			`	case e.Outcome == procore.Refused:
		r.unspent(ctx)
`, ``, storePackage},
		{"R7", "a service account's refused secret opens the breaker", "pkg/tokens/refresh.go",
			`		_, _ = r.OAuth.Reread(ctx) // the next attempt uses credentials that may be newer
	}
	return later`, `		r.judge(ctx, e)
	}
	return later`, storePackage},
		{"R7", "a probe at the same time costs a run", "pkg/tokens/breaker.go",
			`ok && cause == nil && !other.Current.Open`, `ok && false && !other.Current.Open`, only("TestProbesAtOnce", storePackage)},
		{"R7", "a run goes on after ten refusals", "functions/refresher/handler/refresh.go",
			`if r.refused++; r.refused >= maxRefused {`, `if r.refused = 1; false {`, only("TestRefusalsStopTheRun", refresher)},
		{"R7", "the breaker is not asked", "pkg/tokens/refresh.go",
			`if r.trial, err = s.admit(ctx, g.Principal); err != nil {`, `if false {`, storePackage},
		{"R8", "a late pair overwrites a newer authorization", "pkg/tokens/refresh.go",
			`if g.Generation != home.claimed.Generation || g.attempt != home.claimed.attempt {
		return g, false
	}
	g.Generation++`, `g.Generation++`, storePackage},
		{"R8", "a late pair revives what another cause ended", "pkg/tokens/refresh.go",
			`	if g.State == Uncertain || g.State == Reauthorize && g.stateAttempt == g.lastAttempt {`, `	if g.State != Active {`, only("TestLateStoreRevivesNothing", storePackage)},
		{"R8", "a pair that arrives for a revoked grant is not revoked", "pkg/tokens/rescue.go",
			`	if !g.withdrawn() {`, `	if true {`, storePackage},
		{"", "a pair opens in any generation of its row", "pkg/keys/seal.go",
			`%d pair", p.Environment, p.Client, p.Table, p.Key, p.Generation`, `%d pair", p.Environment, p.Client, p.Table, p.Key, 0`, storePackage},
		{"", "a pair opens in any row", "pkg/keys/seal.go",
			`p.Environment, p.Client, p.Table, p.Key, p.Generation`, `p.Environment, p.Client, p.Table, "", p.Generation`, storePackage},
		{"", "each 401 is worth a refresh", "pkg/tokens/decide.go",
			`case v.rejected && v.now.Before(g.RefreshedAt.Add(recheck)) && g.State == Active:`, `case false:`, storePackage},
		{"", "revoking does not wait for the refresh in flight", "pkg/tokens/revoke.go",
			`	case g.busy(now):
		return true, nil
	}
	pair, ring`, `	}
	pair, ring`, storePackage},
	}
}
