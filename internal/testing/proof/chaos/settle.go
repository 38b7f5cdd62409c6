//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/pkg/tokens"
)

// maxWait is how long the schedules have to repair what chaos left.
const maxWait = 2 * time.Minute

// settle runs the schedules on a working network until nothing is unsettled: no claim,
// no uncertain grant, no pair in the rescue queue, no failure in the breaker.
func (v *verdict) settle(ctx context.Context) {
	w := v.w
	w.setTokenLifetime(90 * time.Minute)
	begin := time.Now()
	p, err := w.start(ctx, slots, 1, "refresher")
	if err != nil {
		v.add("", "the refresher does not start: %v", err)
		return
	}
	defer p.close()
	for last := ""; ; {
		for _, task := range []string{"housekeeping", "refresh"} {
			if err := p.invoke(ctx, fmt.Appendf(nil, `{"task":%q}`, task)); err != nil {
				last = task + ": " + err.Error()
			}
		}
		open, err := v.unsettled(ctx)
		switch {
		case err != nil:
			last = err.Error()
		case open == "":
			v.settled = time.Since(begin)
			return
		default:
			last = open + "; " + last
		}
		if time.Since(begin) > maxWait || ctx.Err() != nil {
			v.add("", "not settled %v after the last fault: %s", maxWait, last)
			return
		}
		w.wait(ctx, time.Second)
	}
}

// unsettled returns what is still unsettled, or "".
func (v *verdict) unsettled(ctx context.Context) (string, error) {
	w := v.w
	b, err := v.breaker(ctx)
	if err != nil {
		return "", err
	}
	if b == "" && v.breakerAfter == 0 {
		v.breakerAfter = time.Since(v.begin())
	}
	if waiting, inFlight, delayed := w.rescue.Counts(); waiting+inFlight+delayed > 0 {
		return "the rescue queue is not empty", nil
	}
	if b != "" {
		return b, nil
	}
	for _, p := range w.people {
		_, r, err := w.read(ctx, p)
		if err != nil {
			return "", err
		}
		switch {
		case p.user == 0:
			if _, err := w.store.Tokens.Token(ctx, tokens.App); errors.Is(err, tokens.ErrTryAgain) {
				return fmt.Sprintf("the service account's token: %v", err), nil
			}
		case r.Claimed(): // the next reader of the grant ends a claim that has expired
			_, err := w.store.Tokens.Upkeep().Refresh(ctx, p.principal(), 0)
			return fmt.Sprintf("%s is claimed: %v", p.row(), err), nil
		case r.State == "uncertain": // a late answer is waited for: for this driver, it is later
			if _, err := w.late.Upkeep().Refresh(ctx, p.principal(), 0); err != nil && !errors.Is(err, tokens.ErrReauthorize) {
				return fmt.Sprintf("%s is uncertain: %v", p.row(), err), nil
			}
			return p.row() + " was uncertain", nil
		case len(r.Holders) == 0 && r.State != "revoked":
			return p.row() + " has no holder", v.revoke(ctx, p, r)
		case r.State == "active" && time.Until(time.Unix(r.ExpiresAt, 0)) < 20*time.Minute:
			return p.row() + " is active and not due yet", nil
		}
	}
	return "", nil
}

// revoke revokes a grant without a holder, as housekeeping does after half an hour. One
// that this driver may have ended later is revoked later still.
func (v *verdict) revoke(ctx context.Context, p *person, r invariants.Row) error {
	store := v.w.store.Tokens
	if r.State == "reauthorize" {
		store = v.w.late
	}
	v.w.record(action{what: revoked, row: p.row()})
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if err := store.Revoke(ctx, p.principal(), "chaos test"); err != nil && !errors.Is(err, tokens.ErrTryAgain) {
		return err
	}
	return nil
}

func (v *verdict) begin() time.Time { return v.w.endedAt }

// breaker returns what is wrong with the breaker according to its row, or "".
func (v *verdict) breaker(ctx context.Context) (string, error) {
	items, err := v.w.scan(ctx, v.w.names.Grants)
	if err != nil {
		return "", err
	}
	for _, i := range items {
		if invariants.IsGrant(i) {
			continue
		}
		if open := i["open"].BOOL; open != nil && *open {
			return "the breaker is open", nil
		}
		if n := i["unknown"].N; n != nil && *n != "0" {
			return "the breaker counts failures", nil
		}
	}
	return "", nil
}
