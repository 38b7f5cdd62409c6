package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"procore-connect/pkg/procore"
)

const (
	untilWarm = 30 // webhooks after which one is warm
	warmSeen  = 10 // warm webhooks whose median is compared
	spacing   = 3 * period * time.Microsecond
)

// rest is a kind of pause between two webhooks.
type rest struct {
	pause  time.Duration
	frozen bool // the process is stopped, as Lambda does, and not only without work
	closed bool // AWS closed its connections
}

func (r rest) String() string {
	if r.frozen {
		return fmt.Sprintf("%.0f s, frozen", r.pause.Seconds())
	}
	return fmt.Sprintf("%.0f s", r.pause.Seconds())
}

func (r rest) connections() string {
	if r.closed {
		return "closed"
	}
	return "alive"
}

// rested is a process that was idle, and what its answer after the pause took.
type rested struct {
	*sandbox
	kind   rest
	region region
	since  time.Time

	warm, warmCPU, answer, answerCPU time.Duration
	opened, reads                    int64 // connections, and reads of a secret, while the answer was awaited
}

// pauses measures the answer after each kind of pause in n sandboxes, all of which are idle at the same time.
func (b *bench) pauses(ctx context.Context, pauses []time.Duration, n int) (all []*rested, err error) {
	defer func() {
		for _, r := range all {
			err = errors.Join(err, r.close())
			r.region.close()
		}
	}()
	for range n {
		for _, kind := range kinds(pauses) {
			r, err := b.rest(ctx, kind)
			if err != nil {
				return all, err
			}
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(x, y *rested) int { return cmp.Compare(x.kind.pause, y.kind.pause) })
	for _, r := range all {
		left := time.Until(r.since.Add(r.kind.pause))
		if left > time.Second {
			fmt.Fprintf(os.Stderr, "after %v: waiting for %v\n", r.kind, left.Round(time.Second))
		}
		if err := (procore.Clock{}).Sleep(ctx, left); err != nil {
			return all, err
		}
		if err := b.wake(ctx, r); err != nil {
			return all, err
		}
	}
	return all, nil
}

func kinds(pauses []time.Duration) (all []rest) {
	for _, p := range pauses {
		all = append(all, rest{p, false, false}, rest{p, true, false}, rest{p, false, true}, rest{p, true, true})
	}
	return all
}

// rest starts a receiver with its own addresses of AWS, measures its warm answers and lets it rest.
func (b *bench) rest(ctx context.Context, kind rest) (r *rested, err error) {
	r = &rested{kind: kind}
	if r.region, err = b.newRegion(); err != nil {
		return nil, err
	}
	if r.sandbox, err = b.sandbox(b.subject(receiver), b.deployed(receiver, r.region.env())); err != nil {
		return nil, err
	}
	if err := b.deliver(ctx, r.sandbox, untilWarm); err != nil {
		return nil, errors.Join(err, r.close())
	}
	var took, cpu []float64
	for range warmSeen {
		if err := (procore.Clock{}).Sleep(ctx, spacing); err != nil { // its share of a core is whole again
			return nil, errors.Join(err, r.close())
		}
		t, c, err := r.spent(func() error { return b.deliver(ctx, r.sandbox, 1) })
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		took, cpu = append(took, float64(t)), append(cpu, float64(c))
	}
	r.warm, r.warmCPU = time.Duration(median(took)), time.Duration(median(cpu))
	if kind.closed {
		r.region.closeAll()
	}
	if kind.frozen {
		err = freeze(r.pid)
	}
	r.since = time.Now()
	return r, err
}

// wake delivers the webhook after the pause.
func (b *bench) wake(ctx context.Context, r *rested) (err error) {
	opened, answered := r.region.opened(), r.region.secrets.done.Load()
	r.answer, r.answerCPU, err = r.spent(func() error {
		if r.kind.frozen {
			if err := thaw(r.pid); err != nil {
				return err
			}
		}
		return b.deliver(ctx, r.sandbox, 1)
	})
	r.opened, r.reads = r.region.opened()-opened, r.region.secrets.arrived.Load()-answered
	return err
}
