package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// noteWithin is how long a run waits for the note of a probe that changed nothing.
const noteWithin = time.Second

// tripAfter unknown outcomes without a success between them open the breaker.
const tripAfter = 3

// Breaker is what all processes know of the token endpoint's health. It is one
// row of the Grants table, under a name that no principal has. An
// outage or a wrong client secret opens it, so that it costs the refreshes in
// flight when it begins plus three, and not every grant that is due (R7).
//
// While it is at rest a refresh only reads it. After a first bad outcome each
// further refresh must take one of the few trials that are left.
type Breaker struct {
	Open   bool
	Reason string    // why it is open
	Since  time.Time // since when

	ProbedAt time.Time // when [Upkeep.Probe] last asked the token endpoint; zero: never
	Probe    string    // what was wrong then; empty: nothing

	rev     int64
	write   string
	unknown int64 // outcomes since the last success
	trials  int64 // refreshes begun since the first of them
}

// AtRest reports whether nothing bad happened since the last success, so that a probe
// would change nothing.
func (b Breaker) AtRest() bool { return !b.Open && b.unknown == 0 }

// verdict is what one refresh showed of the endpoint.
type verdict int

const (
	success verdict = iota
	unknown
	invalidClient
	unspent // a trial was taken, and nothing was sent
)

// after is the breaker after a verdict.
func (b Breaker) after(v verdict, reason string, now time.Time) Breaker {
	switch v {
	case success:
		return Breaker{ProbedAt: b.ProbedAt, Probe: b.Probe, rev: b.rev, write: b.write}
	case unknown:
		b.unknown++
	case unspent:
		b.trials = max(b.trials-1, 0)
	}
	if v == invalidClient || b.unknown >= tripAfter {
		if !b.Open {
			b.Reason, b.Since = reason, now
		}
		b.Open = true
	}
	return b
}

// Breaker reads the breaker.
func (u Upkeep) Breaker(ctx context.Context) (Breaker, error) {
	s := u.s
	b, err := s.breakers().Get(ctx, s.rowKey("breaker"))
	if err != nil {
		return Breaker{}, fmt.Errorf("tokens: the breaker could not be read: %w", err)
	}
	s.breaker.Store(&b)
	return b, nil
}

// admit lets a refresh begin, or gives the caller's error. Under suspicion it
// takes one of the trials that are left, and says so.
func (s *Store) admit(ctx context.Context, p Principal) (trial bool, err error) {
	for w := s.backoff(); ; {
		b, err := s.Upkeep().Breaker(ctx)
		if err != nil {
			return false, later(p, "the breaker could not be read", err)
		}
		if suspect, err := b.admits(p); !suspect || err != nil {
			return false, err
		}
		next := b
		next.trials++
		err = s.swapBreaker(ctx, b, next)
		if err == nil {
			return true, nil
		}
		if !errors.As(err, new(*dynamo.ChangedError[Breaker])) || w.wait(ctx) != nil {
			return false, later(p, "the breaker could not be written", err)
		}
	}
}

// admits reports whether the breaker lets a refresh begin, and whether that must take a trial.
func (b Breaker) admits(p Principal) (trial bool, err error) {
	switch {
	case b.AtRest(), p == App && !b.Open: // a service account spends nothing
		return false, nil
	case b.Open:
		return false, later(p, fmt.Sprintf("no refreshes since %s: %s", b.Since.UTC().Format(time.RFC3339), b.Reason), nil)
	case b.trials >= tripAfter-1:
		return false, later(p, "Procore's token endpoint is being tried by others after a failure", nil)
	}
	return true, nil
}

