package tokens

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procoretest"
)

// step is a step of an actor on its process's store.
func (x *run) step(name string, do func(ctx context.Context, s *Store, a *simulation.Actor)) simulation.Step {
	return simulation.Step{Name: name, Do: func(ctx context.Context, a *simulation.Actor) { do(ctx, x.store(a), a) }}
}

// asks is a step that asks for an access token.
func (x *run) asks(name string, p Principal, ask func(ctx context.Context, s *Store) (Access, error)) simulation.Step {
	return x.step(name, func(ctx context.Context, s *Store, a *simulation.Actor) {
		access, err := ask(ctx, s)
		x.checkAnswer(a, p, access, err)
	})
}

func token(x *run) simulation.Step {
	return x.asks("token", onlyUser, func(ctx context.Context, s *Store) (Access, error) { return s.Token(ctx, onlyUser) })
}

func background(x *run) simulation.Step {
	return x.asks("background token", onlyUser, func(ctx context.Context, s *Store) (Access, error) {
		return s.Upkeep().Token(ctx, onlyUser)
	})
}

func appToken(x *run) simulation.Step {
	return x.asks("app token", App, func(ctx context.Context, s *Store) (Access, error) { return s.Token(ctx, App) })
}

func refreshing(x *run) simulation.Step {
	return x.asks("refresh", onlyUser, func(ctx context.Context, s *Store) (Access, error) {
		return s.Upkeep().Refresh(ctx, onlyUser, within)
	})
}

// within is how long before its end the schedule refreshes an access token.
const within = 10 * time.Minute

// shortly is a caller with little time. Its handler waits for the refresh.
func shortly(x *run) simulation.Step {
	return x.asks("token shortly", onlyUser, func(ctx context.Context, s *Store) (Access, error) {
		handler := Wrap(s, func(ctx context.Context, _ struct{}) (Access, error) {
			ctx, cancel := simulation.WithTimeout(ctx, 3*time.Second)
			defer cancel()
			return s.Token(ctx, onlyUser)
		})
		ctx, cancel := simulation.WithTimeout(ctx, minWork+1500*time.Millisecond)
		defer cancel()
		return handler(ctx, struct{}{})
	})
}

func invalidating(x *run) simulation.Step {
	return x.step("token after 401", func(ctx context.Context, s *Store, a *simulation.Actor) {
		access, err := s.Token(ctx, onlyUser)
		if err == nil {
			simulation.Gate(ctx, "meets a 401") // or two actors whose wait ends together would race for what follows
			if pair := x.procore.ByToken(access.Bearer().Reveal()); pair != nil {
				x.fate(pair).rejected = true
			}
			s.reject(onlyUser, access.Generation)
			access, err = s.Token(ctx, onlyUser)
		}
		x.checkAnswer(a, onlyUser, access, err)
	})
}

