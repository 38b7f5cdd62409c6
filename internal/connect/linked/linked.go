// Package linked reads the signed links of host applications, and leads browsers back to them.
package linked

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"procore-connect/internal/connect/session"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procore"
)

var (
	// ErrOff means that this deployment has no return addresses, and so takes no links.
	ErrOff = errors.New("the address has a host application's link, and RETURN_URLS is empty")
	// ErrReturn means that the address is not one of RETURN_URLS, character by character (RFC 9700 section 4.1.3).
	ErrReturn = errors.New("the return address is not one of RETURN_URLS")
)

// Links reads links. The zero Links takes none.
type Links struct {
	Keys    keys.Source[*link.Keys]
	Returns []string // the addresses that a link may lead back to
	Clock   procore.Clock
}

// On reports whether links are taken.
func (l Links) On() bool { return len(l.Returns) > 0 }

// Of returns the link in the address of a request, or that of the browser's flow before, which it continues. Without
// either the link is zero. The error is ErrOff, ErrReturn, [link.ErrInvalid] or [link.ErrExpired], or one of reading the
// keys.
func (l Links) Of(r *http.Request, before session.Session) (session.Link, error) {
	q := r.URL.Query()
	sent := q.Has(link.ParameterLink) || q.Has(link.ParameterReturn) && l.On()
	switch {
	case sent && !l.On():
		return session.Link{}, ErrOff
	case sent:
		return l.verified(r.Context(), q)
	case before.Link.Name == "", before.Status == session.Connected:
		return session.Link{}, nil
	case !l.Allows(before.Link.Return):
		return session.Link{}, ErrReturn
	}
	return before.Link, nil
}

func (l Links) verified(ctx context.Context, q url.Values) (session.Link, error) {
	back := l.Return(q)
	switch {
	case back == "":
		return session.Link{}, ErrReturn
	case len(q[link.ParameterLink]) != 1:
		return session.Link{}, link.ErrInvalid
	}
	return keys.Use(ctx, l.Keys, func(k *link.Keys) (session.Link, error) {
		signed, err := k.Verify(q.Get(link.ParameterLink), l.Clock.Now())
		return session.Link{Name: signed.Challenge, Reference: signed.Reference, Tenant: signed.Tenant, Return: back}, err
	})
}

// Return returns the return address that an address has. If it has none, and just one is allowed, that is meant. A
// return address that is not allowed is empty.
func (l Links) Return(q url.Values) string {
	sent := q[link.ParameterReturn]
	switch {
	case len(sent) == 0 && len(l.Returns) == 1:
		return l.Returns[0]
	case len(sent) == 1 && l.Allows(sent[0]):
		return sent[0]
	}
	return ""
}

// Allows reports whether a browser may be led to the address.
func (l Links) Allows(address string) bool { return slices.Contains(l.Returns, address) }

// Address returns where the browser goes with the outcome of a session and its code.
func Address(s session.Session, code procore.Secret) (string, error) {
	u, err := url.Parse(s.Link.Return)
	if err != nil {
		return "", errors.New("the return address is not an address")
	}
	q := u.Query()
	q.Set(link.ParameterName, s.Link.Name)
	q.Set(link.ParameterOutcome, string(s.Outcome()))
	q.Set(link.ParameterCode, code.Reveal())
	u.RawQuery = q.Encode()
	return u.String(), nil
}
