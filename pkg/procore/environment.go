package procore

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// An Environment is one of Procore's separate worlds: tokens and app
// credentials of one are worthless, and must never be sent, in another.
// Get one from [Production], [Sandbox], [Monthly], [Federal] or
// [ParseEnvironment]. The zero value is no environment; calls into it fail.
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

// HasAPI reports whether u is an address of the environment's API, to which alone
// its access tokens may be sent.
func (e Environment) HasAPI(u *url.URL) bool { return u.Scheme+"://"+u.Host == e.APIURL }

// Production is where customers work. An on-demand sandbox is a company of its
// own in production.
func Production() Environment {
	return Environment{"production", "https://login.procore.com", "https://api.procore.com"}
}

// Sandbox is the developer sandbox, with app credentials of its own.
func Sandbox() Environment {
	return Environment{"sandbox", "https://login-sandbox.procore.com", "https://sandbox.procore.com"}
}

// Monthly is the monthly sandbox. It takes production credentials and is
// overwritten from production at the start of each month, which ends the
// connections made in it.
func Monthly() Environment {
	return Environment{"monthly", "https://login-sandbox-monthly.procore.com", "https://api-monthly.procore.com"}
}

// Federal is the FedRAMP zone: an app registration of its own, no sandbox.
func Federal() Environment {
	return Environment{"federal", "https://login.procoregov.com", "https://api.procoregov.com"}
}

// ParseEnvironment returns the environment called name. For "custom" both URLs
// are wanted, for every other name both must be empty: a URL that would be
// ignored is more likely a mistake about where tokens go.
//
// A URL is scheme, host and optional port, nothing else. The scheme is https;
// http is accepted for a loopback host and for the hosts in plainHosts (under
// AWS_SAM_LOCAL that is host.docker.internal).
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

// baseURL checks one address and returns it in its plain form. Its errors never
// repeat the address, which may hold a password.
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
		return "", errors.New("app.procore.com is the web application and serves no API in Procore's regions; use login.procore.com and api.procore.com")
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
