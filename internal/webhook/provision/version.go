package provision

import (
	"cmp"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// PayloadVersion returns the payload version of a company's hook: the configured one,
// or else the newest whose events show which changes are the app's own. Those of v4.0
// name only the user, which is enough as long as the service account alone acts in the
// company. A user may also change things by hand, so with a user's connection it is
// v3.0, whose events name the app. all are the company's connections.
//
// https://procore.github.io/documentation/payload-formats
func PayloadVersion(configured string, all []connections.Connection) string {
	byApp, byUser := false, false
	for _, c := range all {
		connected := c.State == connections.Connected
		byApp = byApp || connected && c.Principal == tokens.App
		byUser = byUser || connected && c.Principal != tokens.App
	}
	if byApp && !byUser {
		return cmp.Or(configured, "v4.0")
	}
	return cmp.Or(configured, "v3.0")
}