// calling calls the API.
func calling(x *run) simulation.Step {
	return x.step("call", func(ctx context.Context, s *Store, a *simulation.Actor) {
		ctx, cancel := simulation.WithTimeout(ctx, 25*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Environment.APIURL+"/rest/v1.0/projects", http.NoBody)
		if err != nil {
			panic(err)
		}
		resp, err := (&http.Client{Transport: s.Transport(onlyUser)}).Do(req)
		if err != nil {
			x.Note("  %s: the call fails", a.Name)
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		x.Note("  %s: status %d", a.Name, resp.StatusCode)
	})
}

// authorizing is a browser that authorizes. Should the page fail, housekeeping moves the
// pair.
func authorizing(x *run) simulation.Step {
	return x.step("authorize", func(ctx context.Context, s *Store, _ *simulation.Actor) { x.browse(ctx, s) })
}

// slowly is authorizing, and time passes between /me and the store.
func slowly(x *run) simulation.Step {
	return x.step("authorize slowly", func(ctx context.Context, s *Store, _ *simulation.Actor) {
		x.slow = true
		x.browse(ctx, s)
	})
}

// choosing is a browser that authorizes, and whose user chooses a company.
func choosing(holder string) func(x *run) simulation.Step {
	return func(x *run) simulation.Step {
		return x.step("authorize and choose", func(ctx context.Context, s *Store, a *simulation.Actor) {
			if x.browse(ctx, s) {
				x.hold(ctx, s, a, holder)
			}
		})
	}
}

// browse authorizes, once more for a pair that is stale.
func (x *run) browse(ctx context.Context, s *Store) bool {
	if x.procore.Mode == procoretest.Kill {
		x.Happened("kill")
	}
	for range 3 {
		f := x.flow(only)
		f.slow, x.slow = x.slow, false
		simulation.Gate(ctx, "has a pair", simulation.Crash)
		if err := x.begin(ctx, s, f); err != nil {
			x.end(f, "not stored")
			return false
		}
		if err := x.moves(ctx, s, f); err != nil || f.done != stale {
			return err == nil
		}
	}
	return false
}

// stale is the end of a flow whose refresh token was sent before.
const stale = "stale"

// moves is move within the time of an invocation.
func (x *run) moves(ctx context.Context, s *Store, f *flow) error {
	ctx, cancel := simulation.WithTimeout(ctx, 25*time.Second)
	defer cancel()
	err := x.move(ctx, s, f)
	if err != nil {
		x.Note("  %s: not moved", f.id)
		if !errors.Is(err, ErrTryAgain) {
			x.Problem("%s: an error without a decision: %v", f.id, err)
		}
	}
	return err
}

// housekeeping moves the pairs that wait.
func housekeeping(x *run) simulation.Step {
	return x.step("housekeeping", func(ctx context.Context, s *Store, a *simulation.Actor) {
		for range 2 {
			simulation.Gate(ctx, "searches for sessions")
			for _, f := range x.flows {
				if f.kept && f.done == "" {
					x.moves(ctx, s, f)
				}
			}
			a.Sleep(10 * time.Second)
		}
	})
}

func holding(holder string) func(x *run) simulation.Step {
	return func(x *run) simulation.Step {
		return x.step("hold", func(ctx context.Context, s *Store, a *simulation.Actor) { x.hold(ctx, s, a, holder) })
	}
}

func (x *run) hold(ctx context.Context, s *Store, a *simulation.Actor, holder string) {
	ctx, cancel := simulation.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	g, err := s.Hold(ctx, onlyUser, holder, connected(only, holder))
	x.decided(a, err, ErrTryAgain, ErrReauthorize, ErrRevoked, ErrNotFound)
	if err == nil && !g.HeldBy(holder) {
		x.Problem("%s: held, and not a holder", a.Name)
	}
}

func releasing(holder string) func(x *run) simulation.Step {
	return func(x *run) simulation.Step {
		return x.step("release", func(ctx context.Context, s *Store, a *simulation.Actor) {
			_, err := s.Release(ctx, onlyUser, holder, ended(only, holder))
			x.decided(a, err, ErrTryAgain, ErrNotFound)
		})
	}
}

// leaving is a company that is disconnected for good. With the last one the grant ends.
func leaving(holder string) func(x *run) simulation.Step {
	return func(x *run) simulation.Step {
		return x.step("leave", func(ctx context.Context, s *Store, a *simulation.Actor) {
			ctx, cancel := simulation.WithTimeout(ctx, 25*time.Second)
			defer cancel()
			g, err := s.Release(ctx, onlyUser, holder, ended(only, holder))
			x.decided(a, err, ErrTryAgain, ErrNotFound)
			if err == nil && len(g.Holders) == 0 {
				x.revoke(ctx, s, a)
			}
		})
	}
}

func revoking(x *run) simulation.Step {
	return x.step("revoke", func(ctx context.Context, s *Store, a *simulation.Actor) {
		ctx, cancel := simulation.WithTimeout(ctx, 25*time.Second)
		defer cancel()
		x.revoke(ctx, s, a)
	})
}

func (x *run) revoke(ctx context.Context, s *Store, a *simulation.Actor) {
	err := s.Revoke(ctx, onlyUser, "asked for")
	x.decided(a, err, ErrTryAgain, ErrHeld, ErrNotFound)
}

// decided notes the decision of an error, which is one of these.
func (x *run) decided(a *simulation.Actor, err error, decisions ...error) {
	if err == nil {
		x.Note("  %s: done", a.Name)
		return
	}
	for _, d := range decisions {
		if errors.Is(err, d) {
			x.Note("  %s: %v", a.Name, d)
			return
		}
	}
	if !a.Process.Dead() {
		x.Problem("%s: an error without a decision: %v", a.Name, err)
	}
}

// restoring is housekeeping that takes messages of the rescue queue, the newest first,
// and some of them twice.
func restoring(times int) func(x *run) simulation.Step {
	return func(x *run) simulation.Step {
		return x.step("restore", func(ctx context.Context, s *Store, a *simulation.Actor) {
			for range times {
				simulation.Gate(ctx, "reads the queue")
				if len(x.queue) == 0 {
					a.Sleep(10 * time.Second)
					continue
				}
				r, err := ParseRescued(x.queue[len(x.queue)-1])
				if err != nil {
					x.Problem("%v", err)
					return
				}
				x.Note("  restore: %t", s.Upkeep().Restore(ctx, r) == nil)
			}
		})
	}
}

func sleeping(d time.Duration) func(x *run) simulation.Step {
	return func(x *run) simulation.Step {
		return x.step("sleep", func(_ context.Context, _ *Store, a *simulation.Actor) {
			x.Happened("long")
			a.Sleep(d)
		})
	}
}

// waking is a step that begins later.
func waking(after time.Duration, step func(x *run) simulation.Step) func(x *run) simulation.Step {
	return func(x *run) simulation.Step {
		then := step(x)
		return simulation.Step{Name: then.Name + " later", Do: func(ctx context.Context, a *simulation.Actor) {
			a.Sleep(after)
			simulation.Gate(ctx, "begins "+then.Name)
			then.Do(ctx, a)
		}}
	}
}

// backing makes a backup of the row, and restoringBackup restores it.
func backing(x *run) simulation.Step {
	return x.step("backup", func(context.Context, *Store, *simulation.Actor) { x.save(onlyUser) })
}

func restoringBackup(x *run) simulation.Step {
	return x.step("restore a backup", func(context.Context, *Store, *simulation.Actor) {
		x.Happened("backup")
		x.bring(onlyUser)
	})
}

func probing(x *run) simulation.Step {
	return x.step("probe", func(ctx context.Context, s *Store, _ *simulation.Actor) {
		x.Note("  probe: %t", s.Upkeep().Probe(ctx) == nil)
	})
}
