package procore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	defaultPerPage = "100" // the most that REST v2 serves
	maxPages       = 10_000
)

// errPaging ends a list whose Link header leads to another host or path, or in a
// circle.
var errPaging = errors.New("procore: the next page cannot be followed")

// Collect reads a list to its end. With an error it returns the items that were read
// before it.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

func list[T any](ctx context.Context, a *api, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		c := call{method: http.MethodGet, path: path, query: maps.Clone(query)}
		if c.query == nil {
			c.query = url.Values{}
		}
		if !c.query.Has("per_page") {
			c.query.Set("per_page", defaultPerPage)
		}
		seen := map[string]bool{}
		for {
			var page []T
			h, err := a.do(ctx, c, &page)
			if err != nil {
				yield(none, err)
				return
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}
			seen[c.query.Encode()] = true
			next, err := a.nextPage(h, c.path)
			if err == nil && (seen[next.Encode()] || len(seen) >= maxPages) {
				err = fmt.Errorf("%w: no end after %d pages", errPaging, len(seen))
			}
			if err != nil {
				yield(none, fmt.Errorf("procore: GET %s: %w", c.path, err))
				return
			}
			if next == nil {
				return
			}
			c.query = next
		}
	}
}

// nextPage returns the query of the page after the one with header h, or nil after
// the last page. It takes only the query from the link. So no answer can send the token
// to another host, or to a path that an app without a company must not call.
func (a *api) nextPage(h http.Header, path string) (url.Values, error) {
	link := linkNext(h)
	if link == "" {
		return nil, nil
	}
	base, err := url.Parse(a.base)
	if err != nil {
		return nil, err
	}
	u, err := base.Parse(link)
	if err != nil {
		return nil, fmt.Errorf("%w: not a URL", errPaging)
	}
	if u.Scheme != base.Scheme || !strings.EqualFold(u.Host, base.Host) || u.Path != path || u.User != nil {
		return nil, fmt.Errorf("%w: it is at another address", errPaging)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(q) == 0 {
		return nil, fmt.Errorf("%w: its query cannot be read", errPaging)
	}
	return q, nil
}

// linkNext returns the target of rel="next" in the Link header, or "" if it has none.
//
// RFC 8288, section 3.
func linkNext(h http.Header) string {
	for _, field := range h.Values("Link") {
		for {
			_, rest, begins := strings.Cut(field, "<")
			target, rest, ends := strings.Cut(rest, ">")
			if !begins || !ends {
				break
			}
			var params string
			if params, field = cutUnquoted(rest, ','); isNext(params) {
				return target
			}
		}
	}
	return ""
}

// isNext reports whether the first rel, the only one that counts, names the relation
// next. It may name several relations.
func isNext(params string) bool {
	for params != "" {
		var param string
		param, params = cutUnquoted(params, ';')
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") {
			relations := strings.Fields(strings.Trim(value, "\" \t"))
			return slices.ContainsFunc(relations, func(r string) bool { return strings.EqualFold(r, "next") })
		}
	}
	return false
}

// cutUnquoted cuts s around the first sep outside quoted strings (RFC 9110,
// section 5.6.4).
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case quoted && s[i] == '\\':
			i++
		case !quoted && s[i] == sep:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
