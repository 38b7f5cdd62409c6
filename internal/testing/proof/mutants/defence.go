package main

// The attacks of docs/SECURITY.md: each breakage removes one guard, and the named test then sees the attack succeed.

// The packages of those tests.
const (
	callback   = "./functions/oauth-callback/handler"
	selection  = "./functions/company-select/handler"
	refresher  = "./functions/refresher/handler"
	reconciler = "./internal/webhook/reconcile"
	sessions   = "./internal/connect/session"
	gateway    = "./internal/platform/gateway"
	macs       = "./internal/webhook/credential"
	pages      = "./internal/connect/pages"
	repository = "./internal/testing/repo"
	departing  = "./internal/upkeep/departures"
	hooking    = "./internal/webhook/provision"
)

// only runs one test of a package.
func only(test, pkg string) string { return "-run ^" + test + "$ " + pkg }

// browser removes guards of the authorization against other browsers, other sites and other people's codes.
func browser() []mutant {
	const session, cookie, handler = "internal/connect/session/session.go", "internal/connect/session/cookie.go", "functions/oauth-callback/handler/handler.go"
	const handover, callbackSteps, oursIs = "internal/connect/session/handover.go", "internal/connect/session/callback.go", `err != nil || !ours {`
	const cookieIs, attributes = `	if !equal(found.cookie, hash(cookie)) {`, `Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,`
	return []mutant{
		{"D", "a callback is accepted from any browser", session, cookieIs, `	if false {`, only("TestOtherBrowser", callback)},
		{"D", "a session id alone opens the session", session, cookieIs, `	if false {`, only("TestStolenFlow", selection)},
		{"D", "what the table holds of a cookie opens the session", session, cookieIs,
			`	if !equal(found.cookie, hash(cookie)) && found.cookie != cookie.Reveal() {`, only("TestStolenTables", selection)},
		{"D", "every authorization has the same PKCE verifier", callbackSteps, `Verifier: s.newSecret()`,
			`Verifier: procore.NewSecret(hash(procore.NewSecret("one verifier for all")))`, only("TestInjectedCode", callback)},
		{"D", "a state is good twice", "internal/connect/session/row.go", `"status", "cookie", "expires_at"`, `"cookie", "expires_at"`, only("TestConsumeOnce", sessions)},
		{"D", "a state is good for ever", session, `	if s.Clock.Now().After(found.Expires) {`, `	if false {`, only("TestExpired", callback)},
		{"D", "the cookie from before the login stays good", callbackSteps, `	next.cookie = hash(cookie)
`, ``, only("TestStorePairReplacesTheCookie", sessions)},
		{"D", "a callback is accepted in another environment", session, oursIs, `err != nil && ours {`, only("TestOtherConfiguration", callback)},
		{"D", "another environment's choice goes on", session, oursIs, `err != nil && ours {`, only("TestOtherEnvironment", selection)},
		{"D", "a callback is accepted at another address", handler, `s.RedirectURI != h.redirectURI()`, `false`, only("TestOtherConfiguration", callback)},
		{"D", "a pair is sent to another environment", handover, `	case !ours:`, `	case !ours && err != nil:`, only("TestOtherConfiguration", sessions)},
		{"D", "a callback that is loaded again needs no code", callbackSteps, `before.Flow, before.cookie, code.Reveal())`, `before.Flow, before.cookie)`,
			only("TestAnswerLost", callback)},
		{"D", "a callback is loaded again in any browser", callbackSteps, `before.Flow, before.cookie, code.Reveal())`, `before.Flow, code.Reveal())`,
			only("TestAnswerLost", callback)},
		{"D", "a link on another site authorizes", handler, `r.Header.Get("Sec-Fetch-Site") == "cross-site"`, `r.Header.Get("Sec-Fetch-Site") == "cross-sites"`,
			only("TestStartFromAnotherSite", callback)},
		{"", "the verifying call needs a body that can be read", "pkg/procore/client.go", `	if c.status {`, `	if false {`, only("TestVerifiedByStatus", selection)},
		{"", "a gateway's answer refuses a company", "functions/company-select/handler/choose.go", `; ok && !e.Gateway && (`, `; ok && (`, only("TestVerifiedByStatus", selection)},
		{"", "a list of companies that is cut is lost", "internal/connect/choice/choice.go", `if len(l.Companies) == 0 || `, `if len(l.Companies) >= 0 || `,
			only("TestListIsCut", selection)},
		{"", "a company that did not come in time is not the user's", "functions/company-select/handler/choose.go", `case !listed && u.Cut != nil:`,
			`case !listed && err != nil:`, only("TestChosenCompanyDidNotCome", selection)},
		{"", "the filter needs the right marks", "internal/connect/pages/fold.go", `unicode.In(r, unicode.Mn, unicode.Cf)`, `unicode.In(r, unicode.Cf)`,
			only("TestFold", pages)},
		{"", "long names make a page large", "internal/connect/pages/choose.go", `*room -= o.size()`, `*room -= 0`, only("TestWorstSize", pages)},
		{"", "an escaped name counts as it is written", "internal/connect/pages/choose.go", `len(template.HTMLEscapeString(s)) + 4*strings.Count(s, "+")`,
			`min(len(s), len(template.HTMLEscapeString(s)))`, only("TestWorstSize", pages)},
		{"", "an error at the callback ends another request's exchange", handler, `	if declined && err == nil {`, `	if declined {`, only("TestDeniedTooLate", callback)},
		{"", "HEAD issues a state", handler, `	mux.HandleFunc("HEAD /oauth/start", h.landing)
`, ``, only("TestHead", callback)},
		{"", "HEAD uses up a state", handler, `	mux.HandleFunc("HEAD /oauth/callback", h.landing)
`, ``, only("TestHead", callback)},
		{"", "HEAD moves a pair", "functions/company-select/handler/handler.go", `inTime(h.peek)`, `inTime(h.list)`, only("TestHead", selection)},
		{"", "a browser at another host receives its cookie there", handler, `if h.pages.ToPublicURL(w, r) {`, `if false {`, only("TestOtherHost", callback)},
		{"", "a browser behind a proxy is redirected for ever", "internal/connect/pages/handler.go", ` || r.URL.Query().Has(fieldMoved) {`, ` {`,
			only("TestToPublicURL", pages)},
		{"D", "any flow of the browser authorizes once more", "functions/oauth-callback/handler/linked.go", `errors.Is(s.Err(), session.ErrStale)`, `s.Flow != ""`, only("TestStartOnceMore", callback)},
		{"D", "a parameter decides where the browser goes next", handler, `	h.cookies.Set(w, flow, cookie)
	h.pages.Redirect(w, companiesPath(flow))`, `	h.cookies.Set(w, flow, cookie)
	h.pages.Redirect(w, cmp.Or(r.URL.Query().Get("next"), companiesPath(flow)))`, only("TestOpenRedirect", callback)},
		{"D", "a duplicated parameter counts once", handler, `len(values) > 1 ||`, ``, only("TestState", callback)},
		{"D", "a page shows the words of an attacker's link", handler, `pages.StateMissing())`,
			`pages.Problem{Status: 400, Title: q["error_description"]})`, only("TestState", callback)},
		{"D", "scripts can read the cookie", cookie, attributes, `Secure: c.Secure, HttpOnly: false, SameSite: http.SameSiteLaxMode,`, only("TestCookieOnHTTPS", callback)},
		{"D", "the cookie goes over http", cookie, attributes, `HttpOnly: true, SameSite: http.SameSiteLaxMode,`, only("TestCookieOnHTTPS", callback)},
		{"D", "the cookie goes with other sites' requests", cookie, attributes, `Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteNoneMode,`, only("TestCookieSet", sessions)},
		{"D", "a sibling host can set the cookie", cookie, `return "__Host-flow-"`, `return "flow-"`, only("TestSimilarCookieNames", sessions)},
		{"D", "of two cookies of one name the first counts", cookie, `if len(sent) != 1 {`, `if len(sent) == 0 {`, only("TestDuplicateCookie", sessions)},
		{"D", "a cookie can hold another behind a comma", "internal/platform/gateway/request.go", `	return strings.Join(list, "; ")`,
			`	return strings.ReplaceAll(strings.Join(list, "; "), ",", "; ")`, only("TestCommaInCookie", gateway)},
		{"D", "cookies of abandoned flows pile up", cookie, `max(len(names)-maxCookies+1, 0)`, `0`, only("TestManyStarts", callback)},
		{"", "a start takes away the cookies of all other flows", cookie, `max(len(names)-maxCookies+1, 0)`, `len(names)`, only("TestManyStarts", callback)},
		{"D", "a start stays in the table", "internal/connect/session/row.go", `dynamo.Seconds(s.Expires.Add(keptFor))`, `nil`, only("TestFloodOfStarts", callback)},
	}
}

