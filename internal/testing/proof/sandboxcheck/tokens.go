package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"procore-connect/pkg/procore"
)

// add adds a finding.
func (c *checker) add(f finding) { c.findings = append(c.findings, f) }

// tokenAnswer describes the redirect and the answer to the exchange of a code.
func (c *checker) tokenAnswer(p pair) {
	size := "up to 1,000 bytes"
	if len(p.access.Reveal()) > 1000 {
		size = "over 1,000 bytes"
	}
	v := p.answer.json
	c.add(finding{
		ID: "answer to a code", Question: "How does the browser come back, and what does the token endpoint answer?",
		Did: "signed in, with state and PKCE (S256), and exchanged the code",
		Saw: []string{p.answer.String(), "the redirect has " + strings.Join(slices.Sorted(maps.Keys(c.returned)), ", ")},
		Fact: fmt.Sprintf("%s; token_type %.20q, expires_in %s, created_at %s; access token %s; redirect with %s",
			p.answer.verdict(), text(v, "token_type"), kindOf(field(v, "expires_in")), kindOf(field(v, "created_at")), size, strings.Join(slices.Sorted(maps.Keys(c.returned)), ", ")),
		Assumption: "a pair is read whatever its other fields are; without expires_in a lifetime is assumed", Where: "pkg/procore/token_answer.go", Verdict: confirms,
	})
}

// body names the form of a body.
func body(s seen) string {
	if s.json == nil && len(s.body) > 0 {
		return "no JSON"
	}
	return kindOf(s.json)
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "absent"
	case string:
		return "text"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	case bool:
		return "boolean"
	}
	return "number"
}

// companyHeader calls into the chosen company without naming it in the header. Only if the same call works with the header
// is the header what was missed.
func (c *checker) companyHeader(ctx context.Context, p pair) {
	path := "/rest/v1.1/projects?company_id=" + c.company
	with := c.get(ctx, path, p.access, c.company)
	s := c.get(ctx, path, p.access, "")
	f := finding{
		ID: "company header", Question: "How is a call without Procore-Company-Id answered?", Did: "listed the company's projects with the header and without it",
		Saw:  []string{with.String(), s.String()},
		Fact: s.verdict(), Assumption: "each call needs it, so that each of ours has it", Where: "pkg/procore/request.go", Verdict: decided(s, !s.ok()),
	}
	if !s.ok() && !with.ok() {
		f.Fact, f.Verdict = s.verdict()+", and with it "+with.verdict(), undecided
	}
	c.add(f)
}

// decided is holds for an answer that came.
func decided(s seen, ok bool) verdict {
	if s.err != nil || s.status >= 500 || s.status == 429 {
		return undecided
	}
	return holds(ok)
}

// lives names what is left of a pair.
func lives(access, refresh bool) string {
	switch {
	case access && refresh:
		return "lives"
	case access:
		return "its access token lives, its refresh token does not"
	case refresh:
		return "its refresh token lives, its access token does not"
	}
	return "is revoked"
}

// secondAuthorization tries what is left of a user's first pair after a second authorization. It spends its refresh token.
func (c *checker) secondAuthorization(ctx context.Context, a, b pair) {
	f := finding{
		ID: "second authorization", Question: "What does a second authorization by one user do to the first pair?",
		Did:        "authorized the app twice as one user, and then used the first pair",
		Assumption: "the first pair lives, is revoked, or is returned again: an authorization replaces the user's grant, and an older pair is never written over a newer one",
		Where:      "pkg/tokens/authorize.go", Verdict: confirms,
	}
	if same(a.access, b.access) && same(a.refresh, b.refresh) {
		f.Fact = "it is returned again"
		c.add(f)
		return
	}
	access, s := c.alive(ctx, a.access)
	_, r := c.refresh(ctx, a.refresh, "")
	f.Saw = []string{s.String(), r.String()}
	f.Fact = "it " + lives(access, r.ok())
	if access != r.ok() {
		f.Verdict = breaks
	}
	if !settled(s, 401) || !settled(r, 400, 401) {
		f.Verdict = undecided
	}
	c.add(f)
}

// settled reports whether an answer is a success or one of these refusals.
func settled(s seen, refusals ...int) bool {
	return s.ok() || s.err == nil && slices.Contains(refusals, s.status)
}

