package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"procore-connect/pkg/procore"
)

const (
	signInTimeout = 10 * time.Minute // a code is valid for as long
	// begunBefore is how much older than its sign-in a pair may seem, because its time is in whole seconds.
	begunBefore = 5 * time.Second
)

// pair is a grant of this run.
type pair struct {
	access, refresh procore.Secret
	expires         time.Duration
	answer          seen
}

func pairOf(s seen) pair {
	p := pair{access: procore.NewSecret(text(s.json, "access_token")), refresh: procore.NewSecret(text(s.json, "refresh_token")), answer: s}
	if n, err := json.Number(text(s.json, "expires_in")).Int64(); err == nil {
		p.expires = time.Duration(n) * time.Second
	}
	return p
}

func same(a, b procore.Secret) bool { return a.Reveal() == b.Reveal() }

// errForeign means that Procore returned a pair that this run did not make.
var errForeign = errors.New("the grant that Procore returned existed before this sign-in, and may be that of a stack: nothing was done with it, and it is not revoked. " +
	"Sign in as a user who has connected nothing with this app, or use an app that no stack uses")

// signIn lets the person authorize the app once more, and returns the pair of that.
func (c *checker) signIn(ctx context.Context, why string) (pair, error) {
	state, verifier := procore.NewSecret(rand.Text()), procore.NewSecret(rand.Text()+rand.Text())
	oauth := procore.OAuth{Environment: c.Environment, ClientID: c.ClientID}
	address := oauth.AuthCodeURL(state, verifier, c.RedirectURI)
	c.signIns++
	fmt.Fprintf(c.Out, "\nSign-in %d, %s. Open this address, sign in as the same user, and allow the app:\n\n%s\n\n", c.signIns, why, address)
	ctx, cancel := context.WithTimeoutCause(ctx, signInTimeout, fmt.Errorf("no one signed in within %v", signInTimeout))
	defer cancel()
	arrived := c.expect(state)
	if c.Open != nil {
		if err := c.Open(ctx, address); err != nil {
			return pair{}, fmt.Errorf("sign-in %d: %w", c.signIns, err)
		}
	}
	var back url.Values
	select {
	case <-ctx.Done():
		return pair{}, context.Cause(ctx)
	case back = <-arrived:
	}
	c.returned = back
	if back.Get("code") == "" {
		return pair{}, errors.New("the app was not authorized: the browser came back without a code")
	}
	begun := time.Now()
	s := c.wire.login(ctx, "/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "code_verifier": {verifier.Reveal()}, "redirect_uri": {c.RedirectURI},
	})
	p := pairOf(s)
	if p.access.IsZero() || p.refresh.IsZero() {
		return p, fmt.Errorf("the code was not exchanged: %s", s)
	}
	if known := slices.ContainsFunc(c.pairs, func(k pair) bool { return same(k.access, p.access) && same(k.refresh, p.refresh) }); known {
		return p, nil
	}
	if older(p.answer, time.Since(begun)) {
		return pair{}, errForeign
	}
	c.pairs = append(c.pairs, p)
	return p, nil
}

// older reports whether a pair was created before the exchange of its code began, by Procore's own clock.
func older(s seen, took time.Duration) bool {
	created, err := json.Number(text(s.json, "created_at")).Int64()
	date, err2 := http.ParseTime(s.header.Get("Date"))
	if err != nil || err2 != nil {
		return false
	}
	return time.Unix(created, 0).Before(date.Add(-took - begunBefore))
}

// refresh spends a refresh token on purpose, also one that is spent. What it returns is a grant of this run.
func (c *checker) refresh(ctx context.Context, token procore.Secret, secret string) (pair, seen) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.Reveal()}, "redirect_uri": {c.RedirectURI}}
	if secret != "" {
		form.Set("client_secret", secret)
	}
	s := c.wire.login(ctx, "/oauth/token", form)
	p := pairOf(s)
	if !p.access.IsZero() {
		c.pairs = append(c.pairs, p)
	}
	return p, s
}

// revoke revokes one token.
func (c *checker) revoke(ctx context.Context, token procore.Secret, hint string) seen {
	return c.wire.login(ctx, "/oauth/revoke", url.Values{"token": {token.Reveal()}, "token_type_hint": {hint}})
}

// revokeAll ends what this run made. It reports how many pairs Procore did not answer for.
func (c *checker) revokeAll(ctx context.Context) (failed int) {
	for _, p := range c.pairs {
		ok := p.refresh.IsZero() || c.revoke(ctx, p.refresh, "refresh_token").ok()
		if ok = c.revoke(ctx, p.access, "access_token").ok() && ok; !ok {
			failed++
		}
	}
	return failed
}

// alive reports whether an access token is accepted. The second result is the answer, which decides if it is neither.
func (c *checker) alive(ctx context.Context, access procore.Secret) (bool, seen) {
	s := c.get(ctx, "/rest/v1.0/me", access, "")
	return s.ok(), s
}

// serve answers the browser that comes back, and what Procore sends to the tunnel.
func (c *checker) serve() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth/callback", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		c.mu.Lock()
		ours := c.arrived != nil && subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(c.state.Reveal())) == 1
		arrived := c.arrived
		if ours {
			c.arrived = nil // once
		}
		c.mu.Unlock()
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		if !ours {
			http.Error(w, "This sign-in is not one that the terminal waits for.", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "Back at the terminal: this page can be closed.")
		arrived <- q
	})
	mux.HandleFunc(hookPath, func(_ http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.probes) < maxProbes {
			c.probes = append(c.probes, r.Method)
		}
	})
	server := &http.Server{Handler: mux, ReadTimeout: callTimeout, MaxHeaderBytes: 64 << 10}
	go server.Serve(c.Listener)
	return server
}

// expect makes the browser that comes back with this state the one to wait for.
func (c *checker) expect(state procore.Secret) <-chan url.Values {
	arrived := make(chan url.Values, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state, c.arrived = state, arrived
	return arrived
}
