package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// Faults of [FakeProcore], besides those of [Procore].
const (
	HTML502 Fault = "html502" // a gateway's page in place of the API
	HTML200 Fault = "html200" // likewise, as if it were the answer
	Cut     Fault = "cut"     // the answer ends in the middle of its body
	Partial Fault = "207"     // a bulk call refuses its last item
	Moved   Fault = "307"     // a redirect to a path of a company
)

// FakeProcore is a [Server] with all of procoretest's fake: login, tokens, API, hooks and
// deliveries. A request is served in the turn of the actor that sends it, and nothing else
// runs in it, so the decisions of the schedule determine all that it does.
//
// The methods of the fake are those of people and administrators, who need no gate. What
// they change is visible at once, and each delivery that follows is an actor.
type FakeProcore struct {
	*procoretest.Server

	Pairs []*Pair // all that were issued, oldest first
	Uses  []*Use  // of refresh tokens, oldest first

	// What a judge learns, as of [Procore].
	Sending, Presented, Received, Revoked, Rejected func(r *Request, p *Pair)
	// Left is called when a process does not wait for the answer with a new pair any longer.
	Left func(r *Request, p *Pair, at time.Time)

	// Receive passes a delivery to the receiver and returns its answer, nil if it has none.
	// It runs in its own actor, whose context ctx is. nil: no receiver answers.
	Receive func(ctx context.Context, r *http.Request) *http.Response

	world    *World
	process  *Process // of its deliveries; it never crashes
	byToken  map[string]*Pair
	byPrint  map[string]*Pair
	issued   *Pair          // by the request that is served
	use      *Use           // by it
	couriers map[int64]bool // hooks that have one
}

// Use is one presentation of a refresh token to the token endpoint.
type Use struct {
	At     time.Time
	By     string // the actor
	Pair   *Pair  // nil: it was never issued
	Before string // the token's state: procoretest.Live and so on
	Fault  Fault
	Status int   // of the answer; 0: none was sent
	Next   *Pair // that it was exchanged for; nil: none
}

// NewFakeProcore returns a fake Procore that is the world's server. Its clock, randomness
// and deliveries are the world's, whatever the options say.
func NewFakeProcore(w *World, o procoretest.Options) *FakeProcore {
	p := &FakeProcore{world: w, process: w.Process(0), byToken: map[string]*Pair{}, byPrint: map[string]*Pair{}, couriers: map[int64]bool{}}
	o.Now, o.Random, o.Deliver, o.Watch, o.Transport = w.Now, seeded(), p.dispatch, p.watch, probes{p}
	p.Server = procoretest.New(o)
	w.Server = p
	return p
}

// seeded returns the same randomness in each world: what differs are the decisions.
func seeded() procore.Random {
	rng := rand.NewPCG(1, 2)
	return procore.Random{Read: func(b []byte) {
		for i := range b {
			b[i] = byte(rng.Uint64())
		}
	}}
}

// ByToken returns the pair of an access token or a refresh token, or nil.
func (p *FakeProcore) ByToken(token string) *Pair { return p.byToken[token] }

// Good reports whether the API accepts the pair's access token.
func (p *FakeProcore) Good(pair *Pair) bool { return pair != nil && p.Accepts(pair.Access) }

// LastGood returns the newest pair of a user that can be refreshed, or nil.
func (p *FakeProcore) LastGood(user int64) *Pair {
	for _, pair := range slices.Backward(p.Pairs) {
		if pair.User == user && pair.Live() {
			return pair
		}
	}
	return nil
}

// watch follows the fake's log of tokens.
func (p *FakeProcore) watch(e procoretest.TokenEvent, tokens procoretest.Pair) {
	pair := p.byPrint[e.Fingerprint]
	switch e.Event {
	case procoretest.TokenIssued, procoretest.TokenRefreshed:
		p.issue(e, tokens)
	case procoretest.TokenReturned:
		pair.Authorizations++
		p.issued = pair
	case procoretest.TokenPresented:
		if pair != nil {
			pair.Spent = pair.Spent || e.Spent
		}
		if p.use != nil {
			p.use.Before = e.State
		}
	case procoretest.TokenRevoked:
		if pair.Ended == "" {
			pair.Ended = e.Reason
		}
	}
}

func (p *FakeProcore) issue(e procoretest.TokenEvent, tokens procoretest.Pair) {
	pair := &Pair{Access: tokens.AccessToken, Refresh: tokens.RefreshToken, User: e.UserID, Issued: e.At,
		Expires: e.At.Add(time.Duration(tokens.ExpiresIn) * time.Second), Prev: p.byPrint[e.From]}
	switch prev := pair.Prev; {
	case prev != nil:
		prev.Next, prev.Spent = pair, true
	case e.UserID != 0:
		pair.Authorizations++
	}
	p.Pairs = append(p.Pairs, pair)
	p.byPrint[e.Fingerprint], p.byToken[pair.Access] = pair, pair
	if pair.Refresh != "" {
		p.byToken[pair.Refresh] = pair
	}
	p.issued = pair
}

