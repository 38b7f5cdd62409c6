// Package procore is a client for Procore's REST API and for its token endpoint. It
// stores nothing; package tokens stores grants, and package connections the companies
// that use them.
//
// A script without a user needs the app's credentials and the id of a company that
// installed the app:
//
//	app := &procore.OAuth{Environment: env, ClientID: id, ClientSecret: procore.NewSecret(secret)}
//	token, err := app.ClientCredentials(ctx)
//	if err != nil {
//		return err
//	}
//	company := procore.NewCompanyClient(env, env.Bearer(token.AccessToken, nil), 5678)
//	for project, err := range company.Projects(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(project.ID, project.Name)
//	}
//
// That token expires after 90 minutes. A program that runs longer, or acts for a user,
// takes its client from the store, which keeps the token valid. The principal is the
// user's, or tokens.App for the app itself:
//
//	company := store.Client(connections.Key{CompanyID: 5678, Principal: tokens.App})
//
// # Calls
//
// A company's client names its company in the Procore-Company-Id header of every
// call. Before the user has chosen a company there is only [UserClient]. Its two
// calls do not install the app anywhere.
//
// An endpoint that this package lacks takes three statements with [Get], [List],
// [Post], [Patch], [Put] or [Delete]. A missing field takes a type of your own, which
// may embed a type of this package.
//
// Answers are read leniently, as [Unmarshal] does: one odd field never costs its item,
// and one odd item never costs its list. [WithOdd] counts them.
//
// # Repetition
//
// A call is repeated at most twice, and only where that is safe. GET, PUT and DELETE are
// repeated after a transient answer (408, 500, 502 to 504, 520 to 530), after one of a
// gateway (2xx, 401 or 403 without JSON), and after a broken connection. Every method is
// repeated after a 429, and where no connection was made, because then not a byte was
// written. net/http would repeat a call after a reset HTTP/2 stream; here such a stream
// counts as a broken connection. Nothing else is sent twice. Each wait is the one that
// Procore asks for, or a growing pause, with jitter, within the context and
// [WithMaxWait].
//
// # Rate limits
//
// A client reads from each answer how many calls are left. No call waits while more are
// left than are in flight. When none is left, calls wait until the limit resets, as
// [Limits] describes. The goroutines of a client share that knowledge. Several clients
// share it through [Limits]; those of connections.Store.Client already do.
//
// # Errors
//
// Every answer outside 2xx is an [*Error]. Callers branch with errors.Is on
// [ErrUnauthorized], [ErrNotConnected], [ErrForbidden], [ErrNotFound],
// [ErrUnavailable] and their siblings, and with errors.AsType on [*RateLimitError].
// The comment on each names what to do, and so does [Error.Advice]. No error contains
// a token, a query or a body.
//
// # Tokens
//
// [OAuth] calls the token endpoint. A refresh token is single-use, so those requests
// have their own sender, which never sends twice and knows whether it sent anything.
//
// Tokens, the client secret and the other values that must not be seen are a [Secret],
// which nothing prints. The clients of this package send an access token to the API of
// their environment alone, wherever a redirect leads; see [Environment.Bearer].
//
// # Webhooks
//
// [CompanyClient.CreateHook] and [CompanyClient.CreateTrigger] set webhooks up.
// [DecodeEvent] reads a delivery of any payload version into an [Event]. [ParseEvent]
// reads an event from the queue, and [CompanyClient.Read] the resource that changed.
package procore
