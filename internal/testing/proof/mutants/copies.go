package main

// copies breaks what keeps a copy of the state from spending what the original spends.
func copies() []mutant {
	const file, restored, journal = "internal/testing/fake/journal/journal.go", "pkg/tokens/restored.go", "./internal/testing/fake/journal"
	return []mutant{
		{"R1", "the grants of a copied table are used", restored, `for g.Usable() {`, `for g.Rev < 0 {`, only("TestRestored", storePackage)},
		{"R1", "a copied state is used like the original", "internal/testing/stack/state.go",
			`	if s.journal.Copied() {`, `	if s.db == nil {`, only("TestCopiedState", "./internal/testing/stack")},
		{"R8", "a late pair revives a restored grant", restored, `g.enter(Reauthorize, "", reason`, `g.enter(Reauthorize, g.attempt, reason`, only("TestRestored", storePackage)},
		{"", "a copy is taken for the original", file, `if string(j.live[identityKey]) != identity {`, `if identity == "" {`, journal},
		{"", "a waiting component is released by a write that lacks its change", file, `j.durable = until`, `j.durable = max(until, j.appended)`, only("TestCrashOfManyAtOnce", journal)},
	}
}
