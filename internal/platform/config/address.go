package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// PublicURL reads PUBLIC_URL, where people and Procore reach the application: scheme and
// host, with a port if it is not the scheme's own. It is https, or http on loopback.
// Procore compares the redirect URI that is made from it by character, so forms that name
// the same place become one.
func (e *Env) PublicURL() *url.URL {
	text := e.Require("PUBLIC_URL")
	if text == "" {
		return &url.URL{}
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil {
		err = errAddress // url.Error quotes the value
	} else {
		err = e.normalize(u)
	}
	if err != nil {
		e.Fail("PUBLIC_URL", "%v", err)
		return &url.URL{}
	}
	return u
}

var (
	errAddress = errors.New("is not an address such as https://connect.example.com")
	errSecure  = errors.New("must begin with https:// (http:// is allowed for loopback only)")
	errASCII   = errors.New("must have the host in ASCII, such as xn--caf-dma.example.com")
	errPath    = errors.New("must be the application's address alone, without a path")
	errPage    = errors.New("is the address of one page, such as the redirect URI; it must be the application's, without the path")
)

// normalize writes the address as browsers do (RFC 3986 section 6.2), or returns what is
// wrong with it.
func (e *Env) normalize(u *url.URL) error {
	port, err := port(u)
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if err != nil || host == "" || strings.HasSuffix(host, ".") || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return errAddress
	}
	if u.Host = host; strings.Contains(host, ":") {
		u.Host = "[" + host + "]"
	}
	switch {
	case strings.ContainsFunc(host, func(r rune) bool { return r > '~' }):
		return errASCII
	case !e.secure(u):
		return errSecure
	case isPage(u.Path):
		return errPage
	case u.Path != "":
		return errPath
	}
	u.Host += port
	return nil
}

// isPage reports whether the path is one of the application's own, with or without more
// before it.
func isPage(path string) bool {
	pages := []string{"/oauth/callback", "/oauth/start", "/companies", "/connected", "/webhooks/procore"}
	return slices.ContainsFunc(pages, func(page string) bool { return strings.HasSuffix(strings.ToLower(path), page) })
}

// port returns the port with its colon, or nothing for the scheme's own.
func port(u *url.URL) (string, error) {
	text := u.Port()
	if text == "" {
		return "", nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	switch {
	case err != nil || n == 0:
		return "", errAddress
	case u.Scheme == "https" && n == 443, u.Scheme == "http" && n == 80:
		return "", nil
	}
	return ":" + strconv.FormatUint(n, 10), nil
}

// maxURL is the longest address, in bytes, that browsers and proxies accept.
const maxURL = 2_000

// ProductURL reads PRODUCT_URL, to which the page after connecting leads. It is
// https, or http on loopback, or empty.
func (e *Env) ProductURL() string {
	text := e.Optional("PRODUCT_URL")
	u, err := url.Parse(text)
	switch {
	case text == "":
	case err != nil || u.Hostname() == "" || u.User != nil || len(text) > maxURL:
		e.Fail("PRODUCT_URL", "is not an address such as https://app.example.com/start of at most %d bytes", maxURL)
	case !e.secure(u):
		e.Fail("PRODUCT_URL", "%v", errSecure)
	default:
		return text
	}
	return ""
}

// maxReturns is how many addresses RETURN_URLS may have. Their origins are in a header of each page with a form.
const maxReturns = 10

// ReturnURLs reads RETURN_URLS: addresses of the host application, to which users return who came by a signed link. A
// link names one of them, compared by character (RFC 9700 section 4.1.3), so they remain as they are written. Without any
// there are no signed links.
func (e *Env) ReturnURLs() (all []string) {
	text := e.Optional("RETURN_URLS")
	if text == "" {
		return nil
	}
	for field := range strings.SplitSeq(text, ",") {
		address := strings.TrimSpace(field)
		err := e.returnURL(address)
		switch {
		case len(all) == maxReturns:
			err = fmt.Errorf("has more than %d addresses", maxReturns)
		case err == nil && slices.Contains(all, address):
			err = errors.New("has an address twice")
		}
		if err != nil {
			e.Fail("RETURN_URLS", "address %d: %v", len(all)+1, err) // not quoted, because it may have a password
			return nil
		}
		all = append(all, address)
	}
	return all
}

var (
	errReturn      = fmt.Errorf("is not an address such as https://app.example.com/procore of at most %d bytes in ASCII, without a user and a fragment", maxURL)
	errReturnQuery = errors.New("may not have link, result or code in its query, which are added when a user returns")
)

// returnURL returns what is wrong with an address of RETURN_URLS. Its host goes into a header, where other characters
// have a meaning.
func (e *Env) returnURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || u.User != nil || strings.Contains(text, "#") ||
		strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) || strings.ContainsAny(u.Host, `*;'"`) {
		return errReturn
	}
	if err := e.normalize(&url.URL{Scheme: u.Scheme, Host: u.Host}); err != nil {
		if errors.Is(err, errSecure) {
			return err
		}
		return errReturn
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errReturn
	}
	if q.Has("link") || q.Has("result") || q.Has("code") {
		return errReturnQuery
	}
	return nil
}

func (e *Env) secure(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && e.plain(u.Hostname())
}

func (e *Env) plain(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback() || slices.Contains(e.PlainHosts(), host)
}

// PlainHosts returns the hosts besides loopback to which http is accepted: under
// sam local a container reaches its host by this name.
func (e *Env) PlainHosts() []string {
	if e.Optional("AWS_SAM_LOCAL") == "true" {
		return []string{"host.docker.internal"}
	}
	return nil
}
