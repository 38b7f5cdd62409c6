package link

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

const (
	redeemTimeout = 15 * time.Second
	maxAnswer     = 64 << 10
)

// Host makes links and redeems their codes. PublicURL and Keys must be set. Goroutines may share it.
type Host struct {
	PublicURL string // of the deployment, as its output PublicUrl
	Keys      keys.Source[*Keys]
	Lifetime  time.Duration // of a link; zero: MaxLifetime
	HTTP      *http.Client  // nil: one that follows no redirect

	Clock  procore.Clock
	Random procore.Random
}

// Start returns the address that a user's browser is sent to, and the verifier. The caller stores the verifier in its
// own session of this browser, by the link's name, which is [Challenge] of the verifier: two tabs may have a link each.
// returnURL is one of the deployment's ReturnUrls; it may be empty if there is just one.
func (h *Host) Start(ctx context.Context, reference, tenant, returnURL string) (address string, verifier procore.Secret, err error) {
	k, err := h.Keys.Get(ctx)
	if err != nil {
		return "", procore.Secret{}, err
	}
	verifier = procore.NewSecret(h.Random.Text() + h.Random.Text())
	token, err := k.Sign(Link{
		Reference: reference, Tenant: tenant, Challenge: Challenge(verifier),
		Expires: h.Clock.Now().Add(cmp.Or(h.Lifetime, MaxLifetime)),
	})
	if err != nil {
		return "", procore.Secret{}, err
	}
	q := url.Values{ParameterLink: {token}}
	if returnURL != "" {
		q.Set(ParameterReturn, returnURL)
	}
	return strings.TrimRight(h.PublicURL, "/") + "/oauth/start?" + q.Encode(), verifier, nil
}

// The parameters of the address that starts a link.
const (
	ParameterLink   = "ref"
	ParameterReturn = "return"
)

// client follows no redirect, which would pass the verifier on.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// RedeemError is an answer that is no result.
type RedeemError struct {
	Status int    // of HTTP
	Code   string // one of the Error constants; empty: the answer is not the deployment's
	Result Result // with ErrorUsed, what the code led to
}

// Error returns what to do.
func (e *RedeemError) Error() string {
	switch e.Code {
	case ErrorOff:
		return "link: the deployment takes no links: set its parameter ReturnUrls"
	case ErrorUnauthorized:
		return "link: the deployment knows no key of this host, or the clocks differ: compare the secret of links"
	case ErrorUnknown:
		return "link: no such code for this verifier, or it has expired: make another link"
	case ErrorUsed:
		return "link: the code was redeemed before"
	case ErrorOver:
		return "link: the connection has ended, or was made again, since the browser came back: make another link"
	case ErrorUnavailable:
		return "link: the deployment cannot redeem the code at the moment: redeem it again"
	}
	return fmt.Sprintf("link: the deployment answered %d: check PublicURL, and that ReturnUrls is set", e.Status)
}

// Redeem exchanges the code that a browser came back with for the result, with the verifier of the session of this very
// browser. A *RedeemError is the deployment's refusal. After another error, or ErrorUnavailable, Redeem may be called
// again; if only the answer was lost, that one is an ErrorUsed with the result.
func (h *Host) Redeem(ctx context.Context, code string, verifier procore.Secret) (Result, error) {
	k, err := h.Keys.Get(ctx)
	if err != nil {
		return Result{}, err
	}
	token, err := k.SignRedemption(h.Clock.Now())
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, redeemTimeout)
	defer cancel()
	form := url.Values{FieldCode: {code}, FieldVerifier: {verifier.Reveal()}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(h.PublicURL, "/")+PathRedeem, strings.NewReader(form.Encode()))
	if err != nil {
		return Result{}, fmt.Errorf("link: PublicURL: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := cmp.Or(h.HTTP, client).Do(req)
	if err != nil {
		return Result{}, fmt.Errorf("link: %w", err)
	}
	defer resp.Body.Close()
	var result Result
	err = json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&result)
	if resp.StatusCode == http.StatusOK && err == nil && result.Outcome != "" {
		return result, nil
	}
	if err != nil {
		result = Result{}
	}
	return Result{}, &RedeemError{Status: resp.StatusCode, Code: result.Error, Result: result}
}

// The path of a redemption, and its form's fields.
const (
	PathRedeem    = "/links/redeem"
	FieldCode     = "code"
	FieldVerifier = "verifier"
)

// The parameters that a browser comes back with.
const (
	ParameterName    = "link"
	ParameterOutcome = "result"
	ParameterCode    = "code"
)
