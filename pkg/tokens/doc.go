// Package tokens keeps a Procore connection's tokens in DynamoDB so that its
// single-use refresh token is never sent twice and a new pair is not lost.
//
// A connection is one user's (or the service account's) authorization for one
// company. Whoever needs an access token asks the [Store]:
//
//	access, err := store.Token(ctx, key)
//
// or hands [Store.Transport] to an HTTP client, which asks by itself. Any number
// of callers in any number of processes may ask at once: one of them claims the
// connection, spends the refresh token once and stores the new pair; the others
// wait for it or use the access token while it lives.
//
// Words: a generation counts the pairs of a connection and never restarts; a
// claim is the right of one attempt to spend the refresh token of one
// generation; a principal is whose authorization it is.
//
// Every Token error that a caller can act on matches one of the sentinels
// [ErrNotFound], [ErrReauthorize], [ErrDisconnected], [ErrRevoked],
// [ErrNotInstalled] or [ErrTryAgain] by errors.Is.
package tokens