// report adds a verdict to the breaker. A success is written only if something
// bad is on record.
func (s *Store) report(ctx context.Context, v verdict, reason string) {
	if b := s.breaker.Load(); v == success && b != nil && b.AtRest() {
		return
	}
	for w := s.backoff(); ; {
		b, err := s.Upkeep().Breaker(ctx)
		if err == nil {
			if b.AtRest() && (v == success || v == unspent) || b.Open && v == success {
				return // an open breaker closes by a probe, not by a straggler
			}
			next := b.after(v, reason, s.Clock.Now())
			if err = s.swapBreaker(ctx, b, next); err == nil {
				if next.Open && !b.Open {
					s.log().ErrorContext(ctx, "breaker opened", slog.String("reason", reason))
				}
				return
			}
		}
		if w.wait(ctx) != nil || w.n > 10 {
			s.log().WarnContext(ctx, "breaker update failed", slog.Any("error", err))
			return
		}
	}
}

// Probe asks the token endpoint, without spending anything, whether it and the
// app's credentials are healthy, and closes or opens the breaker accordingly.
// The refresher calls it before a run. nil means healthy.
func (u Upkeep) Probe(ctx context.Context) error {
	s := u.s
	b, err := s.Upkeep().Breaker(ctx)
	if err != nil {
		return err
	}
	if !b.AtRest() {
		if _, err := s.OAuth.Reread(ctx); err != nil { // the credentials may be the reason, and mended by now
			return err
		}
	}
	_, cause := keys.Use(ctx, s.OAuth, func(oauth *procore.OAuth) (struct{}, error) { return struct{}{}, oauth.Probe(ctx) })
	if _, probed := errors.AsType[*procore.TokenError](cause); cause != nil && !probed {
		return cause // the credentials could not be read
	}
	next := b.after(success, "", s.Clock.Now())
	if cause != nil {
		next = b
		if !b.Open {
			next.Open, next.Reason, next.Since = true, "a probe failed: "+cause.Error(), s.Clock.Now()
		}
	}
	next.ProbedAt, next.Probe = s.Clock.Now(), text(cause)
	if cause == nil && b.AtRest() {
		ctx, cancel := context.WithTimeout(ctx, noteWithin)
		defer cancel()
		_ = s.swapBreaker(ctx, b, next) // nothing is lost but the time of the probe
		return nil
	}
	if err := s.swapBreaker(ctx, b, next); err != nil {
		// The probe of a run at the same time may have been faster. One bad outcome since costs no run: each refresh
		// has to take a trial then.
		if other, ok := errors.AsType[*dynamo.ChangedError[Breaker]](err); ok && cause == nil && !other.Current.Open {
			return nil
		}
		return errors.Join(cause, fmt.Errorf("tokens: the breaker could not be written: %w", err))
	}
	switch {
	case cause == nil:
		s.log().InfoContext(ctx, "breaker closed")
	case !b.Open:
		s.log().ErrorContext(ctx, "breaker opened", slog.String("reason", next.Reason))
	}
	return cause
}

// text returns the text of an error, or nothing.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// swapBreaker writes next in place of b.
func (s *Store) swapBreaker(ctx context.Context, b, next Breaker) error {
	next, err := s.breakers().Swap(ctx, b, next)
	if err == nil {
		s.breaker.Store(&next)
	}
	return err
}

// breakers are the one row.
func (s *Store) breakers() dynamo.Rows[Breaker] {
	return dynamo.Rows[Breaker]{
		DB: s.DB, Table: s.Grants, Random: s.Random,
		Decode:   func(b *Breaker, item dynamo.Item) error { return dynamo.Decode(item, b.fields) },
		Encode:   func(b Breaker) (key, attributes dynamo.Item) { return s.rowKey("breaker"), dynamo.Encode(b.fields) },
		Revision: func(b *Breaker) (*int64, *string) { return &b.rev, &b.write },
	}
}

func (b *Breaker) fields(f *dynamo.Fields) {
	f.Bool("open", &b.Open)
	f.Text("reason", &b.Reason)
	f.Seconds("since", &b.Since)
	f.Seconds("probed_at", &b.ProbedAt)
	f.Text("probe", &b.Probe)
	f.Number("rev", &b.rev)
	f.Text("write", &b.write)
	f.Number("unknown", &b.unknown)
	f.Number("trials", &b.trials)
}
