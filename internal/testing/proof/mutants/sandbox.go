package main

// sandbox removes what keeps a run against Procore's sandbox apart from the fake's, and its secrets on this machine.
func sandbox() []mutant {
	const stack, local, since = "internal/testing/stack/sandbox.go", "cmd/local/sandbox.go", "internal/webhook/provision/since.go"
	const stacks, locals = "./internal/testing/stack", "./cmd/local"
	return []mutant{
		{"", "a state of the fake is used for the sandbox", stack, `	case have.Procore != want.Procore:`, `	case false:`, only("TestFakeStateIsNotTheSandboxes", stacks)},
		{"", "a page in a browser reads the app's secret", stack, `		if !onLoopback(r.Host) {`, `		if false {`, only("TestSandboxThroughATunnel", stacks)},
		{"", "a hook leads to loopback", "internal/webhook/provision/config.go", `len(c.Triggers) == 0 || c.Unreachable`, `len(c.Triggers) == 0`, only("TestUnreachable", hooking)},
		{"", "without a hook nothing is reconciled", since, `!reports && !want.unhooked`, `!reports`, only("TestUnreachable", hooking)},
		{"", "the compiler inherits the client secret", local, `os.Unsetenv(name)`, `error(nil)`, only("TestSandboxOption", locals)},
		{"", "make run works in production", local, `case procore.Production().Name, `, `case `, only("TestSandboxRefusals", locals)},
	}
}
