package main

// console removes what keeps other programs, people and sites from the operator's console, and what a person is asked.
func console() []mutant {
	const guard, jobs, verbs, pkg = "internal/operator/console/guard.go", "internal/operator/console/jobs.go", "internal/operator/console/verbs.go", "./cmd/procore-connect"
	return []mutant{
		{"D", "the console shows its pages without the cookie", guard,
			`case !c.admitted(r):`, `case !c.admitted(r) && false:`, only("TestConsoleAdmitsOneBrowser", pkg)},
		{"D", "the console admits by any token", guard,
			`case !launched && !same(token, c.token):`, `case !launched && token == "":`, only("TestConsoleAdmitsOneBrowser", pkg)},
		{"D", "a site whose name leads to this machine reads the console", guard,
			`if !slices.Contains(hosts, r.Host) {`, `if !slices.Contains(hosts, r.Host) && r.Host == "" {`, only("TestConsoleAdmitsOneBrowser", pkg)},
		{"D", "another site sends the console's forms", guard,
			`http.NewCrossOriginProtection().Handler(http.HandlerFunc(`, `http.Handler(http.HandlerFunc(`, only("TestConsoleAdmitsOneBrowser", pkg)},
		{"D", "the console takes a form without its token", guard,
			`err != nil || !same(r.PostForm.Get("form"), c.formToken)`, `err != nil`, only("TestConsoleAdmitsOneBrowser", pkg)},
		{"D", "the console's form token may be in an address", guard,
			`r.PostForm.Get("form")`, `r.Form.Get("form")`, only("TestConsoleAdmitsOneBrowser", pkg)},
		{"D", "the address that starts a browser admits a second one", guard,
			`case launched && !c.first():`, `case launched && !c.first() && false:`, only("TestConsoleLaunch", pkg)},
		{"D", "a script reads the console's cookie", guard,
			`HttpOnly: true, `, ``, only("TestConsoleEntrance", pkg)},
		{"D", "what is typed into the console becomes a flag", verbs,
			`f.Choices == nil && !f.form.MatchString(one)`, `false`, only("TestConsoleFields", pkg)},
		{"D", "the console answers another question than the person saw", jobs,
			`j.asked.IsZero() || number != j.number`, `j.asked.IsZero()`, only("TestConsoleChange", pkg)},
		{"D", "the console confirms what the person declined", jobs,
			`case j.answers <- yes && !late:`, `case j.answers <- true:`, only("TestConsoleChange", pkg)},
		{"", "marks of direction are shown in the console", "internal/operator/console/page.go",
			`case !unicode.IsGraphic(r):`, `case false:`, only("TestConsoleHostileNames", pkg)},
		{"", "a connection that has ended remains in the list", "pkg/connections/store.go",
			`	if c.State != Ended {
		a["listed"]`, `	if true {
		a["listed"]`, only("TestListed", "./pkg/connections")},
		{"", "the console's list shows a grant that has ended as good", "internal/operator/overview.go",
			`grant.State = tokens.Reauthorize`, `grant.State = tokens.Active`, only("TestConsoleCompanies", pkg)},
		{"", "a page of events repeats those before", "internal/operator/console/events.go",
			`found.Events[min(skip, len(found.Events)):]`, `found.Events`, only("TestConsoleEventPages", pkg)},
		{"", "what a filter leaves out ends the list of events", "internal/operator/events.go",
			`p.Until = arrived[len(arrived)-1].At`, `p.Until = time.Time{}`, only("TestConsoleEventPages", pkg)},
		{"", "an event shows the lines of another company's", "internal/operator/trace.go",
			`return of != "" && of != company`, `return of == company && of == ""`, only("TestConsoleEvent", pkg)},
		{"", "what Procore sent is unfolded in the console", "internal/operator/console/templates/parts.html",
			`<details class="payload">`, `<details class="payload" open>`, only("TestConsoleEvent", pkg)},
		{"", "marks of direction are shown in what Procore sent", "internal/operator/console/event.go",
			`unicode.IsGraphic(r) && !unicode.IsSpace(r):`, `unicode.IsGraphic(r) || !unicode.IsSpace(r):`, only("TestConsoleEvent", pkg)},
		{"", "the console reads a company's whole quarantine", "internal/operator/quarantine.go",
			`each > 0 && read > each`, `each > 0 && read > 10*each`, only("TestConsoleManyQuarantined", pkg)},
		{"", "the console reads two tables to show the keys", "internal/operator/console/keys.go",
			`read := c.Operator.RingKeys`, `read := c.Operator.Keys`, only("TestConsoleKeys", pkg)},
		{"", "more deliveries than were counted are not noticed", "internal/webhook/inbox/item.go",
			`a.Cut[i] = true`, `a.Cut[i] = false`, only("TestActivity", "./internal/webhook/inbox")},
	}
}
