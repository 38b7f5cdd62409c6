package link

import (
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// redemptionAudience is the audience of the token that authenticates the host.
	redemptionAudience = "redeem"
	// maxRedemption is how long such a token may be valid.
	maxRedemption = 5 * time.Minute
)

// Outcome is what became of a link.
type Outcome string

// The outcomes. After NeedsAdmin the user may still connect a company later, which is another outcome with another code.
const (
	Connected  Outcome = "connected"
	Declined   Outcome = "declined"    // by the user, at Procore or at the choice of a company
	NeedsAdmin Outcome = "needs_admin" // an administrator of the company has to act at Procore first
)

// Result is the answer to a redemption.
type Result struct {
	Outcome     Outcome `json:"result"`
	Reference   string  `json:"reference"`
	Tenant      string  `json:"tenant"`
	CompanyID   int64   `json:"company_id,omitempty"` // connected, or that needs an administrator
	CompanyName string  `json:"company_name,omitempty"`
	UserID      int64   `json:"user_id,omitempty"` // who connected it, by Procore's id
	UserName    string  `json:"user_name,omitempty"`
	Reason      string  `json:"reason,omitempty"` // why it needs an administrator

	// Error is empty, or why the code did not take effect: one of the Error constants.
	Error string `json:"error,omitempty"`
	// Message is a sentence about the error.
	Message string `json:"message,omitempty"`
}

// The errors of a redemption.
const (
	ErrorOff          = "off"          // the deployment takes no links: its ReturnUrls is empty
	ErrorUnauthorized = "unauthorized" // the request is not signed by a known key, or its token has expired
	ErrorUnknown      = "unknown"      // no such code for this verifier, or it is older than ten minutes
	ErrorUsed         = "used"         // redeemed before; the answer has the result once more
	ErrorOver         = "over"         // the connection has ended, or was made again, since the browser came back
	ErrorUnavailable  = "unavailable"  // the same request may be sent again
)

// SignRedemption returns the bearer token of a redemption, which is valid for a minute.
func (k *Keys) SignRedemption(now time.Time) (string, error) {
	return k.sign(jwt.MapClaims{"aud": redemptionAudience, "exp": now.Add(time.Minute).Unix()})
}

// VerifyRedemption reports by ErrInvalid or ErrExpired that a bearer token does not authenticate the host.
func (k *Keys) VerifyRedemption(token string, now time.Time) error {
	c, _, err := k.verify(token, now, maxRedemption)
	if err != nil {
		return err
	}
	if audience, err := c.GetAudience(); err != nil || !slices.Contains(audience, redemptionAudience) {
		return badClaim("aud has to be %q", redemptionAudience)
	}
	return nil
}
