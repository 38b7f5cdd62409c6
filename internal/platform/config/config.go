// Package config reads a function's environment variables. It collects what is
// missing or wrong, so that a cold start fails once, with every variable named:
//
//	env := config.New(os.Getenv)
//	table := env.Require("INBOX_TABLE")
//	if err := env.Err(); err != nil { ... }
//
// The README lists the variables.
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

// Env reads variables and remembers what is wrong with them.
type Env struct {
	getenv func(string) string
	errs   []error
}

// New returns an Env that reads with getenv, usually os.Getenv.
func New(getenv func(string) string) *Env { return &Env{getenv: getenv} }

// Err returns an error that names every missing or wrong variable, or nil.
func (e *Env) Err() error { return errors.Join(e.errs...) }

// Fail records what is wrong with a variable. Do not quote a value that may be secret.
func (e *Env) Fail(name, format string, args ...any) {
	e.errs = append(e.errs, fmt.Errorf("environment variable %s: %s", name, fmt.Sprintf(format, args...)))
}

// Optional returns a variable without the blanks around it, or "".
func (e *Env) Optional(name string) string { return strings.TrimSpace(e.getenv(name)) }

// Require returns a variable that must not be empty.
func (e *Env) Require(name string) string {
	v := e.Optional(name)
	if v == "" {
		e.Fail(name, "is missing")
	}
	return v
}

// Flag reports whether a variable is true. Empty means false.
func (e *Env) Flag(name string) bool {
	switch e.Optional(name) {
	case "true":
		return true
	case "", "false":
	default:
		e.Fail(name, "is neither true nor false")
	}
	return false
}

// PlainHosts returns the hosts besides loopback to which http is accepted: under
// sam local a container reaches its host by this name.
func (e *Env) PlainHosts() []string {
	if e.Optional("AWS_SAM_LOCAL") == "true" {
		return []string{"host.docker.internal"}
	}
	return nil
}

// PublicURL reads PUBLIC_URL, where people and Procore reach the application. It
// has no trailing slash, and is https, or http on loopback.
func (e *Env) PublicURL() *url.URL {
	text := e.Require("PUBLIC_URL")
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case text == "":
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		e.Fail("PUBLIC_URL", "is not an address such as https://connect.example.com")
	case !e.secure(u):
		e.Fail("PUBLIC_URL", notSecure)
	default:
		return u
	}
	return &url.URL{}
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
		e.Fail("PRODUCT_URL", notSecure)
	default:
		return text
	}
	return ""
}

const notSecure = "must begin with https:// (http:// is allowed for loopback only)"

func (e *Env) secure(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && e.plain(u.Hostname())
}

func (e *Env) plain(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback() || slices.Contains(e.PlainHosts(), host)
}

// Companies is the set of companies that may connect.
type Companies struct {
	All bool
	IDs []int64
}

// Admits reports whether the company may connect.
func (c Companies) Admits(id int64) bool { return c.All || slices.Contains(c.IDs, id) }

// AllowedCompanies reads ALLOWED_COMPANIES: ids separated by commas, or * for any
// company. Empty is an error, so that any company is never the default.
func (e *Env) AllowedCompanies() Companies {
	text := e.Require("ALLOWED_COMPANIES")
	if text == "*" || text == "" {
		return Companies{All: text == "*"}
	}
	var c Companies
	for field := range strings.SplitSeq(text, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(field), 10, 64)
		if err != nil || id <= 0 {
			e.Fail("ALLOWED_COMPANIES", "%.20q is not a company id; write ids separated by commas, or *", field)
			return Companies{}
		}
		c.IDs = append(c.IDs, id)
	}
	return c
}
