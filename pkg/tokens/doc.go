// Package tokens stores the tokens of Procore connections in DynamoDB. It never sends
// a single-use refresh token twice, and does not lose a new pair.
//
// A connection is one user's (or the service account's) authorization for one
// company. A caller that needs an access token asks the [Store]:
//
//	access, err := store.Token(ctx, key)
//
// or hands [Store.Transport] to an HTTP client, which asks for each request. Any
// number of callers in any number of processes may ask at once. One of them claims
// the connection, spends the refresh token once and stores the new pair. The others
// wait for it, or use the access token while it is valid.
//
// The generation counts the pairs of a connection and never restarts. A claim is the
// right of one attempt to spend the refresh token of one generation. The principal is
// the user, or the service account, whose authorization it is.
//
// By errors.Is, an error of Token that a caller can act on matches one of
// [ErrNotFound], [ErrReauthorize], [ErrDisconnected], [ErrRevoked],
// [ErrNotInstalled] or [ErrTryAgain].
package tokens
