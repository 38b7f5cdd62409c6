package main

// sandbox removes what keeps a run against Procore's sandbox apart from the fake's, and its secrets on this machine.
func sandbox() []mutant {
	const stack, local, portal, since = "internal/testing/stack/sandbox.go", "cmd/local/sandbox.go", "internal/testing/stack/portal/portal.go", "internal/webhook/provision/since.go"
	const check, checks = "internal/testing/proof/sandboxcheck/", "./internal/testing/proof/sandboxcheck"
	const stacks, locals = "./internal/testing/stack", "./cmd/local"
	return []mutant{
		{"", "a state of the fake is used for the sandbox", stack, `	case have.Procore != want.Procore:`, `	case false:`, only("TestFakeStateIsNotTheSandboxes", stacks)},
		{"", "a page in a browser reads the app's secret", stack, `		if !onLoopback(r.Host) {`, `		if false {`, only("TestSandboxThroughATunnel", stacks)},
		{"", "a hook leads to loopback", "internal/webhook/provision/config.go", `len(c.Triggers) == 0 || c.Unreachable`, `len(c.Triggers) == 0`, only("TestUnreachable", hooking)},
		{"", "without a hook nothing is reconciled", since, `!reports && !want.unhooked`, `!reports`, only("TestUnreachable", hooking)},
		{"", "the compiler inherits the client secret", portal, `os.Unsetenv(name)`, `error(nil)`, only("TestSandboxOption", locals)},
		{"", "make run works in production", local, `case procore.Production().Name, `, `case `, only("TestSandboxRefusals", locals)},
		{"", "a stack's grant is replayed", check + "grants.go", `return time.Unix(created, 0).Before(`, `return false && time.Unix(created, 0).Before(`, only("TestGrantOfAStack", checks)},
		{"", "tokens are replayed in production", check + "check.go", `c.Environment == procore.Sandbox() ||`, `c.Environment != (procore.Environment{}) ||`, only("TestNothingIsCalled", checks)},
		{"", "grants of the check stay at Procore", check + "grants.go", `range c.pairs {`, `range c.pairs[:0] {`, only("TestEnds", checks)},
		{"", "any refusal is one for want of the company header", check + "tokens.go", `if !s.ok() && !with.ok() {`, `if false {`, only("TestWithoutPermission", checks)},
		{"", "what a user may not see breaks an assumption", check + "hooks.go", `case slices.Contains([]int{401, 403, 404}, created.status), `, `case `, only("TestWithoutPermission", checks)},
		{"", "a hook that is perhaps there is not named", check + "hooks.go", `if created.ok() || created.err != nil || created.status >= 500 {`, `if false {`, only("TestPerhapsCreated", checks)},
		{"", "a sign-in of another browser is taken", check + "grants.go", `subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(c.state.Reveal())) == 1`, `subtle.ConstantTimeEq(0, 0) == 1`, only("TestForeignState", checks)},
	}
}