// handing removes guards of a pair on its way from the exchange to the user's grant.
func handing() []mutant {
	const handover, row = "internal/connect/session/handover.go", "internal/connect/session/row.go"
	return []mutant{
		{"", "a pair is dropped because /me fails", handover, `	case errors.Is(err, procore.ErrUnauthorized):`, `	case err != nil:`, only("TestMoveWhileProcoreFails", sessions)},
		{"", "a pair is revoked because /me fails", handover, `		return s, fmt.Errorf("%w: %w", ErrProcore, err)`,
			`		_ = h.Tokens.Discard(ctx, pair)
		return s, fmt.Errorf("%w: %w", ErrProcore, err)`, only("TestProcoreDownForMinutes", selection)},
		{"", "a pair is revoked because Procore does not accept it", handover, `		return h.abandon(ctx, s, Dead)
	case err != nil:`, `		_ = h.Tokens.Discard(ctx, pair)
		return h.abandon(ctx, s, Dead)
	case err != nil:`, only("TestMoveDead", sessions)},
		{"", "a pair is moved apart from its session", handover, `a, h.Sessions.update(s, next))`, `a)`, only("TestMoveOnce", sessions)},
		{"", "a stale pair is not revoked, and comes back", handover, `h.Tokens.Discard(ctx, pair); err != nil`, `ctx.Err(); err != nil`, only("TestMoveStale", sessions)},
		{"", "a stale authorization is repeated for ever", "functions/company-select/handler/handler.go", ` && !s.Again {`, ` {`, only("TestStalePair", selection)},
		{"", "time to live deletes a pair", row, `	if s.Status == Authorized {`, `	if s.Status == Pending {`, only("TestLifecycle", sessions)},
		{"", "a pair whose browser does not come back is found late", row, `ChoiceLifetime - moveAfter`, `0`, only("TestBrowserComesLate", selection)},
		{"", "a session whose key is gone stays", handover, `(now.After(s.Expires) || `, `(false || `, only("TestKeyIsGone", sessions)},
		{"", "another app's secret costs the pair of a session", handover, `case !ours && now.After(`, `case !ours || now.After(`,
			only("TestOtherSecretByMistake", sessions)},
		{"", "another app's secret costs the revocation of a pair", "pkg/tokens/revoke.go", `errors.Is(err, errOtherClient) && !now.Before(`,
			`errors.Is(err, errOtherClient) || !now.Before(`, only("TestRevokeWithAnotherAppsSecret", storePackage)},
		{"", "an outage costs all authorizations that wait", "functions/refresher/handler/housekeeping.go",
			`unanswered == maxUnanswered`, `false`, only("TestAbandonedInAnOutage", refresher)},
		{"", "three authorizations that fail keep all others waiting", "functions/refresher/handler/housekeeping.go",
			`int(now.Unix()/300) % len(all)`, `0 * int(now.Unix())`, only("TestInTurn", refresher)},
		{"", "a pair that was not stored is revoked", "functions/oauth-callback/handler/handler.go", `		h.end(ctx, s, session.Failed)`, `		_ = oauth.Revoke(ctx, pair)`,
			only("TestNotStoredIsNotRevoked", callback)},
		{"", "a token that was replaced ends the choice", "internal/connect/choice/choice.go", `newer.Generation == access.Generation`, `newer.Generation > 0`,
			only("TestTokenReplaced", selection)},
		{"", "a token that was revoked a moment ago is the company's refusal", "internal/connect/choice/choice.go", `	if errors.Is(me, procore.ErrUnauthorized) {`, `	if false {`,
			only("TestSignedOutDuringAChoice", selection)},
		{"", "a choice refreshes the grant", "internal/connect/choice/choice.go", `	access, err := c.Tokens.Current(ctx, p)`, `	access, err := c.Tokens.Token(ctx, p)`,
			only("TestGrantEnds", selection)},
	}
}

