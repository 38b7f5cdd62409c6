package main

// installations breaks how the service account's companies are found, and how they end.
func installations() []mutant {
	const compare, list, vanished = "internal/upkeep/installations/installations.go", "internal/upkeep/installations/list.go", "internal/upkeep/installations/vanished.go"
	const pkg = "./functions/refresher/handler"
	return []mutant{
		{"", "a list that ends early ends connections", compare,
			`	if unlisted != nil {
		return errors.Join(err,`, `	if false {
		return errors.Join(err,`, only("TestPartialList", pkg)},
		{"", "a vanished company ends although others that vanished answer", vanished,
			`if answered > 0 {`, `if false {`, only("TestEmptyList", pkg)},
		{"", "a company that the list lacks ends without a call", vanished,
			`		refused, failed := w.refused(ctx, id)`, `		refused, failed := true, error(nil)`, only("TestVanishedWithoutProof", pkg)},
		{"", "a stopped brake goes on asking companies", vanished,
			`err != nil || b.Engaged() {`, `err != nil || b.Engaged() && false {`, only("TestManyUninstall", pkg)},
		{"", "a company that is not admitted is connected by its installation", compare,
			` || !w.Allowed.Admits(c.ID)`, ``, only("TestAdmittedInstallations", pkg)},
		{"", "a disconnected company that is listed is asked in each run", compare,
			`, w.now().Before(was.PausedUntil):`, `:`, only("TestDisconnectedInstallation", pkg)},
		{"", "each run lists without a header first", list,
			`		w.needsHeader.Store(true)
`, ``, only("TestListNeedsAHeader", pkg)},
	}
}
