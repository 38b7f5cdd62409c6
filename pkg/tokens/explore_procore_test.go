package tokens

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/proof/invariants"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// endpoint is Procore's token endpoint as procoretest has it, without the rest
// and with everything visible to the checks: any refresh call burns the token.
type endpoint struct {
	mode     procoretest.SecondAuthorization
	replay   bool // a replay kills the successor
	down     outcome
	now      func() time.Time
	pairs    []*issued
	byToken  map[string]*issued
	since    int // refreshes that it cost to be down
	unissued int // probes
}

// issued is one pair.
type issued struct {
	access, refresh string
	user            int64
	expires         time.Time
	revoked, spent  bool
	prev, next      *issued
	authorized      bool
	again           bool // given out again, to another authorization
	presented       int
	holder          *worker // who got the answer whole
	attempt         string  // that presented prev's token
	stored          bool    // a row had it
	excuse          string  // why it may be lost
}

func (e *endpoint) issue(user int64, prev *issued) *issued {
	n := len(e.pairs) + 1
	p := &issued{access: fmt.Sprintf("fake-access-%d", n), refresh: fmt.Sprintf("fake-refresh-%d", n),
		user: user, expires: e.now().Add(90 * time.Minute), prev: prev}
	if user == 0 {
		p.refresh = ""
	}
	e.pairs = append(e.pairs, p)
	e.byToken[p.access], e.byToken[p.refresh] = p, p
	return p
}

// authorize is a user's authorization.
func (e *endpoint) authorize(user int64) *issued {
	for _, p := range e.pairs {
		switch {
		case p.user != user || p.spent || p.revoked:
		case e.mode == procoretest.Kill:
			p.revoked = true
		case e.mode == procoretest.Return && e.now().Before(p.expires):
			p.again = true
			return p
		}
	}
	p := e.issue(user, nil)
	p.authorized = true
	return p
}

// live says that the pair can be refreshed.
func (p *issued) live() bool { return !p.spent && !p.revoked }

func (p *issued) token() procore.Token {
	return procore.Token{AccessToken: procore.NewSecret(p.access), RefreshToken: procore.NewSecret(p.refresh), Expiry: p.expires}
}

// refresh burns the token and gives the pair that replaces it.
func (e *endpoint) refreshes(token string, burnOnly bool) *issued {
	old := e.byToken[token]
	if old == nil || old.refresh != token {
		e.unissued++
		return nil
	}
	good := old.live()
	if !good && old.next != nil && e.replay {
		old.next.revoked = true
	}
	old.spent = true
	if !good || burnOnly {
		return nil
	}
	old.next = e.issue(old.user, old)
	return old.next
}

// peer is one connection to the endpoint.
type peer struct {
	net.Conn // none of its other methods is used
	ctx      context.Context
	x        *run
	once     sync.Once
	expired  chan struct{}
	answered chan struct{} // the request was served, or the connection closed
	end      sync.Once
	answer   *bytes.Reader
	got      *issued
	path     string
}

func (x *run) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if o := gate(ctx, "dials", unreachable, crash); o != fine {
		return nil, errors.New("connection refused")
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return &peer{ctx: ctx, x: x, expired: make(chan struct{}), answered: make(chan struct{})}, nil
}

// SetDeadline is called with a time in the past when the request's time is over.
func (p *peer) SetDeadline(time.Time) error {
	p.once.Do(func() { close(p.expired) })
	return nil
}

// Close ends a Read that waits.
func (p *peer) Close() error {
	p.end.Do(func() { close(p.answered) })
	return nil
}

func (p *peer) over() bool {
	select {
	case <-p.expired:
		return true
	default:
		return false
	}
}

// Write sends the request.
func (p *peer) Write(b []byte) (int, error) {
	if p.over() {
		return 0, os.ErrDeadlineExceeded
	}
	head, body, _ := strings.Cut(string(b), "\r\n\r\n")
	p.path = strings.Fields(head)[1]
	form, err := url.ParseQuery(body)
	if err != nil {
		panic(err)
	}
	p.x.checkInTime(p.ctx, form.Get("refresh_token"))
	o := p.x.procore.down
	switch {
	case o != fine:
		gate(p.ctx, "sends while it is down")
	case p.path == "/oauth/token":
		o = gate(p.ctx, "sends", crash, crashAfter, vanish, status503, status429, badClient, noRefresh)
	default:
		o = gate(p.ctx, "revokes", crash, crashAfter, vanish, status503)
	}
	p.x.serve(p, form, o)
	if o == crashAfter {
		die(p.ctx) // before the reader goes on
	}
	p.end.Do(func() { close(p.answered) })
	return len(b), nil
}

