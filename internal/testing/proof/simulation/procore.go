package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// Faults of [Procore].
const (
	Status503     Fault = "503"
	Status429     Fault = "429"
	Status401     Fault = "401" // of the API, to a good token
	InvalidClient Fault = "invalid_client"
	NoRefresh     Fault = "noRefresh" // a pair without a refresh token
	CutEarly      Fault = "cutEarly"  // the answer ends before the refresh token
	CutLate       Fault = "cutLate"   // the answer ends after the refresh token
)

// Procore is a [Server] with Procore's authorization server, as procoretest has it, and
// an API that knows only whether an access token is good. All is visible to a judge. Any
// refresh request spends the refresh token.
type Procore struct {
	Mode        procoretest.SecondAuthorization // what a second authorization does to the first
	Replays     bool                            // a replayed refresh token revokes its successor
	OldDies     bool                            // a refresh ends the old access token
	Refusal     int                             // the status of invalid_grant; 0: 400
	Lifetime    time.Duration                   // of access tokens
	NoCreatedAt bool                            // answers lack created_at
	Down        Fault                           // how every request for a token fails; Fine: none does

	Pairs []*Pair
	Cost  int // refresh tokens that were sent while it was down

	// What a judge learns; each may be nil. Sending is called when a process begins to send
	// a refresh token, Presented when it was sent, Received when a process reads the answer
	// with a new pair, Revoked when a token arrives at the revocation endpoint, and Rejected
	// when the API refuses an access token.
	Sending, Presented, Received, Revoked, Rejected func(r *Request, p *Pair)

	world   *World
	byToken map[string]*Pair
}

// Pair is one pair that Procore issued.
type Pair struct {
	Access, Refresh string
	User            int64 // 0: the app's own token, without a refresh token
	Issued, Expires time.Time
	Spent           bool
	Ended           string // why it was revoked; empty: it was not
	Prev, Next      *Pair  // that its refresh token replaced, and that replaced it
	Authorizations  int    // that it was issued to
	Presented       int    // how often its refresh token was sent
	Fault           Fault  // how that ended
}

// NewProcore returns a Procore that is the world's server.
func NewProcore(w *World) *Procore {
	p := &Procore{Mode: procoretest.Keep, Lifetime: 90 * time.Minute, world: w, byToken: map[string]*Pair{}}
	w.Server = p
	return p
}

// Live reports whether the pair can be refreshed.
func (p *Pair) Live() bool { return !p.Spent && p.Ended == "" && p.Refresh != "" }

// Token returns the pair as a process gets it by an authorization.
func (p *Procore) Token(pair *Pair) procore.Token {
	t := procore.Token{AccessToken: procore.NewSecret(pair.Access), RefreshToken: procore.NewSecret(pair.Refresh), Expiry: pair.Expires}
	if !p.NoCreatedAt {
		t.IssuedAt = time.Unix(pair.Issued.Unix(), 0)
	}
	return t
}

// ByToken returns the pair of an access token or a refresh token, or nil.
func (p *Procore) ByToken(token string) *Pair { return p.byToken[token] }

// Good reports whether the API accepts the pair's access token.
func (p *Procore) Good(pair *Pair) bool {
	return pair != nil && pair.Ended == "" && p.world.Now().Before(pair.Expires) && !(p.OldDies && pair.Spent)
}

func (p *Procore) issue(user int64, prev *Pair) *Pair {
	n, now := len(p.Pairs)+1, p.world.Now()
	pair := &Pair{Access: fmt.Sprintf("fake-access-%d", n), Refresh: fmt.Sprintf("fake-refresh-%d", n),
		User: user, Issued: now, Expires: now.Add(p.Lifetime), Prev: prev}
	if user == 0 {
		pair.Refresh = ""
	}
	p.Pairs = append(p.Pairs, pair)
	p.byToken[pair.Access] = pair
	if pair.Refresh != "" {
		p.byToken[pair.Refresh] = pair
	}
	return pair
}

// Authorize is a user's authorization.
func (p *Procore) Authorize(user int64) *Pair {
	for _, pair := range p.Pairs {
		switch {
		case pair.User != user || !pair.Live():
		case p.Mode == procoretest.Kill:
			pair.Ended = "a second authorization"
		case p.Mode == procoretest.Return && p.world.Now().Before(pair.Expires):
			pair.Authorizations++
			return pair
		}
	}
	pair := p.issue(user, nil)
	pair.Authorizations++
	return pair
}

// Faults implements [Server].
func (p *Procore) Faults(r *Request) []Fault {
	if pair := p.byToken[r.Form.Get("refresh_token")]; pair != nil && pair.Refresh != "" {
		tell(p.Sending, r, pair)
	}
	switch {
	case r.Path == "/oauth/token" && p.Down != Fine:
		return nil
	case r.Path == "/oauth/token":
		return []Fault{Crash, CrashAfter, Vanish, Status503, Status429, InvalidClient, NoRefresh, CutEarly, CutLate}
	case r.Path == "/oauth/revoke":
		return []Fault{Crash, CrashAfter, Vanish, Status503}
	case r.Path == "/rest/v1.0/me" || r.Path == "/rest/v1.0/companies":
		return []Fault{Crash, Vanish, Status503}
	}
	return []Fault{Crash, Vanish, Status503, Status401}
}