// choice removes guards of the choice of a company.
func choice() []mutant {
	const list, choose = "functions/company-select/handler/list.go", "functions/company-select/handler/choose.go"
	const chooser = "internal/connect/choice/choice.go"
	return []mutant{
		{"D", "a form needs no token", choose, `	case !ok:`, `	case !ok && r.Host == "":`, only("TestForgedForm", selection)},
		{"D", "another site's form is accepted with a token", "functions/company-select/handler/origin.go", `err != nil && !hidden(r)`, `err != nil && hidden(r)`,
			only("TestFormFromAnotherSite", selection)},
		{"D", "a form's token is good in any browser", "internal/connect/session/secret.go", `"session form", held.Flow, cookie.Reveal())`, `"session form", held.Flow)`, only("TestCSRFToken", sessions)},
		{"D", "a link chooses a company", choose, `	flow := r.PostForm.Get(pages.FieldFlow)`, `	r.PostForm = r.Form
	flow := r.PostForm.Get(pages.FieldFlow)`, only("TestChoiceInTheAddress", selection)},
		{"D", "a company that Procore did not list is entered", choose, `	case !listed:
`, `	case !listed && companyID == 0:
`, only("TestCompanyOutOfBounds", selection)},
		{"D", "what is listed at a forged position is all that counts", chooser, `err == nil && l.has(wanted) {`, `err == nil {`,
			only("TestPositionIsNotTrusted", selection)},
		{"", "a choice reads the whole list", chooser, `if 0 < position && position < maxCompanies {`, `if false {`, only("TestLargeAccount", selection)},
		{"", "a list's pages are read one after another", chooser, `procore.WithReadAhead(maxCompanies)`, ``, only("TestLargeAccount", selection)},
		{"", "a token that is no longer accepted reads the whole list", chooser, `			if errors.Is(err, procore.ErrUnauthorized) {
				return`, `			if false {
				return`, only("TestTokenReplaced", selection)},
		{"D", "ALLOWED_COMPANIES has no effect", list, `case !h.allowed.Admits(c.ID):`, `case false:`, only("TestCompanyOutOfBounds", selection)},
		{"D", "a form has no bound", choose, `http.MaxBytesReader(w, r.Body, maxForm)`, `http.MaxBytesReader(w, r.Body, 100*maxForm)`, only("TestUnreadableForm", selection)},
	}
}

