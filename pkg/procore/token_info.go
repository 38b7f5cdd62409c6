package procore

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// A TokenInfo describes an access token.
//
// https://developers.procore.com/reference/rest/authentication?version=latest, "Get Token Info"
type TokenInfo struct {
	// UserID is the user who authorized the app, 0 for a service account.
	UserID int64
	// ClientID is the app that the token was issued to.
	ClientID string
	// CreatedAt is when the token was issued, by Procore's clock.
	CreatedAt time.Time
	// ExpiresIn is how long the token is still valid.
	ExpiresIn time.Duration
}

// TokenInfo asks Procore to describe an access token. It spends nothing, does not
// install the app anywhere and may be repeated. If the token is expired or revoked,
// the [*TokenError] matches [ErrUnauthorized].
func (o *OAuth) TokenInfo(ctx context.Context, accessToken Secret) (TokenInfo, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.Environment.LoginURL+"/oauth/token/info", http.NoBody)
	if err != nil {
		return TokenInfo{}, &TokenError{Outcome: NotSent, Err: errors.New("the token endpoint's address is not a URL")}
	}
	req.Header.Set("Authorization", "Bearer "+accessToken.Reveal())
	a, sent, err := o.sender().send(ctx, req)
	if err == nil && a.status == http.StatusUnauthorized {
		err = ErrUnauthorized
	}
	if err != nil || a.status != http.StatusOK {
		return TokenInfo{}, tokenError(a, sent, err)
	}
	info, err := decodeTokenInfo(a.body)
	if err != nil {
		return TokenInfo{}, tokenError(a, sent, err)
	}
	return info, nil
}

func decodeTokenInfo(body []byte) (TokenInfo, error) {
	var w struct {
		Owner     int64   `json:"resource_owner_id"`
		ExpiresIn seconds `json:"expires_in_seconds"`
		CreatedAt seconds `json:"created_at"`
		App       *struct {
			UID string `json:"uid"`
		} `json:"application"`
	}
	if _, err := Unmarshal(body, &w); err != nil || w.App == nil || w.Owner < 0 {
		return TokenInfo{}, errors.New("the answer does not describe a token")
	}
	info := TokenInfo{UserID: w.Owner, ClientID: printable(w.App.UID, 256), CreatedAt: w.CreatedAt.time()}
	if w.ExpiresIn > 0 {
		info.ExpiresIn = lifetime(w.ExpiresIn)
	}
	return info, nil
}
