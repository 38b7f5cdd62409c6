// Package procore is a client for Procore's API. It stores nothing; package
// tokens keeps connections and hands out valid tokens.
//
// # Calls
//
// The token lives in the Transport of the http.Client, the company in the
// client:
//
//	hc := &http.Client{Transport: transport} // adds Authorization: Bearer
//	c := procore.NewCompanyClient(procore.Production(), hc, companyID)
//	for project, err := range c.Projects(ctx) {
//		...
//	}
//
// A company's client names its company in the Procore-Company-Id header of every
// call. Before the user has chosen a company there is only [UserClient], with the
// two calls that install the app nowhere. An endpoint that is missing here is
// three statements over [Get], [List], [Post], [Patch], [Put] and [Delete]. So is a
// field that is missing: read the resource into a type of your own, with all the
// fields you want. Don't embed a type of this package: it reads its own JSON, and
// the fields beside it would stay empty without an error.
//
// [ServiceAccount] gives clients that need no user and no Transport.
//
// # Repetition
//
// A call is repeated at most twice, and only where that is safe: GET, PUT and
// DELETE after a transient answer (408, 500, 502, 503) or a broken connection;
// every method after a 429, and where no connection came about, so that not a byte
// was written. Where net/http would repeat a call by itself, behind HTTP/2 after a
// reset stream, the connection counts as broken. Each wait is what Procore asks for,
// or a growing pause, with jitter, within the context and [WithPatience]. Nothing
// else is sent twice.
//
// # Rate limits
//
// A client reads what Procore says is left, and slows down before Procore refuses.
// Its goroutines share what is known. Several clients share it through [Limits];
// those of a [ServiceAccount] and of tokens.Store.Client do already.
//
// # Errors
//
// Every answer outside 2xx is an [*Error]. Callers branch with errors.Is on
// [ErrUnauthorized], [ErrNotConnected], [ErrForbidden], [ErrNotFound],
// [ErrUnavailable] and their siblings, each of which says what to do, and with
// errors.AsType on [*RateLimitError]; [Error.Advice] says what to do. No error
// holds a token, a query or a body.
//
// # Tokens
//
// [OAuth] speaks to the token endpoint. A refresh token is single-use, so those
// requests have their own sender, which never sends twice and knows whether it
// sent at all.
//
// # Webhooks
//
// [CompanyClient.CreateHook] and [CompanyClient.CreateTrigger] set them up.
// [DecodeEvent] reads a delivery of any payload version into an [Event],
// [ParseEvent] reads an event from the queue, and [CompanyClient.Read] reads what
// changed.
package procore