// answers removes guards of headers, pages and log lines.
func answers() []mutant {
	const headers, show, response = "internal/connect/pages/headers.go", "internal/connect/pages/pages.go", "internal/platform/gateway/response.go"
	return []mutant{
		{"D", "a page may be framed", headers, `frame-ancestors 'none'; `, ``, only("TestAnswersStayPrivate", selection)},
		{"D", "a page may be framed by an old browser", response, `	h.Set("X-Frame-Options", "DENY")
`, ``, only("TestAnswersStayPrivate", selection)},
		{"D", "answers are kept in caches", response, `"Cache-Control", "no-store"`, `"Cache-Control", "private"`, only("TestAnswersStayPrivate", callback)},
		{"D", "the next site learns the address", response, `"Referrer-Policy", "no-referrer"`, `"Referrer-Policy", "unsafe-url"`, only("TestAnswersStayPrivate", callback)},
		{"D", "the gateway's own answers lack the headers", response, `	SetHeaders(w.header, a.https)
`, ``, only("TestRefused", gateway)},
		{"D", "the address is repeated in a redirect's body", headers, `	w.WriteHeader(http.StatusSeeOther)`,
			`	w.WriteHeader(http.StatusSeeOther)
	_, _ = w.Write([]byte(to))`, only("TestRedirectHasNoBody", pages)},
		{"D", "another spelling of the path repeats code and state", "internal/connect/pages/handler.go",
			`path.Clean(page.URL.Path) != page.URL.Path`, `path.Clean(page.URL.Path) == ""`, only("TestOtherSpellings", callback)},
		{"D", "scripts may run on a page", headers, `"default-src 'none'; `, `"default-src 'none'; script-src 'unsafe-inline'; `, only("TestHeaders", pages)},
		{"D", "browsers may come back over http", response, `"max-age=63072000"`, `"max-age=0"`, only("TestHeaders", pages)},
		{"D", "a company's name is markup", show, `		_, _ = w.Write(b.Bytes())`,
			`		_, _ = w.Write(bytes.ReplaceAll(bytes.ReplaceAll(b.Bytes(), []byte("&lt;"), []byte("<")), []byte("&gt;"), []byte(">")))`, only("TestList", selection)},
		{"D", "a name turns the words after it around", "internal/connect/pages/text.go", `unicode.Is(unicode.Bidi_Control, r)`, `false`, only("TestHostileNames", pages)},
		{"D", "a name adds a link to a text for an administrator", "internal/connect/pages/request.go", `if joined && r != ' ' {`, `if joined && r == 0 {`, only("TestHostileRequest", pages)},
		{"D", "a name closes its quotation", "internal/connect/pages/request.go", `unicode.Pi, unicode.Pf, unicode.Cf`, `unicode.Cf`, only("TestHostileRequest", pages)},
		{"D", "a text adds a field to an email", "internal/connect/pages/request.go", `url.QueryEscape(s), "+", "%20"`, `url.PathEscape(s), "+", "%20"`, only("TestHostileRequest", pages)},
		{"D", "a value breaks out of its header", response, `		if r < ' ' && r != '\t' || r == 0x7f {`, `		if r == 0 {`, only("TestResponse", gateway)},
		{"D", "the client decides which host it reached", "internal/platform/gateway/request.go", `Host: a.host,`, `Host: e.Headers["host"],`, only("TestRequest", gateway)},
		{"D", "the log has the address, and so the code", "internal/platform/gateway/gateway.go", `cmp.Or(r.Pattern, routeKey(e), "none")`, `cmp.Or(r.RequestURI, routeKey(e))`, only("TestLogLine", gateway)},
		{"D", "the log has the text of a panic", "internal/platform/gateway/context.go", `fmt.Sprintf("%T", p)`, `fmt.Sprint(p)`, only("TestPanic", gateway)},
		{"D", "an address has no bound", "internal/platform/gateway/request.go", `maxTarget  = 16 << 10`, `maxTarget  = 16 << 20`, only("TestRefused", gateway)},
		{"D", "headers and cookies have no bound", "internal/platform/gateway/request.go", `maxHeaders = 32 << 10`, `maxHeaders = 32 << 20`, only("TestRefused", gateway)},
		{"D", "a parameter has no bound", "functions/oauth-callback/handler/handler.go", `maxParameter = 2048`, `maxParameter = 1 << 20`, only("TestOversizedDescription", callback)},
	}
}

