// Package oidc runs the functions against an authorization server that this project did not write: oidc-provider, which
// the OpenID Foundation has certified. Users sign in and authorize through the pages, then the refresher and callers in
// other processes race for their grants, some of which are killed or get no answer. The server counts how often a spent
// refresh token is presented: make test-oidc. And make sandbox-check has to find out what that server does.
//
// What no standard has, /me, /companies, /projects and /oauth/token/info, is ours again (procore.mjs), and so is the
// scope that the server requires and Procore does not know. Nothing here shows how Procore itself behaves.
package oidc
