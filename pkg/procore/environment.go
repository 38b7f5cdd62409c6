package procore

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// An Environment is one of Procore's separate installations. Tokens and app
// credentials of one are useless in another and must never be sent there. Use
// [Production], [Sandbox], [Monthly], [Federal] or [ParseEnvironment]. Calls into
// the zero Environment fail.
//
// https://procore.github.io/documentation/development-environments
// https://procore.github.io/documentation/tutorial-mpz
type Environment struct {
	// Name is production, sandbox, monthly, federal or custom.
	Name string
	// LoginURL is the base of /oauth/authorize, /oauth/token and
	// /oauth/revoke, without a trailing slash.
	LoginURL string
	// APIURL is the base of /rest/..., without a trailing slash.
	APIURL string
}

// HasAPI reports whether u is an address of the environment's API. An access token
// may be sent to no other address.
func (e Environment) HasAPI(u *url.URL) bool { return u.Scheme+"://"+u.Host == e.APIURL }

// Production returns the environment in which customers work. An on-demand sandbox
// is a separate company in production.
func Production() Environment {
	return Environment{"production", "https://login.procore.com", "https://api.procore.com"}
}

// Sandbox returns the developer sandbox, which has its own app credentials.
func Sandbox() Environment {
	return Environment{"sandbox", "https://login-sandbox.procore.com", "https://sandbox.procore.com"}
}

// Monthly returns the monthly sandbox, which takes production credentials. Procore
// overwrites it from production at the start of each month, and that ends the
// connections made in it; see [Environment.Overwritten].
func Monthly() Environment {
	return Environment{"monthly", "https://login-sandbox-monthly.procore.com", "https://api-monthly.procore.com"}
}

// Federal returns the FedRAMP zone, which has its own app registration and no
// sandbox.
func Federal() Environment {
	return Environment{"federal", "https://login.procoregov.com", "https://api.procoregov.com"}
}

// ParseEnvironment returns the environment called name. "custom" needs both URLs.
// For every other name both must be empty, because a URL that would be ignored is
// more likely a mistake about where tokens go.
//
// A URL has a scheme, a host and an optional port, nothing else. The scheme is
// https; http is accepted for a loopback host and for the hosts in plainHosts
// (host.docker.internal under AWS_SAM_LOCAL).
func ParseEnvironment(name, loginURL, apiURL string, plainHosts ...string) (Environment, error) {
	if name == "custom" {
		return customEnvironment(loginURL, apiURL, plainHosts)
	}
	for _, e := range []Environment{Production(), Sandbox(), Monthly(), Federal()} {
		if e.Name != name {
			continue
		}
		if loginURL != "" || apiURL != "" {
			return Environment{}, fmt.Errorf("procore: environment %s has its own URLs; use custom to set them", name)
		}
		return e, nil
	}
	return Environment{}, fmt.Errorf("procore: unknown environment %q; want production, sandbox, monthly, federal or custom", clip(name, 40))
}

func customEnvironment(loginURL, apiURL string, plainHosts []string) (Environment, error) {
	login, err := baseURL(loginURL, plainHosts)
	if err != nil {
		return Environment{}, fmt.Errorf("procore: login URL of the custom environment: %w", err)
	}
	api, err := baseURL(apiURL, plainHosts)
	if err != nil {
		return Environment{}, fmt.Errorf("procore: API URL of the custom environment: %w", err)
	}
	return Environment{Name: "custom", LoginURL: login, APIURL: api}, nil
}

// baseURL checks one address and returns it normalized. Its errors never repeat
// the address, which may contain a password.
func baseURL(s string, plainHosts []string) (string, error) {
	if s == "" {
		return "", errors.New("missing")
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", errors.New("not a URL")
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	switch {
	case host == "" || u.Opaque != "":
		return "", errors.New("no host; want https://host")
	case u.User != nil:
		return "", errors.New("user information is not allowed")
	case strings.Trim(u.Path, "/") != "":
		return "", errors.New("a path is not allowed")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return "", errors.New("a query or fragment is not allowed")
	case host == "app.procore.com":
		return "", errors.New("app.procore.com is the web application and does not serve the API in Procore's regions; use login.procore.com and api.procore.com")
	case u.Scheme == "http" && !isLoopback(host) && !slices.Contains(plainHosts, host):
		return "", errors.New("http is accepted for a loopback address only; use https")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("the scheme must be https")
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// clip shortens text from outside before it goes into an error.
func clip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	return strings.ToValidUTF8(s[:max], "") + "..."
}
