package main

// restoring removes guards of the operator's restore from a backup.
func restoring() []mutant {
	const dir, command = "internal/operator/restore/", "./cmd/procore-connect"
	return []mutant{
		{"", "a restored row replaces a newer one", dir + "put.go", `.Absent(w.partition(k)).Put(k.table, one.item)`, `.Absent("never").Put(k.table, one.item)`,
			only("TestRestoreBesideFunctions", command)},
		{"", "a connection comes back without its grant", dir + "put.go", `if one.company != 0 && w.waits[one.of] {`, `if one.company < 0 && w.waits[one.of] {`, only("TestRestoreFails", command)},
		{"D", "an erased company comes back", "internal/operator/restore.go", `if line.Verb == eraseVerb {`, `if line.Verb == "never "+eraseVerb {`, only("TestRestoreAll", command)},
		{"D", "an erasure that cannot be read does not count", "cmd/procore-connect/restore.go", `case err != nil && !r.unaudited:`, `case err != nil && r.At.IsZero():`, only("TestRestoreWithoutLog", command)},
		{"", "another table is taken for a copy", dir + "copies.go", `if s == nil || aws`, `if s != nil && aws`, only("TestRestoreRefuses", command)},
		{"", "a restored grant keeps a holder whose connection has ended", "pkg/connections/restored.go", `c.Rev != 0 && c.State != Ended`, `c.Rev != 0`, only("TestReleaseEnded", "./pkg/connections")},
		{"", "a company that connects loses its restored grant", "pkg/connections/restored.go", `, unchanged.Check(s.Table, s.rowKey(k)))`, `)
		_ = unchanged`, only("TestReleaseEndedBesideConnect", "./pkg/connections")},
		{"", "a company whose turn was lost is never reconciled", dir + "put.go", `serving[id] && !turns[id]`, `serving[id] && turns[id]`, only("TestRestoreReconciliation", command)},
		{"", "a company that is not connected is reconciled", dir + "put.go", `serving[id] && !turns[id]`, `!turns[id]`, only("TestRestoreReconciliation", command)},
		{"", "a heartbeat comes back", dir + "restore.go", `ours && (one.of == tokens.App || strings.HasPrefix(name, "user#"))`, `ours`, only("TestRestoreAll", command)},
	}
}