// refreshed exchanges a refresh token, and tries what is left of the old pair. Then it replays the token.
func (c *checker) refreshed(ctx context.Context, old pair) {
	next, s := c.refresh(ctx, old.refresh, "")
	access, a := c.alive(ctx, old.access)
	fact := map[bool]string{true: "lives", false: "is refused"}[access]
	c.add(finding{
		ID: "old access token", Question: "Does the old access token live on after a refresh?", Did: "refreshed, and called /me with the old token",
		Saw: []string{s.String(), a.String()}, Fact: fact,
		Assumption: "either: a call that is answered 401 is repeated once, with the newer token", Where: "pkg/tokens/transport.go", Verdict: decided(a, s.ok() && settled(a, 401)),
	})
	_, replay := c.refresh(ctx, old.refresh, "")
	replayed, kept := replay.verdict(), same(next.refresh, old.refresh)
	if kept {
		replayed += ": a refresh does not replace it"
	}
	c.add(finding{
		ID: "spent refresh token", Question: "How is a refresh token answered that was used before?", Did: "sent the spent token again",
		Saw: []string{replay.String()}, Fact: replayed,
		Assumption: "it is good once: invalid_grant, with 400 or 401, and only that means refused", Where: "pkg/procore/oauth.go",
		Verdict: decided(replay, replay.oauthCode() == "invalid_grant" && (replay.status == 400 || replay.status == 401)),
	})
	if next.access.IsZero() {
		return
	}
	lived, l := c.alive(ctx, next.access)
	_, r := c.refresh(ctx, next.refresh, "")
	f := finding{
		ID: "successor", Question: "Does the replay of a spent token end the pair that it was exchanged for?", Did: "used the newer pair after the replay",
		Saw: []string{l.String(), r.String()}, Fact: "it " + lives(lived, r.ok()),
		Assumption: "it may: no refresh token is ever sent twice", Where: "docs/REFRESH.md", Verdict: confirms,
	}
	switch {
	case kept:
		f.Fact, f.Verdict = "there is none", undecided
	case !settled(l, 401) || !settled(r, 400, 401):
		f.Verdict = undecided
	}
	c.add(f)
}

// failedRefresh makes a refresh that Procore refuses for another reason than the token, and then a right one.
func (c *checker) failedRefresh(ctx context.Context, p pair) {
	_, wrong := c.refresh(ctx, p.refresh, "wrong-on-purpose-"+rand.Text())
	_, right := c.refresh(ctx, p.refresh, "")
	f := finding{
		ID: "failed refresh", Question: "Does a refresh that fails spend the token?", Did: "refreshed with a wrong client secret, and then with the right one",
		Saw:        []string{wrong.String(), right.String()},
		Assumption: "it may: after any answer but a pair the token counts as spent", Where: "pkg/procore/oauth.go", Verdict: confirms,
	}
	spends := map[bool]string{true: "it does not spend the token", false: "it spends the token"}[right.ok()]
	f.Fact = wrong.verdict() + ": " + spends
	if wrong.ok() || !settled(right, 400, 401) {
		f.Verdict = undecided
	}
	c.add(f)
}

// revocation revokes an access token that is valid, and one that was never issued.
func (c *checker) revocation(ctx context.Context, p pair) {
	unknown := c.revoke(ctx, procore.NewSecret(rand.Text()+rand.Text()), "access_token")
	s := c.revoke(ctx, p.access, "access_token")
	access, a := c.alive(ctx, p.access)
	_, r := c.refresh(ctx, p.refresh, "")
	f := finding{
		ID: "revocation", Question: "What does the revocation of an access token end?", Did: "revoked an unknown token, then a valid access token, and used its pair",
		Saw:        []string{unknown.String() + ", a token that was never issued", s.String(), a.String(), r.String()},
		Fact:       fmt.Sprintf("%s, %s (%s for an unknown one): the pair %s", s.verdict(), body(s), unknown.verdict(), lives(access, r.ok())),
		Assumption: "the access token, also if it is unknown; the refresh token is revoked by itself", Where: "pkg/procore/oauth.go",
		Verdict: decided(s, s.ok() && unknown.ok() && !access),
	}
	c.add(f)
}

// expired revokes an access token that has expired, and tries its refresh token.
func (c *checker) expired(ctx context.Context) error {
	f := finding{
		ID: "revocation of an expired token", Question: "Does the revocation of an expired access token end its refresh token?",
		Assumption: "it may not: the refresh token is always revoked itself", Where: "pkg/procore/oauth.go", Verdict: undecided,
	}
	if !c.Wait {
		f.Did, f.Fact = `nothing: an access token has to expire first, make sandbox-check ARGS="-wait"`, "not tried"
		c.add(f)
		return nil
	}
	p, err := c.signIn(ctx, "for a token that expires")
	if err != nil {
		return err
	}
	wait := max(p.expires, 0) + time.Minute
	fmt.Fprintf(c.Out, "\nWaiting %v until the access token has expired. Ctrl-C ends it all, and revokes what was made.\n", wait)
	if err := c.Sleep(ctx, wait); err != nil {
		return err
	}
	access, a := c.alive(ctx, p.access)
	s := c.revoke(ctx, p.access, "access_token")
	_, r := c.refresh(ctx, p.refresh, "")
	f.Did = fmt.Sprintf("waited %v, revoked the access token, and used the refresh token", wait)
	f.Saw = []string{a.String() + ", after its time", s.String(), r.String()}
	f.Fact = s.verdict() + ": " + map[bool]string{true: "the refresh token lives", false: "the refresh token is revoked"}[r.ok()]
	if !access && settled(a, 401) && settled(r, 400, 401) {
		f.Verdict = holds(s.ok())
	}
	c.add(f)
	return nil
}
