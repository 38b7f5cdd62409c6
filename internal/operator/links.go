package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
)

// ErrNoLinks means that the stack has no key to sign a link with.
var ErrNoLinks = errors.New("this stack takes no signed links: set its parameter ReturnUrls, see docs/HOST-APPLICATION.md")

// ReturnURL returns the return address of a link: the one that is asked for, or the only one of the stack.
func (o *Operator) ReturnURL(asked string) (string, error) {
	switch {
	case o.Links == nil:
		return "", ErrNoLinks
	case asked == "" && len(o.ReturnURLs) == 1:
		return o.ReturnURLs[0], nil
	case asked == "":
		return "", fmt.Errorf("the stack has several return addresses; choose one with --return: %s", strings.Join(o.ReturnURLs, ", "))
	case !slices.Contains(o.ReturnURLs, asked):
		return "", fmt.Errorf("%.200q is not among the stack's parameter ReturnUrls, by character: %s", asked, strings.Join(o.ReturnURLs, ", "))
	}
	return asked, nil
}

// SignedLink is a link of a host application, and what its session would keep.
type SignedLink struct {
	Address   string
	Challenge string // names the link
	Verifier  procore.Secret
	Expires   time.Time
}

// SignLink makes a link as a host application does.
func (o *Operator) SignLink(ctx context.Context, reference, tenant, returnURL string, lifetime time.Duration) (SignedLink, error) {
	host := o.host()
	host.Lifetime = lifetime
	expires := o.clock.Now().Add(lifetime)
	address, verifier, err := host.Start(ctx, reference, tenant, returnURL)
	if err != nil {
		return SignedLink{}, err
	}
	return SignedLink{address, link.Challenge(verifier), verifier, expires}, nil
}

// Redeem redeems a code as a host application does. A [*link.RedeemError] has the result if the code was redeemed before.
func (o *Operator) Redeem(ctx context.Context, code string, verifier procore.Secret) (link.Result, error) {
	if o.Links == nil {
		return link.Result{}, ErrNoLinks
	}
	return o.host().Redeem(ctx, code, verifier)
}

// host is the operator in the place of a host application.
func (o *Operator) host() *link.Host {
	return &link.Host{PublicURL: o.PublicURL, Keys: o.Links, Clock: o.clock, Random: o.Connections.Tokens.Random}
}