// Faults implements [Server].
func (p *FakeProcore) Faults(r *Request) []Fault {
	if pair := p.byToken[r.Form.Get("refresh_token")]; pair != nil && pair.Refresh != "" {
		tell(p.Sending, r, pair)
	}
	switch {
	case r.Path == "/oauth/token":
		return []Fault{Crash, CrashAfter, Vanish, Status503, Status429, InvalidClient, HTML502, HTML200, NoRefresh, CutEarly, CutLate}
	case !strings.HasPrefix(r.Path, "/rest/"):
		return []Fault{Crash, CrashAfter, Vanish, Status503, HTML502}
	}
	all := []Fault{Crash, CrashAfter, Vanish, Status503, Status429, HTML502, HTML200, Cut}
	if r.Path == "/rest/v1.0/me" || r.Path == "/rest/v1.0/companies" {
		all = append(all, Moved)
	} else {
		all = append(all, Status401)
	}
	if strings.HasSuffix(r.Path, "/triggers/bulk") {
		all = append(all, Partial)
	}
	return all
}

// Serve implements [Server].
func (p *FakeProcore) Serve(r *Request, f Fault) *Answer {
	p.issued, p.use = nil, nil
	p.arrives(r, f)
	if f == Vanish {
		return nil
	}
	if of, ok := asFault(r, f); ok {
		if err := p.Fault(of); err != nil {
			panic(err)
		}
	}
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	p.ServeHTTP(w, r.wire)
	if p.use != nil {
		p.use.Status, p.use.Next = w.status, p.issued
	}
	if strings.HasPrefix(r.Path, "/rest/") && w.status == http.StatusUnauthorized {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		tell(p.Rejected, r, p.byToken[token])
	}
	return p.answer(r, w, f)
}

// arrives tells the judge of a token that a request carries.
func (p *FakeProcore) arrives(r *Request, f Fault) {
	switch token := r.Form.Get("refresh_token"); {
	case r.Path == "/oauth/token" && token != "":
		pair := p.byToken[token]
		p.use = &Use{At: p.world.Now(), By: nameOf(r.Actor), Pair: pair, Fault: f}
		p.Uses = append(p.Uses, p.use)
		if pair == nil {
			return // a probe
		}
		p.world.Note("  %s presents %s", nameOf(r.Actor), token)
		pair.Presented++
		pair.Fault = f
		tell(p.Presented, r, pair)
	case r.Path == "/oauth/revoke" && f == Fine:
		token := r.Form.Get("token")
		pair := p.byToken[token]
		if pair == nil || token == pair.Access && !p.world.Now().Before(pair.Expires) {
			return // as Doorkeeper does
		}
		p.world.Note("  %s revokes %s", nameOf(r.Actor), token)
		tell(p.Revoked, r, pair)
	}
}

// asFault is the fake's own fault that does to a request what was decided.
func asFault(r *Request, f Fault) (procoretest.Fault, bool) {
	const page = "<!DOCTYPE html><html><body><h1>Please wait</h1></body></html>"
	html := map[string]string{"Content-Type": "text/html; charset=utf-8"}
	of := procoretest.Fault{Endpoint: r.Path, Kind: procoretest.Status}
	switch f {
	case Status503:
		of.Status, of.Headers = http.StatusServiceUnavailable, map[string]string{"Retry-After": "5"}
	case Status429:
		of.Status, of.Headers = http.StatusTooManyRequests, map[string]string{"Retry-After": "7"}
	case Status401:
		of.Status = http.StatusUnauthorized
	case InvalidClient:
		of.Status, of.Body = http.StatusUnauthorized, `{"error":"invalid_client"}`
	case HTML502:
		of.Status, of.Headers, of.Body = http.StatusBadGateway, html, page
	case HTML200:
		of.Status, of.Headers, of.Body = http.StatusOK, html, page
	case Moved:
		of.Status, of.Headers = http.StatusTemporaryRedirect, map[string]string{"Location": "/rest/v1.0/projects"}
	case Partial:
		of.Kind = procoretest.Partial
	default:
		return of, false
	}
	return of, true
}

// answer is the answer on its way, of which a part may be lost.
func (p *FakeProcore) answer(r *Request, w *recorder, f Fault) *Answer {
	pair := p.issued
	if f == NoRefresh && pair != nil {
		withoutRefresh(w)
		pair.Refresh = ""
	}
	a := &Answer{Status: w.status, Header: w.header, Body: w.body.Bytes()}
	a.Cut = cut(a.Body, pair, f)
	if rest := a.Body[:len(a.Body)-a.Cut]; pair != nil && (pair.Refresh == "" || bytes.Contains(rest, []byte(pair.Refresh)) || a.Cut == 0) {
		a.Read = func() { tell(p.Received, r, pair) }
	}
	if pair != nil && p.Left != nil {
		a.Left = func(at time.Time) { p.Left(r, pair, at) }
	}
	return a
}

// cut returns how many bytes of an answer are lost.
func cut(body []byte, pair *Pair, f Fault) int {
	switch f {
	case Cut:
		return (len(body) + 1) / 2
	case CutEarly, CutLate:
	default:
		return 0
	}
	i := -1
	if pair != nil && pair.Refresh != "" {
		i = bytes.Index(body, []byte(pair.Refresh))
	}
	switch {
	case i < 0: // it has none that can be read
		return (len(body) + 1) / 2
	case f == CutEarly:
		return len(body) - i
	}
	return len(body) - i - len(pair.Refresh) - len(`"`)
}

// withoutRefresh removes the refresh token from an answer.
func withoutRefresh(w *recorder) {
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(w.body.Bytes()))
	d.UseNumber()
	if d.Decode(&fields) != nil {
		return // it is coded
	}
	for name := range fields {
		if strings.EqualFold(name, "refresh_token") {
			delete(fields, name)
		}
	}
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	w.body.Reset()
	w.body.Write(body)
}
