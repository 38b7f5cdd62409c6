package main

// examining breaks the doctor, and the judge of what lies between two reads.
func examining() []mutant {
	const span, folder, judge, pkg = "internal/invariants/span.go", "internal/operator/doctor/", "./internal/invariants", "./cmd/procore-connect"
	return []mutant{
		{"", "a change without a new revision is not noticed", span,
			`p.check(old.equal(now)`, `p.check(true`, only("TestCheckSpan", judge)},
		{"", "any state is reached from any other", span,
			`!now.user() || allowed`, `true || allowed`, only("TestCheckSpan", judge)},
		{"", "the past may be rewritten between two reads", span,
			`p.check(c.remembers(writes)`, `p.check(true`, only("TestCheckSpan", judge)},
		{"", "the ledger is not asked about a claimed grant", folder + "rows.go",
			`wrong != nil || row.Sent()`, `wrong != nil`, only("TestDoctor", pkg)},
		{"", "a row in use is reported", folder + "rows.go",
			`revision(after) == revision(before)`, `true`, only("TestDoctorBesideFunctions", pkg)},
		{"", "a subscription counts before it is confirmed", folder + "subscriptions.go",
			`strings.HasPrefix(aws.ToString(s.SubscriptionArn), "arn:")`, `true`, only("TestDoctor", pkg)},
		{"", "any server passes for the stack", folder + "addresses.go",
			` || p.page != page`, ``, only("TestDoctor", pkg)},
		{"", "a deleted grant is not noticed", folder + "watch.go",
			`!still {`, `false && !still {`, only("TestDoctorWatch", pkg)},
	}
}
