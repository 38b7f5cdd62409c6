package wire

import (
	"errors"

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
