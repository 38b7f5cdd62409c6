package reconcile

import (
	"cmp"
	"time"

	"procore-connect/internal/platform/config"
	"procore-connect/pkg/procore"
)

const (
	defaultPeriod   = 6 * time.Hour
	defaultPerOwner = 60
	defaultPerApp   = 600

	minPeriod = time.Minute
	maxPeriod = 7 * 24 * time.Hour // half of what the inbox remembers
	maxCalls  = 1_000_000
)

// Config is what is reconciled, how often, and at which cost.
type Config struct {
	Triggers []procore.Trigger // empty: nothing is reconciled
	// Period is how old the state that consumers have of a changed item may be; 0: nothing
	// is reconciled.
	Period time.Duration
	// PerOwner is how many calls are made in an hour for one user, or for one company of
	// the service account; 0: 60. PerApp is that for all of them; 0: 600.
	PerOwner, PerApp int
}

// ReadConfig reads WEBHOOK_TRIGGERS, RECONCILE_PERIOD, RECONCILE_CALLS_PER_OWNER and
// RECONCILE_CALLS_PER_APP. A period of 0 turns reconciliation off.
func ReadConfig(env *config.Env) Config {
	c := Config{
		Period:   readPeriod(env),
		PerOwner: env.Number("RECONCILE_CALLS_PER_OWNER", defaultPerOwner, maxCalls),
		PerApp:   env.Number("RECONCILE_CALLS_PER_APP", defaultPerApp, maxCalls),
	}
	var err error
	if c.Triggers, err = procore.ParseTriggers(env.Optional("WEBHOOK_TRIGGERS")); err != nil {
		env.Fail("WEBHOOK_TRIGGERS", "%v", err)
	}
	return c
}

func readPeriod(env *config.Env) time.Duration {
	text := env.Optional("RECONCILE_PERIOD")
	if text == "" {
		return defaultPeriod
	}
	d, err := time.ParseDuration(text)
	if err != nil || d != 0 && (d < minPeriod || d > maxPeriod) {
		env.Fail("RECONCILE_PERIOD", "is not 0 or a duration such as 6h, from %v to %v", minPeriod, maxPeriod)
	}
	return d
}

// on reports whether anything is reconciled.
func (c Config) on() bool { return c.Period > 0 && len(c.Triggers) > 0 }

func (c Config) perOwner() int { return cmp.Or(c.PerOwner, defaultPerOwner) }
func (c Config) perApp() int   { return cmp.Or(c.PerApp, defaultPerApp) }
