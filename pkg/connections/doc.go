// Package connections stores which company is connected by whom, and in what state. It
// calls Procore for a company with the token of a grant: see package tokens.
//
// A caller asks the [Store] for the connection that serves a company, and for its client:
//
//	c, err := store.ForCompany(ctx, companyID)
//	client := store.Client(c.Key)
//
// A user's connection is made by [Store.Connect] and ended by [Store.End]. A user has one
// grant for all companies, and it is revoked when the last of them ends.
//
// A service account's connections are made by [Store.AddServiceAccount] for the companies
// that installed the app, and share the token of the app: it is fetched with the client
// secret, so there is no refresh token to lose and no holder to record. [Store.Installed]
// lists them. Where both have connected a company, [Store.ForCompany] prefers the service
// account.
//
// A client works while the connection is connected and the company is among the holders
// of the grant. Connecting and ending change both in one transaction. So it is decided
// in one place which connection is a grant's last one, and a table that is restored from
// a backup alone brings no connection back.
//
// A host application that has sent its tenant's user to connect a company knows the
// connection by its own id of the tenant: see [Store.SetReference].
//
// By errors.Is, an error that a caller can act on matches one of [ErrNotFound],
// [ErrDisconnected], [ErrEnded], [ErrPaused], or an error of the grant:
// [tokens.ErrReauthorize], [tokens.ErrRevoked] or [tokens.ErrTryAgain].
package connections