// serve does a request, or what the outcome makes of it.
func (x *run) serve(p *peer, form url.Values, o outcome) {
	token := form.Get("refresh_token")
	if token != "" {
		x.present(p.ctx, token)
	}
	status, body := http.StatusOK, map[string]any{}
	if x.procore.byToken[token] != nil && o != fine && o == x.procore.down {
		x.procore.since++
	}
	burn := o == status503 || o == status429 || o == badClient
	switch {
	case o == vanish:
		return
	case p.path == "/oauth/revoke":
		if o == fine || o == crashAfter {
			if q := x.procore.byToken[form.Get("token")]; q != nil {
				q.revoked = true
			}
		}
	case form.Get("grant_type") == "client_credentials":
		if !burn {
			p.got = x.procore.issue(0, nil)
		}
	default:
		if p.got = x.procore.refreshes(token, burn); p.got == nil {
			status, body = http.StatusBadRequest, map[string]any{"error": "invalid_grant"}
		} else {
			p.got.attempt = x.ledgerOf(token)
		}
	}
	switch o {
	case noRefresh:
		if p.got != nil {
			p.got.refresh = "" // and a service account has none anyway
		}
	case status503:
		status, body = 503, map[string]any{}
	case status429:
		status, body = 429, map[string]any{}
	case badClient:
		status, body = 401, map[string]any{"error": "invalid_client"}
	}
	if q := p.got; q != nil {
		body = map[string]any{"access_token": q.access, "expires_in": 5400, "token_type": "bearer"}
		if q.refresh != "" {
			body["refresh_token"] = q.refresh
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	p.answer = bytes.NewReader(fmt.Appendf(nil, "HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(text), text))
}

// Read waits for the answer and returns it.
func (p *peer) Read(b []byte) (int, error) {
	select {
	case <-p.answered:
	case <-p.expired:
		return 0, os.ErrDeadlineExceeded
	}
	if p.answer == nil {
		return 0, io.ErrUnexpectedEOF
	}
	if p.answer.Len() == int(p.answer.Size()) {
		switch o := gate(p.ctx, "receives", lost_, hang, crash); {
		case o == lost_:
			p.answer = nil
			return 0, io.ErrUnexpectedEOF
		case o == hang && p.ctx.Value(workerKey{}) != nil:
			<-p.expired
			return 0, os.ErrDeadlineExceeded
		case p.over():
			return 0, os.ErrDeadlineExceeded
		}
		if p.got != nil {
			p.got.holder, _ = p.ctx.Value(workerKey{}).(*worker)
			p.x.checkArrival(p.ctx)
		}
	}
	return p.answer.Read(b)
}

// ledgerOf returns the attempt that the ledger has for a token, under any key of the
// ring, or "".
func (x *run) ledgerOf(token string) string {
	for _, f := range x.newest.fingerprints(procore.NewSecret(token)) {
		if a := text(x.item(spendsTable, row{"fingerprint": dynamo.Text(f)})["attempt"]); a != "" {
			return a
		}
	}
	return ""
}

// present notes that a refresh token was sent.
func (x *run) present(ctx context.Context, token string) {
	p := x.procore.byToken[token]
	if p == nil {
		return // a probe
	}
	p.presented++
	w, _ := ctx.Value(workerKey{}).(*worker)
	attempt := x.ledgerOf(token)
	one := invariants.Presentation{Token: token, Attempt: attempt, Confirmed: true}
	if w != nil {
		one.Confirmed = x.confirmed[fmt.Sprint(w.proc.id, attempt)]
	}
	x.note("  %s presents %s for attempt known %t", workerName(ctx), token, attempt != "")
	x.writes.Presented = append(x.writes.Presented, one)
	for _, problem := range invariants.CheckPresented(x.writes.Presented) {
		x.problem("%s", problem)
	}
}
