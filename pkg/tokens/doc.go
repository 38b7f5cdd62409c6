// Package tokens stores the tokens of Procore's users in DynamoDB. It never sends a
// single-use refresh token twice, and does not lose a new pair.
//
// A grant is one user's authorization of the app, or the app's own, [App]: one pair,
// whatever number of companies needs it. A caller that needs an access token asks the
// [Store]:
//
//	access, err := store.Token(ctx, tokens.User(1234567))
//
// or hands [Store.Transport] to an HTTP client, which asks for each request. Any
// number of callers in any number of processes may ask at once. One of them claims
// the grant, spends the refresh token once and stores the new pair. The others wait
// for it, or use the access token while it is valid.
//
// [Store.Authorize] stores what a user granted. [Store.Hold] and [Store.Release] record
// who needs the grant: a holder is an opaque string, such as a company's id. A grant
// that no holder needs is revoked, by [Store.Revoke]. [Upkeep] is for a schedule.
//
// The generation counts the pairs of a grant and never restarts. A claim is the right of
// one attempt to spend the refresh token of one generation.
//
// By errors.Is, an error of Token that a caller can act on matches one of
// [ErrNotFound], [ErrReauthorize], [ErrRevoked], [ErrRejected] or [ErrTryAgain].
package tokens