// secrets removes guards of what is stored and compared.
func secrets() []mutant {
	const ring = "internal/webhook/credential/credential.go"
	const values, reading, secretValues = "internal/platform/secrets/secrets.go", "internal/platform/secrets/beside.go", "./internal/platform/secrets"
	return []mutant{
		{"D", "the cookie is compared byte by byte", "internal/connect/session/secret.go", `subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1`,
			`(a == b) == (subtle.ConstantTimeEq(1, 1) == 1)`, only("TestSecretsAreComparedInConstantTime", repository)},
		{"D", "a form's token is compared byte by byte", "internal/connect/session/secret.go", `want.Equal(value)`, `want.Reveal() == value.Reveal()`,
			only("TestSecretsAreComparedInConstantTime", repository)},
		{"D", "the credential is compared byte by byte", ring, `!hmac.Equal([]byte(want), []byte(mac))`, `want != mac`,
			only("TestSecretsAreComparedInConstantTime", repository)},
		{"D", "a forged credential is accepted", ring, `!hmac.Equal([]byte(want), []byte(mac)) || c.Epoch`, `!hmac.Equal([]byte(want), []byte(want)) || c.Epoch`,
			only("TestRefused", receiverPackage)},
		{"D", "a credential is good for every company", ring, `	h.Write([]byte(claim))`, `	h.Write([]byte(keyID))`, only("TestRefused", macs)},
		{"D", "a retired credential is accepted", ring, `|| c.Epoch < r.epochs[c.CompanyID]`, ``, only("TestEpoch", receiverPackage)},
		{"D", "of two Authorization headers one wins", "internal/platform/gateway/request.go", `v = old[0] + "," + v`, `v = old[0]`, only("TestHeadersThatDifferInCase", gateway)},
		{"D", "unknown senders make the app read the secret again and again", values, `within(rereadEvery, s.triedAt, now) || `, ``, only("TestUnknownKeysDoNotFloodSecrets", receiverPackage)},
		{"D", "a retired credential is accepted after a pause of any length", values, `within(s.MaxStale, s.readAt, now) && !reread`, `s.MaxStale > 0 && !reread`,
			only("TestRetiredDuringAPause", receiverPackage)},
		{"", "a key is unknown while the ring is read", reading, `s.beside, s.besideAt = r, now`, `s.beside, s.besideAt, s.triedAt = r, now, now`,
			only("TestKeyAddedDuringAPause", receiverPackage)},
		{"", "an abandoned read replaces what was read later", reading, `		s.beside.cancel()
		s.beside = nil`, `		_ = s.beside.cancel`, only("TestRereadDoesNotTrustAReadUnderWay", secretValues)},
		{"", "a caller waits for the read beside it", reading, `	context.AfterFunc(caller, func() {`, `	func(_ context.Context, f func()) { f() }(caller, func() {`,
			only("TestOldValueIsServedWhileItIsRead", secretValues)},
		{"", "the read beside a request takes its processor", reading, `	context.AfterFunc(caller, func() {`, `	go func(_ context.Context, f func()) { f() }(caller, func() {`,
			only("TestReadBesideBeginsAfterItsCaller", secretValues)},
		{"", "the read beside a request ends with it", reading, `context.WithoutCancel(caller)`, `caller`, only("TestReadBesideBeginsAfterItsCaller", secretValues)},
		{"", "a read that a freeze ended is logged as a failure", reading, `case within(rereadEvery, r.began, got.ended):`, `case got.ended.After(r.began.Add(-rereadEvery)):`,
			only("TestFrozenRead", secretValues)},
		{"", "a read that hangs since a freeze is never given up", reading, `r != nil && !r.frozen {`, `r != nil {`, only("TestFrozenRead", secretValues)},
		{"", "a request on a connection that AWS closed waits for the SDK", "internal/platform/sdkhttp/sdkhttp.go", `	out.Header["Idempotency-Key"] = nil`, `	_ = out.Header`,
			only("TestClosedConnection", "./internal/platform/sdkhttp")},
		{"D", "the table shows the states", "internal/connect/session/callback.go", `	item["session"] = dynamo.Text(st.Flow)`,
			`	item["session"], item["state"] = dynamo.Text(st.Flow), dynamo.Text(state.Reveal())`, only("TestStart", callback)},
		{"D", "the ledger shows the refresh tokens", "pkg/keys/ring.go", `id + "." + base64`, `id + "." + refreshToken.Reveal() + base64`, only("TestStolenTables", selection)},
		{"D", "one key seals and signs", "pkg/keys/ring.go", `"procore-connect "+purpose`, `"procore-connect "`, only("TestKeysByPurpose", "./pkg/keys")},
	}
}

