package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

const (
	initSamples = 5   // of each function in a round, of which the median counts
	untilPeak   = 200 // webhooks before peak memory is read
	warmed      = 300 // further webhooks, whose CPU time is measured
	slowRounds  = 5   // of what takes many seconds: the companies and the refresher
)

// bench makes the measurements. Each is named by a quantity and a subject.
type bench struct {
	*world
	settings settings
	bin      string
	peers    []peer
	slow     bool // a share of a core can be given; else rows are omitted
	seen     series
}

func (b *bench) subject(name string, dir ...string) subject {
	return subject{name, filepath.Join(append(append([]string{b.bin}, dir...), name)...)}
}

// step is a measurement of a round.
type step func(ctx context.Context) error

// rounds makes the measurements that are paired. Every second round has the opposite order.
func (b *bench) rounds(ctx context.Context, n int, parts parts) error {
	var steps, long []step
	if parts.has("start") {
		steps = append(steps, b.inits)
		steps = append(steps, b.firsts()...)
	}
	if parts.has("warm") {
		steps = append(steps, b.warms()...)
	}
	if parts.has("companies") && b.slow {
		long = append(long, b.companies)
	}
	if parts.has("refresher") {
		long = append(long, b.refreshes)
	}
	if len(steps)+len(long) == 0 {
		return nil
	}
	for i := range n {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", i+1, n)
		all := slices.Clone(steps)
		if i < slowRounds {
			all = append(all, long...)
		}
		if i%2 == 1 {
			slices.Reverse(all)
		}
		for _, step := range all {
			if err := step(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// inits measures the start of the functions without prewarming, of the bare handler and of the peers.
func (b *bench) inits(ctx context.Context) error {
	all := []subject{b.subject(bare)}
	for _, f := range functions {
		all = append(all, b.subject(f, cold))
	}
	for _, p := range b.peers {
		all = append(all, p.subject)
	}
	took, cpu := make(map[string][]float64), make(map[string][]float64)
	for i := range initSamples {
		if i%2 == 1 {
			slices.Reverse(all)
		}
		for _, s := range all {
			p, err := b.sandbox(s, how{})
			if err != nil {
				return err
			}
			if err := errors.Join(p.Warm(ctx), p.close()); err != nil {
				return err
			}
			took[s.name], cpu[s.name] = append(took[s.name], p.init.Seconds()), append(cpu[s.name], p.initCPU.Seconds())
		}
	}
	for _, s := range all {
		b.seen.add(initTime, s.name, median(took[s.name]))
		b.seen.add(initCPU, s.name, median(cpu[s.name]))
	}
	return nil
}

func (b *bench) firsts() []step {
	if !b.slow {
		return nil
	}
	all := []subject{{naive, filepath.Join(b.bin, naive, receiver)}, b.subject(receiver)}
	for _, p := range b.peers {
		all = append(all, p.subject)
	}
	return each(all, b.first)
}

// first measures the time from the start of the process, as deployed, to its first
// answer. After init the process has its share of a core.
func (b *bench) first(ctx context.Context, s subject) error {
	p, err := b.sandbox(s, b.deployed(receiver, nil))
	if err != nil {
		return err
	}
	if err := p.Warm(ctx); err != nil {
		return errors.Join(err, p.close())
	}
	took, cpu, err := p.spent(func() error { return b.deliver(ctx, p, 1) })
	b.seen.add(firstAnswer, s.name, (p.init + took).Seconds())
	b.seen.add(firstCPU, s.name, cpu.Seconds())
	return errors.Join(err, p.close())
}

func (b *bench) warms() []step {
	all := []subject{b.subject(bare), b.subject(receiver)}
	for _, p := range b.peers {
		all = append(all, p.subject)
	}
	return each(all, b.warm)
}

// warm measures a series of webhooks, each of which storage must see, except those of the bare handler.
func (b *bench) warm(ctx context.Context, s subject) error {
	p, err := b.sandbox(s, how{})
	if err != nil {
		return err
	}
	before := b.stored.Load()
	err = b.deliver(ctx, p, untilPeak)
	peak, err2 := peakMemory(p.pid)
	if err := errors.Join(err, err2); err != nil {
		return errors.Join(err, p.close())
	}
	_, cpu, err := p.spent(func() error { return b.deliver(ctx, p, warmed) })
	if err := errors.Join(err, p.close()); err != nil {
		return err
	}
	if n := b.stored.Load() - before; n != untilPeak+warmed && s.name != bare {
		return fmt.Errorf("%s stored %d webhooks, want %d", s.name, n, untilPeak+warmed)
	}
	b.seen.add(peakBytes, s.name, float64(peak))
	b.seen.add(perCore, s.name, warmed/cpu.Seconds())
	return nil
}

func each(all []subject, measure func(context.Context, subject) error) []step {
	var steps []step
	for _, s := range all {
		steps = append(steps, func(ctx context.Context) error { return measure(ctx, s) })
	}
	return steps
}
