package procore

import (
	"errors"
	"net/http"
)

// Bearer returns an http.Client that sends this one access token to the
// environment's API and to no other host, so no redirect carries it elsewhere. It
// refreshes nothing (RFC 6750 section 2.1); a connection's calls are made with
// connections.Store's Client. Calls go through base; nil means http.DefaultTransport.
func (e Environment) Bearer(accessToken Secret, base http.RoundTripper) *http.Client {
	if base == nil {
		base = Dial(nil).Transport()
	}
	return &http.Client{Transport: &bearer{e, accessToken, base}}
}

// bearer is the transport of one access token.
type bearer struct {
	environment Environment
	token       Secret
	base        http.RoundTripper
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if !b.environment.HasAPI(r.URL) {
		closeBody(r)
		return nil, errForeign
	}
	return b.base.RoundTrip(authorized(r, b.token))
}

// errForeign refuses a request to another host.
var errForeign = errors.New("procore: an access token is for the API of its environment only")

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// authorized returns a copy of the request with the token. The http.Client does
// not see it, and so copies it to no redirect.
func authorized(r *http.Request, accessToken Secret) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+accessToken.Reveal())
	return r
}
