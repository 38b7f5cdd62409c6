package main

// reconciling breaks R9: a change that no webhook reported is found.
func reconciling() []mutant {
	const cursor, change, gate, reading = "internal/webhook/reconcile/cursor.go", "internal/webhook/reconcile/change.go", "internal/webhook/reconcile/gate.go", "internal/webhook/reconcile/read.go"
	return []mutant{
		{"R9", "the cursor moves before all projects are done", cursor,
			`{ c.Project, c.At = project, time.Time{} }`, `{ c.Project, c.At, c.From = project, time.Time{}, c.To }`, reconciler},
		{"R9", "a query is no wider than its range", cursor,
			`return from.Truncate(time.Second).Add(-time.Second), to.Add(time.Second)`, `return from, to`, only("TestWidened", reconciler)},
		{"R9", "a window ends now", cursor, `	settling = time.Minute`, `	settling = 0 * time.Minute`, only("TestSettling", reconciler)},
		{"R9", "coverage has a tolerance", change,
			`if !last.Before(changed) {`, `if !last.Before(changed.Add(-time.Second)) {`, only("TestJudge", reconciler)},
		{"R9", "a window opens before the queue is drained", gate,
			`	case trouble:`, `	case trouble && false:`, only("TestOutage", reconciler)},
		{"R9", "what was refused is forgotten", reading,
			`if !old.since.IsZero() && old.since.Before(c.From) {`, `if false {`, only("TestRefusedTool", reconciler)},
		{"R9", "a list is read while its pages shift", reading,
			`				items, err = t.whole(ctx, s, id, c.At, end)`, `				err = nil`, only("TestMoreThanAPageInASecond", reconciler)},
		{"R9", "several pages are read once", reading, `	for range readsWhole {`, `	for range 1 {`, only("TestCrookedLists", reconciler)},
	}
}
