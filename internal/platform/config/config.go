// Package config reads a function's environment variables. It collects what is
// missing or wrong, so that a cold start fails once, with every variable named:
//
//	env := config.New(os.Getenv)
//	table := env.Require("INBOX_TABLE")
//	if err := env.Err(); err != nil { ... }
//
// docs/CONFIGURATION.md lists the variables.
package config

import (
	"errors"
	"fmt"
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

// Number returns a variable that is a number from 1 to most, and standard if it is not set.
func (e *Env) Number(name string, standard, most int) int {
	text := e.Optional(name)
	if text == "" {
		return standard
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		e.Fail(name, "is not a number from 1 to %d", most)
		return standard
	}
	return n
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
