//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"procore-connect/pkg/procoretest"
)

const (
	maxBody        = 1 << 20
	procoreService = "Procore"
)

// provider is the fake Procore, with a record of the requests and their answers. The
// record has tokens only as fingerprints.
type provider struct {
	w    *world
	fake *procoretest.Server

	mu      sync.Mutex
	calls   []*call
	owners  map[string][]string // refresh token -> rows for which it was made
	refresh map[string]string   // access token -> its refresh token
	revoked map[string][]*call  // refresh token -> revocations of its pair
}

// call is one request to the token or the revocation endpoint.
type call struct {
	p        *process // nil: the driver
	at, done time.Time
	accepted time.Time // the connection
	token    string    // refresh token presented
	status   int       // of the answer; 0: there was none
	code     string    // OAuth's error in it
	pair     string    // refresh token of the pair in the answer
	answer   string    // what happened to the answer
	revoke   bool
	conn     *flakyConn
}

// clean reports whether nothing is known to have kept the answer from the process.
func (c *call) clean() bool {
	return c.answer == answered && (c.conn == nil || !c.conn.harmed.Load()) && c.done.Sub(c.at) < 8*time.Second
}

const answered = "answered"

func newProvider(w *world, fake *procoretest.Server) *provider {
	return &provider{w: w, fake: fake, owners: map[string][]string{}, refresh: map[string]string{}, revoked: map[string][]*call{}}
}

// recordIssued records a pair from a user's authorization, and its row.
func (v *provider) recordIssued(key string, pair procoretest.Pair) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := procoretest.Fingerprint(pair.RefreshToken)
	if !slices.Contains(v.owners[f], key) {
		v.owners[f] = append(v.owners[f], key)
	}
	v.refresh[procoretest.Fingerprint(pair.AccessToken)] = f
}

// record records a call.
func (v *provider) record(c *call) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls = append(v.calls, c)
}

// handlerFor returns Procore as one process sees it.
func (v *provider) handlerFor(p *process) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/oauth/token", "/oauth/revoke":
			v.serve(p, w, r)
		default:
			v.fake.ServeHTTP(w, r)
		}
	})
}

// serve answers a request about a token. It records the request, whatever happens to
// the process or the answer.
func (v *provider) serve(p *process, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body)) // the fake complains about a bad one
	c := &call{p: p, at: time.Now(), conn: connOf(r), revoke: r.URL.Path == "/oauth/revoke"}
	if c.conn != nil {
		c.accepted = c.conn.accepted
	}
	if t := form.Get("refresh_token"); t != "" {
		c.token = procoretest.Fingerprint(t)
	}
	v.mu.Lock()
	known := v.owners[c.token] != nil
	v.mu.Unlock()
	defer v.record(c) // also when the connection is aborted
	defer func() { c.done = time.Now() }()
	if known {
		v.w.maybeHit(p, "token request arrives")
	}
	k, ok := v.ask(c, r)
	if c.revoke && k.status == http.StatusOK {
		v.recordRevocation(c, procoretest.Fingerprint(form.Get("token")))
	}
	if !ok {
		v.w.failed.add(c.answer)
		abort(r)
	}
	if known {
		v.w.maybeHit(p, "token answer leaves")
	}
	v.reply(c, w, r, k)
}

// ask returns the fake's answer, and false if it closed the connection instead.
func (v *provider) ask(c *call, r *http.Request) (k *heldAnswer, ok bool) {
	k = newHeldAnswer()
	defer func() {
		switch e := recover(); e {
		case nil:
		case http.ErrAbortHandler:
			c.answer = "dropped by the fake"
			if k.reset {
				c.answer = "reset by the fake"
			}
			ok = false
		default:
			panic(e)
		}
	}()
	v.fake.ServeHTTP(k, r)
	c.status = k.status
	var a struct {
		Error   string `json:"error"`
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(k.body.Bytes(), &a) == nil {
		c.code = a.Error
	}
	if a.Refresh != "" {
		c.pair = procoretest.Fingerprint(a.Refresh)
		v.mu.Lock()
		v.refresh[procoretest.Fingerprint(a.Access)] = c.pair
		v.owners[c.pair] = append(v.owners[c.pair], v.owners[c.token]...)
		v.mu.Unlock()
	}
	return k, true
}

func (v *provider) recordRevocation(c *call, token string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := v.refresh[token]
	if f == "" && v.owners[token] != nil {
		f = token // the refresh token itself
	}
	if f != "" {
		c.token = ""
		c.pair = f
		v.revoked[f] = append(v.revoked[f], c)
	}
}

// reply passes the answer on, or sometimes fails to.
func (v *provider) reply(c *call, w http.ResponseWriter, r *http.Request, k *heldAnswer) {
	d := v.w.dice
	if c.status >= 500 || c.status == http.StatusTooManyRequests || c.status == http.StatusUnauthorized {
		v.w.failed.add("status " + http.StatusText(c.status))
	}
	switch {
	case v.w.calm.Load():
	case d.oneIn(60):
		c.answer = "reset after the request was read"
		v.w.failed.add(c.answer)
		abort(r)
	case d.oneIn(80):
		c.answer = "cut in the middle"
		v.w.failed.add(c.answer)
		k.send(w, true)
	case d.oneIn(150):
		c.answer = "held back for longer than a refresh may take"
		v.w.failed.add(c.answer)
		v.w.wait(r.Context(), 22*time.Second)
		k.send(w, false)
		return
	case d.oneIn(25):
		v.w.failed.add("held back for a moment")
		v.w.wait(r.Context(), d.between(50*time.Millisecond, 3*time.Second))
	}
	if r.Context().Err() != nil {
		c.answer = "abandoned by the process"
		return
	}
	c.answer = answered
	k.send(w, false)
}

// injectFault makes the fake fail once, in one of its own ways.
func (v *provider) injectFault() {
	d := v.w.dice
	f := procoretest.Fault{Endpoint: pick(d, []string{"token", "token", "token", "token", "api", "revoke"})}
	f.Kind = pick(d, []string{procoretest.Drop, procoretest.Reset, procoretest.Status, procoretest.Status, procoretest.Delay})
	switch f.Kind {
	case procoretest.Status:
		f.Status = pick(d, []int{500, 502, 503, 503, 429, 401})
		if f.Status == http.StatusUnauthorized {
			f.Body = `{"error":"invalid_client"}`
		}
	case procoretest.Delay:
		f.DelayMS = d.between(100*time.Millisecond, 6*time.Second).Milliseconds()
	}
	if err := v.fake.Fault(f); err != nil {
		v.w.violation("the fake refuses a fault: %v", err)
		return
	}
	v.w.injected.add(f.Endpoint + " " + f.Kind)
}
