package main

// hooks breaks the reconciler of hooks.
func hooks() []mutant {
	const plan, observe, apply, pass = "internal/webhook/provision/plan.go", "internal/webhook/provision/observe.go", "internal/webhook/provision/apply.go", "internal/webhook/provision/pass.go"
	return []mutant{
		{"", "a credential counts as set that Procore did not accept", apply,
			`case s.do == patchHook && err == nil:`, `case s.do == patchHook:`, only("TestCredentialIsSetByAnAnswer", hooking)},
		{"", "a rotation does not reach the hook", plan,
			`compare(essential, "credential", want.credential, cmp.Or(m.Credential, "unknown"))`, `compare(essential, "credential", want.credential, m.Credential)`, only("TestPlan$", hooking)},
		{"", "a row of reconciliation that was lost stays lost", "internal/webhook/provision/reconciler.go", `!l.row.Since.IsZero() { // the row`,
			`false { // the row`, only("TestReconciliationScheduledAgain", "./internal/webhook/provision")},
		{"", "a hook that is made again moves the beginning of reconciliation", "internal/webhook/provision/state.go",
			`*m = Memory{Since: m.Since, `, `*m = Memory{`, only("TestFirstWindowBeginsWithTheFirstHook", "./internal/webhook/reconcile")},
		{"", "a creation without an answer frees the lease", "internal/webhook/provision/row.go",
			`if !l.unanswered {`, `if !l.unanswered || true {`, only("TestCreationWithoutAnAnswer", hooking)},
		{"", "a hook is made for a connection that has ended", pass,
			`	if s.do == createHook {`, `	if false {`, only("TestEndedBeforeTheLease", hooking)},
		{"", "a project is done although its refusal is not kept", "internal/webhook/reconcile/read.go",
			`return err // done without a refusal would be read`, `_ = err`, only("TestRefusalIsNotKept", "./internal/webhook/reconcile")},
		{"", "a URL with a slash at its end is another one", "internal/webhook/provision/names.go",
			`strings.TrimRight(u.Path, "/"), ""`, `u.Path, ""`, only("TestPlan$", hooking)},
		{"", "names in another letter case are others", plan,
			`if key := t.Key(); !stale`, `if key := t.Resource + ":" + string(t.EventType); !stale`, only("TestPlan$", hooking)},
		{"", "a disabled hook stays disabled", apply,
			`		if s.activate {
			spec`, `		if false {
			spec`, only("TestDisabled", hooking)},
		{"", "triggers are removed before others are added", plan,
			`	if stale {
		slices.Reverse(both)`, `	if !stale {
		slices.Reverse(both)`, only("TestPlan$", hooking)},
		{"", "what cannot be repaired is repaired at each pass", plan,
			`if next := old.At.Add(wait); p.at.Before(next) {`, `if next := old.At.Add(wait); p.at.Before(next) && false {`, only("TestPlanRemembers", hooking)},
		{"", "an essential difference is given up", plan,
			`		if w == essential {
			wait = min`, `		if w > essential {
			wait = min`, only("TestPlanRemembers", hooking)},
		{"", "another deployment's hook is ours", observe,
			`case ours, h.ID == m.Replaces:`, `case ours, true:`, only("TestChoose", hooking)},
		{"", "a hook goes while deliveries wait in it", pass,
			`			return true, err`, `			return false, err`, only("TestCreatorLostAccessWhileFailing", hooking)},
		{"", "the next pass does not know what this one adopted", pass,
			`if err := h.items.save(ctx, h.lease); err != nil {`, `if err := error(nil); err != nil {`, only("TestVersionChangeOfAnUnknownHook", hooking)},
	}
}
