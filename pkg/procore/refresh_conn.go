package procore

import (
	"cmp"
	"context"
	"net/url"
	"time"
)

// RefreshConn is an open connection to the token endpoint, for one refresh.
type RefreshConn struct {
	oauth *OAuth
	line  *line
}

// Connect opens a connection to the token endpoint, through DNS, proxy and TLS. A failure
// of these then comes before the caller claims the right to send a refresh token, not
// after it. The connection can be used for two seconds. The error is a *TokenError with
// the Outcome NotSent.
func (o *OAuth) Connect(ctx context.Context) (*RefreshConn, error) {
	req, err := formRequest(o.tokenURL(), nil)
	if err != nil {
		return nil, tokenError(answer{}, false, err)
	}
	l, err := o.sender().connect(ctx, req)
	if err != nil {
		return nil, tokenError(answer{}, false, err)
	}
	return &RefreshConn{o, l}, nil
}

// Refresh spends a refresh token for a new pair, as [OAuth.Refresh] does. If the server
// sent something or closed the connection before the request, the Outcome is NotSent. A
// connection is used for one call.
func (c *RefreshConn) Refresh(ctx context.Context, refreshToken Secret, redirectURI string, notAfter time.Time) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.oauth.sender().timeout, defaultTimeout))
	defer cancel()
	req, err := formRequest(c.oauth.tokenURL(), c.oauth.withCredentials(url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {refreshToken.Reveal()},
		"redirect_uri":  {redirectURI},
	}))
	if err != nil {
		return Token{}, tokenError(answer{}, false, err)
	}
	return tokenOf(c.line.send(ctx, req, notAfter))
}

// Close closes the connection.
func (c *RefreshConn) Close() error { return c.line.Close() }

func (o *OAuth) tokenURL() string { return o.Environment.LoginURL + "/oauth/token" }
