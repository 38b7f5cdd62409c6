package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	parallel = 4                // companies at once
	reserve  = 10 * time.Second // of a run's time, to end in order
	// maxErrors bounds those of a run's error.
	maxErrors = 10
	// unknown is a skew that no answer has reported.
	unknown = time.Duration(math.MinInt64)
)

// A run is one call of Run.
type run struct {
	*Reconciler
	subjects []subject
	budget   *budget
	asked    bool // a person asked for the company: it has a turn, and its windows open, although nothing is due

	mu     sync.Mutex
	report Report
	errs   []error
	aside  map[string]bool  // resources of companies that failed
	lists  map[int64]listed // projects by company
	skew   time.Duration    // Procore's clock less ours, at most
	ended  error            // how the last turn ended
}

// listed are the projects that a connection saw.
type listed struct {
	by  tokens.Principal
	at  time.Time
	ids []int64
}

func (r *Reconciler) begin() *run {
	p := &run{Reconciler: r, subjects: subjects(r.Want.Triggers), skew: unknown, aside: map[string]bool{}, lists: map[int64]listed{}}
	p.budget = newBudget(r)
	return p
}

// all gives each company that is due its turn, and then those in turn that have more to do.
func (p *run) all(ctx context.Context) {
	for again := p.each(ctx, p.due(ctx)); len(again) > 0 && !p.over(ctx); {
		again = p.each(ctx, slices.Values(again))
	}
}

// each gives each company a turn, a few at once, and returns those that have more to do.
func (p *run) each(ctx context.Context, companies iter.Seq[int64]) (again []int64) {
	var all sync.WaitGroup
	free := make(chan struct{}, parallel)
	for id := range companies {
		free <- struct{}{}
		if p.over(ctx) {
			break
		}
		all.Go(func() {
			defer func() { <-free }()
			if p.turn(ctx, id) {
				p.count(func(*Report) { again = append(again, id) })
			}
		})
	}
	all.Wait()
	return again
}

// over reports whether the rest is for the next run.
func (p *run) over(ctx context.Context) bool {
	left, ok := procore.TimeLeft(ctx)
	return ctx.Err() != nil || ok && left < reserve || p.budget.spent(ctx)
}

// due returns the companies that are due, the longest due first.
func (p *run) due(ctx context.Context) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for k, err := range p.Store.Due(ctx, connections.Reconciliation, p.now().Add(time.Second)) {
			if err != nil {
				p.fail(fmt.Errorf("reconcile: those that are due: %w", err))
			} else if !yield(k.CompanyID) {
				return
			}
		}
	}
}

// finish returns what the run holds, and what it found.
func (p *run) finish(ctx context.Context) (Report, error) {
	for _, err := range p.budget.settle(ctx) {
		p.fail(err)
	}
	if !p.Want.on() { // rows that are due from before are not behind
		return p.report, errors.Join(p.errs...)
	}
	oldest, err := p.Store.OldestCheck(ctx, connections.Reconciliation)
	p.fail(err)
	if !oldest.IsZero() {
		p.report.Lag = max(p.now().Sub(oldest), 0)
	}
	return p.report, errors.Join(p.errs...)
}

func (p *run) count(add func(*Report)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	add(&p.report)
}

func (p *run) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && len(p.errs) < maxErrors {
		p.errs = append(p.errs, err)
	}
}

// failure notes that a company's resource failed. A later run continues.
func (p *run) failure(companyID int64, resource string, err error) {
	p.fail(fmt.Errorf("reconcile: company %d, %s: %w", companyID, resource, err))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.aside[fmt.Sprint(companyID, resource)] = true
}

func (p *run) failed(companyID int64, resource string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.aside[fmt.Sprint(companyID, resource)]
}

// answered learns from an answer's header. Its Date is cut to seconds and has travelled, so
// the largest difference of all answers is nearest to the true one, and never above it.
func (p *run) answered(ctx context.Context, owner string, a procore.Answer) {
	if a.HourlyLimit > 0 {
		p.budget.learn(ctx, owner, a.HourlyLimit)
	}
	if a.Date.IsZero() {
		return
	}
	skew := a.Date.Sub(p.now())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.skew = max(p.skew, skew)
}

func (p *run) skewed() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.skew
}

// procoreNow returns the time by Procore's clock, or ours while that is not known.
func (p *run) procoreNow() time.Time {
	if skew := p.skewed(); skew != unknown {
		return p.now().Add(skew)
	}
	return p.now()
}

// seen returns the projects that were listed in this run by the connection that reads, not
// before the given time.
func (p *run) seen(companyID int64, hands []hand, end time.Time) ([]int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.lists[companyID]
	ok = ok && len(hands) > 0 && l.by == hands[0].Principal && !l.at.Before(end)
	return l.ids, ok
}

func (p *run) see(companyID int64, hands []hand, at time.Time, ids []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(hands) > 0 {
		p.lists[companyID] = listed{hands[0].Principal, at, ids}
	}
}
