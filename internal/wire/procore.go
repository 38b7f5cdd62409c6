package wire

import (
	"errors"
	"strings"

	"procore-connect/pkg/procore"
)

// Environment reads PROCORE_ENVIRONMENT. For custom it also reads
// PROCORE_LOGIN_URL and PROCORE_API_URL.
func (b *Base) Environment() procore.Environment {
	name := b.Env.Require("PROCORE_ENVIRONMENT")
	login, api := b.Env.Optional("PROCORE_LOGIN_URL"), b.Env.Optional("PROCORE_API_URL")
	env, err := procore.ParseEnvironment(name, login, api, b.Env.PlainHosts()...)
	switch {
	case err == nil || name == "":
	case name == "custom":
		b.checkURL("PROCORE_LOGIN_URL", login)
		b.checkURL("PROCORE_API_URL", api)
	default:
		b.Env.Fail("PROCORE_ENVIRONMENT", "%v", err)
	}
	return env
}

// checkURL names the variable of a custom environment that is wrong.
func (b *Base) checkURL(variable, address string) {
	if _, err := procore.ParseEnvironment("custom", address, address, b.Env.PlainHosts()...); err != nil {
		b.Env.Fail(variable, "%v", errors.Unwrap(err)) // the reason alone: the variable names the URL
	}
}

// Webhooks reads WEBHOOK_TRIGGERS and WEBHOOK_NAMESPACE. If there are triggers, a
// namespace is required. Without triggers it is that of the hooks to delete.
func (b *Base) Webhooks() (namespace string, triggers []procore.Trigger) {
	triggers, err := procore.ParseTriggers(b.Env.Optional("WEBHOOK_TRIGGERS"))
	if err != nil {
		b.Env.Fail("WEBHOOK_TRIGGERS", "%v", err)
	}
	if len(triggers) == 0 {
		if namespace = b.Env.Optional("WEBHOOK_NAMESPACE"); !isNamespace(namespace) {
			namespace = ""
		}
		return namespace, nil
	}
	namespace = b.Env.Require("WEBHOOK_NAMESPACE")
	if namespace != "" && !isNamespace(namespace) {
		b.Env.Fail("WEBHOOK_NAMESPACE", "may hold a-z, 0-9 and - only")
	}
	return namespace, triggers
}

// isNamespace reports whether s is a valid namespace. It does not use a regular
// expression: compiling one with a bounded repetition took longer than all other
// initialization of our packages (GODEBUG=inittrace=1).
func isNamespace(s string) bool {
	other := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, other)
}

// PayloadVersion reads WEBHOOK_PAYLOAD_VERSION.
func (b *Base) PayloadVersion() string {
	v, err := procore.ParsePayloadVersion(b.Env.Optional("WEBHOOK_PAYLOAD_VERSION"))
	if err != nil {
		b.Env.Fail("WEBHOOK_PAYLOAD_VERSION", "%v", err)
	}
	return v
}
