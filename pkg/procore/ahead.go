package procore

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
)

// maxAtOnce is how many pages of a list are read at once.
const maxAtOnce = 20

// WithReadAhead makes a client read up to 20 pages of a list at once, as far as they begin
// within the list's first n items. The default is 0: one page after another, which bursts
// no one's rate limit. It is for a list that a person waits for.
//
// The first page is read alone, because it announces how many there are. Without that, or if
// a page links elsewhere, the pages are read one after another. At most half of the calls that
// the rate limit leaves are in flight for a list, and after a refusal (429) one.
func WithReadAhead(n int) Option { return func(a *api) { a.ahead = max(n, 0) } }

// A reader reads the pages of one list, if it can before the loop needs them.
type reader struct {
	api        *api
	first      call // of the second page, the first one that is read ahead
	next, last int  // the next page to be asked for, and the last one; 0: nothing is read ahead
	pages      map[int]chan page
	inFlight   atomic.Int64
	calls      sync.WaitGroup
}

// A page is the answer to one call of a list.
type page struct {
	header http.Header
	items  []json.RawMessage
	err    error
}

// plan decides after the first page how many are read ahead. p has taken that page.
func (r *reader) plan(p *pager, h http.Header) {
	if len(p.seen) != 1 || p.read == 0 || p.call.query.Get("page") != "2" {
		return
	}
	r.first, r.next = p.call, 2
	r.last = min(p.pages(h), r.api.ahead/p.read+1)
	r.pages = map[int]chan page{}
}

// read returns page n of a list, to which c leads. If that is not where the first page made
// the list go, no more is read ahead.
func (r *reader) read(ctx context.Context, n int, c call) page {
	if n > r.last || c.query.Encode() != r.call(n).query.Encode() {
		r.last = 0
		return r.fetch(ctx, c)
	}
	for ; r.next == n || r.mayAsk(n); r.next++ {
		r.ask(ctx, r.next)
	}
	defer delete(r.pages, n)
	return <-r.pages[n]
}

// mayAsk reports whether the next page may be read while the loop waits for page n.
func (r *reader) mayAsk(n int) bool {
	return r.next <= r.last && r.next < n+maxAtOnce && r.inFlight.Load() < r.api.pacer.spare(r.api.clock.Now())
}

// ask begins to read page n.
func (r *reader) ask(ctx context.Context, n int) {
	done := make(chan page, 1)
	r.pages[n] = done
	r.inFlight.Add(1)
	r.calls.Go(func() {
		got := r.fetch(ctx, r.call(n))
		r.inFlight.Add(-1)
		done <- got
	})
}

func (r *reader) call(n int) call {
	c := r.first
	c.query = maps.Clone(c.query)
	c.query.Set("page", strconv.Itoa(n))
	return c
}

func (r *reader) fetch(ctx context.Context, c call) (p page) {
	p.header, p.err = r.api.do(ctx, c, &p.items)
	return p
}
