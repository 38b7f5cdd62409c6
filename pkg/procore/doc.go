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
// three statements over [Get], [List], [Post], [Patch] and [Delete].
//
// A GET that meets a transient answer is repeated at most twice, after the wait
// that Procore asks for and within the context; nothing else is sent twice.
//
// # Errors
//
// Every answer outside 2xx is an [*Error]. Callers branch with errors.Is on
// [ErrUnauthorized], [ErrNotConnected], [ErrForbidden], [ErrNotFound],
// [ErrUnavailable] and their siblings, each of which says what to do, and with
// errors.AsType on [*RateLimitError]. No error holds a token, a query or a body.
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
