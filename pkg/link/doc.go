// Package link connects the tenants of a host application: a product of many tenants, whose users connect a Procore
// company each for their own. The host sends a user's browser to a link that names the tenant by a reference, and learns
// from its redemption which company was connected for it.
//
//	address, verifier, err := host.Start(ctx, tenant.ID, tenant.Name, "https://app.example/procore/done")
//	// store the verifier in this browser's session, and redirect the browser to address
//	...
//	// the browser is back at /procore/done?link=...&result=...&code=...
//	result, err := host.Redeem(ctx, r.FormValue("code"), verifier)
//
// A link is an expiring JSON Web Token (RFC 7519), signed with HMAC SHA-256 by a key that host and deployment share. Its
// challenge is the hash of a verifier, as in RFC 7636. Only the server that has the verifier in the session of the
// browser that comes back can redeem the code, so that a link that was forwarded to another person connects nothing to
// the sender's tenant.
package link