// departures removes guards against ending the connections of users who did not leave, and against keeping the grants
// of those who did.
func departures() []mutant {
	const brake, departure = "internal/upkeep/departures/brake.go", "internal/upkeep/departures/departure.go"
	const housekeeping, reconciler, verdict = "functions/refresher/handler/housekeeping.go", "internal/webhook/provision/reconciler.go", "internal/webhook/provision/verdict.go"
	const checking = "functions/refresher/handler/webhooks.go"
	return []mutant{
		{"D", "departures are counted per run", brake, `window = 24 * time.Hour`, `window = 5 * time.Minute`, only("TestSlowEndings", departing)},
		{"D", "the brake on departures is released after a day", brake, `engaged = b.Engaged();`,
			`engaged = b.Engaged() && w.now().Before(b.EngagedAt.Add(window));`, only("TestBrakeStaysEngaged", departing)},
		{"D", "a connection ends although storage did not count it", brake, `	case err != nil:
		return fmt.Errorf("departures: the ending`, `	case err != nil && false:
		return fmt.Errorf("departures: the ending`, only("TestStorageDownEndsNone", departing)},
		{"D", "another company ends than the one that was left", "functions/refresher/handler/departures.go", `for _, key := range left {`,
			`for _, key := range keys[:len(left)] {`, only("TestCompaniesAreLeftOneByOne", refresher)},
		{"D", "a company that disconnected the app was left by its user", departure, `		return false, w.Store.Disconnect(ctx, c)`,
			`		return true, w.Store.Disconnect(ctx, c)`, only("TestNotConnectedIsNoDeparture", departing)},
		{"D", "a company whose calls are paused is called", departure, ` || w.now().Before(c.PausedUntil)`, ``, only("TestLeftMakesNoUselessCall", departing)},
		{"D", "a departed user's connection ends twice", departure, `c.State == connections.Ended {
		return err`, `c.State == "" {
		return err`, only("TestEndingCountsOnce", departing)},
		{"D", "a grant without a company is not revoked", housekeeping, `fifth(ctx, h.unheld), `, ``, only("TestAbandoned", refresher)},
		{"D", "a pair stays in its session", housekeeping, `fifth(ctx, h.moved), `, ``, only("TestAbandoned", refresher)},
		{"D", "a disconnected company holds its grant for ever", checking, `case c.Expired(r.now()):`, `case c.Expired(r.now()) && false:`,
			only("TestDisconnectedExpires", refresher)},
		{"", "a schedule's work counts as use", reconciler, `k.Store.BackgroundClient(key,`, `k.Store.Client(key,`, only("TestIdleCompany", hooking)},
		{"", "each idle company of a user costs a refresh", verdict, `seconds-late`, `seconds-0*late`, only("TestIdleCompaniesShareTheirTurn", hooking)},
		{"", "connections without a token use up a pass", reconciler, `len(refused) == maxTries`, `n == maxTries`, only("TestManyUnusableGrants", hooking)},
	}
}
