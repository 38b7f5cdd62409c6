package procore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultPerPage = "100" // the most that REST v2 serves
	maxPages       = 10_000
)

// errPaging ends a list whose Link header leads nowhere or in a circle, or that is shorter
// than announced.
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
		ctx, cancel := context.WithCancel(ctx)
		p, r := newPager(path, query), reader{api: a}
		defer r.calls.Wait()
		defer cancel()
		for p.call.query != nil {
			got := r.read(ctx, len(p.seen)+1, p.call)
			err := got.err
			if err == nil {
				err = p.take(got.header, got.items)
			}
			if err != nil && !errors.Is(err, errPaging) {
				yield(none, p.failed(err))
				return
			}
			r.plan(p, got.header)
			items, odd := itemsOf[T](got.items)
			a.noteOdd(ctx, p.call, odd)
			for _, v := range items {
				if !yield(v, nil) {
					return
				}
			}
			if err != nil {
				yield(none, p.failed(err))
				return
			}
		}
	}
}

// itemsOf reads the items of a page, without those that do not fit, and returns the names
// of what is odd in them, each once.
func itemsOf[T any](page []json.RawMessage) (items []T, odd []string) {
	for _, item := range page {
		var v T
		names, err := Unmarshal(item, &v)
		if err != nil || null(item) {
			names = []string{"[]"}
		} else {
			items = append(items, v)
		}
		for _, name := range names {
			if len(odd) < maxOdd && !slices.Contains(odd, name) {
				odd = append(odd, name)
			}
		}
	}
	return items, odd
}

// A pager is a list that is read page by page.
type pager struct {
	call    call       // the next page; without a query after the last one
	first   url.Values // the query of the first page
	seen    map[string]bool
	page    []json.RawMessage // the latest one
	numbers bool              // a number in the query is enough to reach a page
	read    int               // items
	total   int               // items that Procore announces, 0 if it does not
}

func newPager(path string, query url.Values) *pager {
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	numbers := !query.Has("page")
	if !query.Has("per_page") {
		query.Set("per_page", defaultPerPage)
	}
	return &pager{call: call{method: http.MethodGet, path: path, query: query}, first: query, seen: map[string]bool{}, numbers: numbers}
}

// take counts a page and finds the next one. With errPaging the items of the page are
// right, and those after them are missing.
func (p *pager) take(h http.Header, page []json.RawMessage) error {
	p.seen[p.call.query.Encode()] = true
	if n, err := strconv.Atoi(h.Get("Total")); err == nil {
		p.total = n
	}
	same := len(page) > 0 && slices.EqualFunc(page, p.page, func(a, b json.RawMessage) bool { return string(a) == string(b) })
	p.read += len(page)
	p.page = page
	link := linkTo(h, "next")
	next, err := p.next(link)
	switch {
	case err != nil:
	case next != nil && p.seen[next.Encode()], len(p.seen) >= maxPages:
		err = fmt.Errorf("%w: no end after %d pages", errPaging, len(p.seen))
	case next != nil && link == "" && (len(page) == 0 || same):
		err = fmt.Errorf("%w: Procore does not send it", errPaging)
	}
	p.call.query = next
	return err
}

// next returns the query of the next page, or nil after the last one. From a link it
// takes only the query, whatever scheme, host, port or path the link names: a server
// behind a gateway may know another name for itself. So no answer can send the token
// elsewhere. What the link lacks of the first page's query is added. Without a link, the
// announced total decides whether a page follows.
func (p *pager) next(link string) (url.Values, error) {
	query := maps.Clone(p.first)
	if link == "" {
		if !p.numbers || p.total <= p.read {
			return nil, nil
		}
		query.Set("page", strconv.Itoa(len(p.seen)+1))
		return query, nil
	}
	linked := queryOf(link)
	if len(linked) == 0 {
		return nil, fmt.Errorf("%w: the query of its link cannot be read", errPaging)
	}
	query.Del("page")
	maps.Copy(query, linked)
	return query, nil
}

// pages returns how many pages the first one announces by its link to the last page or by the
// total, of which the smaller counts, or 0.
func (p *pager) pages(h http.Header) int {
	n, _ := strconv.Atoi(queryOf(linkTo(h, "last")).Get("page"))
	if p.total > p.read && p.read > 0 {
		if byTotal := (p.total-1)/p.read + 1; n <= 0 || byTotal < n {
			n = byTotal
		}
	}
	return n
}

// failed returns the error of a list, in which items before it were read.
func (p *pager) failed(err error) error {
	if errors.Is(err, errPaging) {
		err = fmt.Errorf("procore: GET %s: %w", p.call.path, err)
	}
	if p.read == 0 {
		return err
	}
	return &PartialError{Read: p.read, Total: max(p.total, 0), Err: err}
}

// A PartialError ends a list of which a part was read. The items before it are right and
// the rest is missing: use them and say so, or read the list again.
type PartialError struct {
	// Read is how many items came.
	Read int
	// Total is how many Procore announced, 0 if it did not.
	Total int
	// Err is the reason, as that of the first page would be.
	Err error
}

// Error returns how much was read, and the reason.
func (e *PartialError) Error() string {
	if e.Total > e.Read {
		return fmt.Sprintf("%v; %d of %d items were read", e.Err, e.Read, e.Total)
	}
	return fmt.Sprintf("%v; %d items were read before", e.Err, e.Read)
}

// Unwrap returns the reason.
func (e *PartialError) Unwrap() error { return e.Err }

// queryOf returns the query of a link, or nil if it has none that can be read.
func queryOf(link string) url.Values {
	_, text, _ := strings.Cut(link, "?")
	text, _, _ = strings.Cut(text, "#")
	query, err := url.ParseQuery(strings.ReplaceAll(text, "&amp;", "&"))
	if err != nil {
		return nil
	}
	return query
}

// linkTo returns the target of a relation, such as next, in the Link header, or "" if it has
// none.
//
// RFC 8288, section 3.
func linkTo(h http.Header, relation string) string {
	for _, field := range h.Values("Link") {
		for {
			_, rest, begins := strings.Cut(field, "<")
			target, rest, ends := strings.Cut(rest, ">")
			if !begins || !ends {
				break
			}
			var params string
			if params, field = cutUnquoted(rest, ','); names(params, relation) {
				return strings.TrimSpace(target)
			}
		}
	}
	return ""
}

// names reports whether the first rel, the only one that counts, names the relation. It may
// name several.
func names(params, relation string) bool {
	for params != "" {
		var param string
		param, params = cutUnquoted(params, ';')
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") {
			relations := strings.Fields(strings.Trim(value, "\"' \t"))
			return slices.ContainsFunc(relations, func(r string) bool { return strings.EqualFold(r, relation) })
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
