package config

import (
	"errors"
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