// Serve implements [Server].
func (p *Procore) Serve(r *Request, f Fault) *Answer {
	switch r.Path {
	case "/oauth/token":
		if p.Down != Fine {
			f = p.Down
		}
		if r.Form.Get("grant_type") == "client_credentials" {
			return p.serveApp(r, f)
		}
		return p.serveRefresh(r, f)
	case "/oauth/revoke":
		return p.serveRevoke(r, f)
	}
	return p.serveAPI(r, f)
}

func (p *Procore) serveAPI(r *Request, f Fault) *Answer {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case f == Vanish:
		return nil
	case f == Status503:
		return &Answer{Status: http.StatusServiceUnavailable}
	case f == Status401 || !p.Good(p.byToken[token]):
		tell(p.Rejected, r, p.byToken[token])
		return &Answer{Status: http.StatusUnauthorized, Body: []byte("{}")}
	}
	return &Answer{Status: http.StatusOK, Body: []byte("{}")}
}

func (p *Procore) serveRevoke(r *Request, f Fault) *Answer {
	pair, token := p.byToken[r.Form.Get("token")], r.Form.Get("token")
	switch {
	case f == Vanish:
		return nil
	case f == Status503:
		return &Answer{Status: http.StatusServiceUnavailable}
	case pair == nil, token == pair.Access && !p.world.Now().Before(pair.Expires):
		// As Doorkeeper does, also for an access token that has expired.
	default:
		p.world.Note("  %s revokes %s", nameOf(r.Actor), token)
		tell(p.Revoked, r, pair)
		if pair.Ended == "" {
			pair.Ended = "the revocation endpoint"
		}
	}
	return &Answer{Status: http.StatusOK, Body: []byte("{}")}
}

// burns are the faults that spend a refresh token for nothing.
var burns = []Fault{Status503, Status429, InvalidClient}

func failed(f Fault) *Answer {
	switch f {
	case Status503:
		return &Answer{Status: http.StatusServiceUnavailable, Body: []byte("{}")}
	case Status429:
		return &Answer{Status: http.StatusTooManyRequests, Body: []byte("{}")}
	case InvalidClient:
		return &Answer{Status: http.StatusUnauthorized, Body: []byte(`{"error":"invalid_client"}`)}
	}
	return nil
}

func (p *Procore) serveApp(r *Request, f Fault) *Answer {
	if f == Vanish || slices.Contains(burns, f) {
		return failed(f)
	}
	return p.answer(r, p.issue(0, nil), f)
}

// serveRefresh spends the refresh token.
func (p *Procore) serveRefresh(r *Request, f Fault) *Answer {
	token := r.Form.Get("refresh_token")
	old := p.byToken[token]
	if token == "" || old == nil || old.Refresh != token { // a probe
		if f == Vanish || slices.Contains(burns, f) {
			return failed(f)
		}
		return p.refused()
	}
	p.world.Note("  %s presents %s", nameOf(r.Actor), token)
	old.Presented++
	old.Fault = f
	tell(p.Presented, r, old)
	if p.Down != Fine {
		p.Cost++
	}
	if f == Vanish {
		return nil
	}
	good := old.Live()
	if !good && old.Next != nil && p.Replays {
		old.Next.Ended = "a replay"
	}
	old.Spent = true
	switch {
	case slices.Contains(burns, f):
		return failed(f)
	case !good:
		return p.refused()
	}
	old.Next = p.issue(old.User, old)
	return p.answer(r, old.Next, f)
}

func (p *Procore) refused() *Answer {
	status := http.StatusBadRequest
	if p.Refusal != 0 {
		status = p.Refusal
	}
	return &Answer{Status: status, Body: []byte(`{"error":"invalid_grant"}`)}
}

// answer is the answer with a pair.
func (p *Procore) answer(r *Request, pair *Pair, f Fault) *Answer {
	if f == NoRefresh {
		pair.Refresh = ""
	}
	m := struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
		Created int64  `json:"created_at,omitempty"`
		Refresh string `json:"refresh_token,omitempty"`
		Scope   string `json:"scope"`
	}{pair.Access, "bearer", int(p.Lifetime / time.Second), pair.Issued.Unix(), pair.Refresh, "all"}
	if p.NoCreatedAt {
		m.Created = 0
	}
	body, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	a := &Answer{Status: http.StatusOK, Body: body, Read: func() {
		if f != CutEarly {
			tell(p.Received, r, pair)
		}
	}}
	switch f {
	case CutEarly:
		a.Cut = len(`,"refresh_token":"`) + len(pair.Refresh) + len(`","scope":"all"}`)
	case CutLate:
		a.Cut = len(`,"scope":"all"}`)
	}
	return a
}

func nameOf(a *Actor) string {
	if a == nil {
		return "the judge"
	}
	return a.Name
}

func tell(judge func(r *Request, p *Pair), r *Request, p *Pair) {
	if judge != nil && p != nil {
		judge(r, p)
	}
}
