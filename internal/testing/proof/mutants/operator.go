package main

// operator breaks what the operator's command answers.
func operator() []mutant {
	const status, why, text, pkg = "internal/operator/status.go", "internal/operator/why.go", "cmd/procore-connect/text.go", "./cmd/procore-connect"
	return []mutant{
		{"", "a person is sent for although another connection serves the company", status,
			`all[i].NeedsPerson = !served`, `all[i].NeedsPerson = !served || true`, only("TestMorning", pkg)},
		{"", "no one is sent for when a webhook needs an administrator", status,
			`all[i].NeedsPerson = c.Webhook == string(connections.WebhooksNeedsAdmin) && !hooked`, `all[i].NeedsPerson = false && hooked`, only("TestMorning", pkg)},
		{"", "an open breaker is no trouble of a company", why,
			`&& !c.Breaker.Open {`, `{`, only("TestOutage", pkg)},
		{"", "a company's name moves the operator's cursor", text,
			`unicode.IsGraphic(r) && !unicode.IsSpace(r)`, `unicode.IsGraphic(r) || true`, only("TestMorning", pkg)},
		{"", "the list of a tenant has another tenant's connections", "internal/operator/list.go",
			` && (f.Reference == "" || f.Reference == c.Reference)`, ``, only("TestReferences", pkg)},
		{"", "another environment's connections are listed", "pkg/connections/company.go",
			`strings.HasPrefix(company, s.Tokens.Environment.Name+"#")`, `true`, only("TestMorning", pkg)},
		{"", "two operators overwrite each other's keys", "internal/operator/keyring/secret.go",
			`VersionStages: []string{next},
	})`, `VersionStages: []string{next, "AWSCURRENT"},
	})`, only("TestStale", "./internal/operator/keyring")},
		{"", "a key is current before every function knows it", "internal/operator/keyring/ring.go",
			`now.Before(ready)`, `now.Before(ready) && false`, only("TestRefused", "./internal/operator/keyring")},
		{"", "a key is retired that a grant or a hook needs", "internal/operator/keys.go",
			`counted = counted || u.Count > 0`, `u.Count = 0`, only("TestRotateWebhookKey", pkg)},
		{"", "a key is retired that the ledger needs", "internal/operator/keys.go",
			`until.Add(keyring.Settled + tokens.LedgerLife)`, `until.Add(keyring.Settled)`, only("TestRotateSealKey", pkg)},
		{"", "a key is retired while Procore repeats deliveries with its credential", "internal/operator/keys.go",
			`Until: last.Add(repeats)`, `Until: last`, only("TestRotateWebhookKey", pkg)},
		{"", "what is in quarantine is a company's last event", "internal/webhook/inbox/traces.go",
			`		if k.resource != quarantineKey(companyID) {`, `		if true {`, only("TestLast", "./internal/webhook/inbox")},
		{"", "what a person pastes becomes a part of the query", "internal/operator/logs/filter.go",
			"strings.ContainsRune(\"\\\"'`\\\\|\", r) || ", ``, only("TestRefusedQueries", "./internal/operator/logs")},
		{"", "a change is made although it could not be noted", "cmd/procore-connect/change.go",
			`errors.Is(err, operator.ErrNotAudited) && s.unaudited:`, `errors.Is(err, operator.ErrNotAudited):`, only("TestAudit", pkg)},
		{"", "what Procore sent is shown without being asked for", "internal/operator/event.go",
			`	d.Envelope.Data = nil
`, ``, only("TestEventBody", pkg)},
		{"", "an event that fails again after it was handled counts as handled", "internal/operator/state.go",
			`!p.Handled.IsZero() && !p.Handled.Before(p.Failed)`, `!p.Handled.IsZero()`, only("TestEvents", pkg)},
		{"", "a company that is connected is erased", "pkg/connections/erase.go",
			`		if row.inUse {`, `		if row.rev < 0 {`, only("TestErase", "./pkg/connections")},
		{"", "a company that connects during its erasure is erased", "pkg/connections/erase.go",
			`.Equal("rev", dynamo.NonZero(row.rev)).Equal("write", dynamo.Text(row.write))`, ``, only("TestEraseOfAConnectedCompany", pkg)},
		{"", "the same id of another company tells what became of an event", "internal/operator/progress.go",
			`wanted[EventKey{company, l.Fields.Text("event_id")}]; ok`, `wanted[EventKey{of[0].CompanyID, l.Fields.Text("event_id")}]; ok && company != 0`, only("TestEvents", pkg)},
	}
}
