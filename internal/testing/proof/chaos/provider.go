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

// provider is the fake Procore behind a record of what came and what became of
// it. Tokens are in it by their fingerprints.
type provider struct {
	w    *world
	fake *procoretest.Server

	mu      sync.Mutex
	calls   []*call
	owners  map[string][]string // refresh token -> rows it was made for
	refresh map[string]string   // access token -> its refresh token
	revoked map[string][]*call  // refresh token -> revocations of its pair
}

// call is one request to the token or the revocation endpoint.
type call struct {
	p        *process // nil: the driver
	at, done time.Time
	accepted time.Time // the connection
	token    string    // refresh token presented
	status   int       // of the answer, 0: there was none
	code     string    // OAuth's error in it
	pair     string    // refresh token of the pair in the answer
	answer   string    // what became of the answer
	revoke   bool
	conn     *flakyConn
}

// clean says that nothing we know of kept the answer from the process.
func (c *call) clean() bool {
	return c.answer == answered && (c.conn == nil || !c.conn.hurt.Load()) && c.done.Sub(c.at) < 8*time.Second
}

const answered = "answered"

func newProvider(w *world, fake *procoretest.Server) *provider {
	return &provider{w: w, fake: fake, owners: map[string][]string{}, refresh: map[string]string{}, revoked: map[string][]*call{}}
}

// issued notes a pair that a user's authorization gave to a row.
func (v *provider) issued(key string, pair procoretest.Pair) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := procoretest.Fingerprint(pair.RefreshToken)
	if !slices.Contains(v.owners[f], key) {
		v.owners[f] = append(v.owners[f], key)
	}
	v.refresh[procoretest.Fingerprint(pair.AccessToken)] = f
}

// note records a call.
func (v *provider) note(c *call) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls = append(v.calls, c)
}

// of is Procore as one process sees it.
func (v *provider) of(p *process) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/oauth/token", "/oauth/revoke":
			v.serve(p, w, r)
		default:
			v.fake.ServeHTTP(w, r)
		}
	})
}

// serve answers a request about a token. Whatever happens to the process or the
// answer, the record has it.
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
	defer v.note(c) // also when the connection is aborted
	defer func() { c.done = time.Now() }()
	if known {
		v.w.moment(p, "token request arrives")
	}
	k, ok := v.ask(c, r)
	if c.revoke && k.status == http.StatusOK {
		v.revocation(c, procoretest.Fingerprint(form.Get("token")))
	}
	if !ok {
		v.w.provoked.add(c.answer)
		abort(r)
	}
	if known {
		v.w.moment(p, "token answer leaves")
	}
	v.reply(c, w, r, k)
}

// ask lets the fake answer; false means that it closed the connection instead.
func (v *provider) ask(c *call, r *http.Request) (k *kept, ok bool) {
	k = keep()
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

func (v *provider) revocation(c *call, access string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if f := v.refresh[access]; f != "" {
		c.token = ""
		c.pair = f
		v.revoked[f] = append(v.revoked[f], c)
	}
}

// reply hands the answer on, mostly.
func (v *provider) reply(c *call, w http.ResponseWriter, r *http.Request, k *kept) {
	d := v.w.dice
	if c.status >= 500 || c.status == http.StatusTooManyRequests || c.status == http.StatusUnauthorized {
		v.w.provoked.add("status " + http.StatusText(c.status))
	}
	switch {
	case v.w.calm.Load():
	case d.one(60):
		c.answer = "reset after the request was read"
		v.w.provoked.add(c.answer)
		abort(r)
	case d.one(80):
		c.answer = "cut in the middle"
		v.w.provoked.add(c.answer)
		k.send(w, true)
	case d.one(150):
		c.answer = "held back for longer than the refresh may last"
		v.w.provoked.add(c.answer)
		v.w.wait(r.Context(), 22*time.Second)
		k.send(w, false)
		return
	case d.one(25):
		v.w.provoked.add("held back for a moment")
		v.w.wait(r.Context(), d.between(50*time.Millisecond, 3*time.Second))
	}
	if r.Context().Err() != nil {
		c.answer = "left alone by the process"
		return
	}
	c.answer = answered
	k.send(w, false)
}

// throw makes the fake fail once, in a way of its own.
func (v *provider) throw() {
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
		v.w.fault("the fake refuses a fault: %v", err)
		return
	}
	v.w.thrown.add(f.Endpoint + " " + f.Kind)
}
