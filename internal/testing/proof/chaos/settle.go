//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"procore-connect/internal/testing/proof/invariants"
	"procore-connect/pkg/tokens"
)

// maxWait is how long the schedules have to repair what chaos left.
const maxWait = 2 * time.Minute

// settle runs the schedules on a working network until nothing is unsettled: no claim,
// no uncertain connection, no pair in the rescue queue, no failure in the breaker.
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
		c, err := w.store.Connection(ctx, p.key)
		if err != nil {
			return "", err
		}
		item, err := v.item(ctx, p.key)
		if err != nil {
			return "", err
		}
		r, err := invariants.RowOf(item)
		if err != nil {
			return "", err
		}
		switch {
		case c.State == tokens.Revoking:
			ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
			err := w.store.Revoke(ctx, p.key, "chaos test")
			cancel()
			if err != nil && !errors.Is(err, tokens.ErrTryAgain) {
				return "", err
			}
			return p.row() + " is revoking", nil
		case r.Usable() && r.Claimed(), c.State == tokens.Uncertain, c.State == tokens.Active && p.user != 0 && time.Until(c.Expiry) < 20*time.Minute:
			return p.row() + " is " + string(c.State) + " and not due yet", nil
		}
	}
	return "", nil
}

func (v *verdict) begin() time.Time { return v.w.endedAt }

func (v *verdict) item(ctx context.Context, k tokens.Key) (invariants.Item, error) {
	items, err := v.w.scan(ctx, v.w.names.Connections)
	if err != nil {
		return nil, err
	}
	for _, i := range items {
		r, err := invariants.RowOf(i)
		if invariants.IsConnection(i) && err == nil && r.Key() == rowKey(k) {
			return i, nil
		}
	}
	return nil, fmt.Errorf("row %s does not exist", rowKey(k))
}

// breaker returns what is wrong with the breaker according to its row, or "".
func (v *verdict) breaker(ctx context.Context) (string, error) {
	items, err := v.w.scan(ctx, v.w.names.Connections)
	if err != nil {
		return "", err
	}
	for _, i := range items {
		if invariants.IsConnection(i) {
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
